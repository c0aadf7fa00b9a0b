"""The weights that the app works with, loaded once for all visitors."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

import rustseg_jax as rs
from rustseg_jax.classify import weights
from rustseg_jax.runtime import enable_compilation_cache


def model() -> rs.Classifier:
    """The weights of RUSTSEG_MODEL or the shipped ones, once for all visitors.

    Raises
    ------
    WeightsError
        See `rustseg_jax.load_model`; tried again at the next visit.
    """
    place = Path(os.environ.get("RUSTSEG_MODEL") or weights.DEFAULT)
    return _model(str(place), place.stat().st_mtime_ns if place.is_file() else 0)


@st.cache_resource(max_entries=1, show_spinner=False)
def _model(place: str, changed: int) -> rs.Classifier:
    del changed  # part of the key: weights that were replaced are read again
    enable_compilation_cache()
    return rs.load_model(place)


def offered_weights() -> dict[str, str]:
    """The weights that whoever runs the server offers: name in a link -> what a person reads.

    "" are those of the whole app. Beside them the shipped ones, where RUSTSEG_MODEL names
    others, and each `*.safetensors` in the folder that RUSTSEG_MODELS names.
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
    """Weights by a name of `offered_weights`.

    Raises
    ------
    WeightsError
        They cannot be read, or are not offered.
    """
    if not name:
        return model()
    place = _other_weights().get(name)
    if place is None:
        raise rs.WeightsError(f"the weights {name[:60]!r} are not offered here")
    return _another_model(str(place), place.stat().st_mtime_ns)


@st.cache_resource(max_entries=3, show_spinner=False)
def _another_model(place: str, changed: int) -> rs.Classifier:
    del changed  # part of the key
    enable_compilation_cache()
    return rs.load_model(place)
