"""The app's models, loaded once for all visitors."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

import rustseg_jax as rs
from rustseg_jax.classify import weights
from rustseg_jax.runtime import enable_compilation_cache


def model() -> rs.Classifier:
    """Return the model named by RUSTSEG_MODEL or the shipped one, loaded once for all visitors.

    Raises
    ------
    WeightsError
        See `rustseg_jax.load_model`; the next visit tries again.
    """
    place = Path(os.environ.get("RUSTSEG_MODEL") or weights.DEFAULT)
    return _model(str(place), place.stat().st_mtime_ns if place.is_file() else 0)


@st.cache_resource(max_entries=1, show_spinner=False)
def _model(place: str, changed: int) -> rs.Classifier:
    del changed  # part of the cache key: replaced weights are read again
    enable_compilation_cache()
    return rs.load_model(place)


def offered_weights() -> dict[str, str]:
    """Return the weights that this server offers: name in a link -> label.

    "" is the app's own weights. The shipped weights are added if RUSTSEG_MODEL names others, and
    so is each `*.safetensors` file in the folder named by RUSTSEG_MODELS.
    """
    return {"": "Weights of this app", **{name: name for name in _other_weights()}}


def _other_weights() -> dict[str, Path]:
    files = {}
    if os.environ.get("RUSTSEG_MODEL") and weights.DEFAULT.is_file():
        files["shipped"] = weights.DEFAULT
    if folder := os.environ.get("RUSTSEG_MODELS"):
        files |= {path.stem: path for path in sorted(Path(folder).glob("*.safetensors"))}
    return files


def named_model(name: str) -> rs.Classifier:
    """Return the model with a name of `offered_weights`.

    Raises
    ------
    WeightsError
        The weights cannot be read or are not offered.
    """
    if not name:
        return model()
    place = _other_weights().get(name)
    if place is None:
        raise rs.WeightsError(f"the weights {name[:60]!r} are not available on this server")
    return _another_model(str(place), place.stat().st_mtime_ns)


@st.cache_resource(max_entries=3, show_spinner=False)
def _another_model(place: str, changed: int) -> rs.Classifier:
    del changed  # part of the cache key
    enable_compilation_cache()
    return rs.load_model(place)
