"""The model and what it computes, once for all visitors, one photo at a time.

All results are cached here, by the bytes' SHA-256, the weights and the settings; never by
pixels: Streamlit hashes large arrays from a sample only.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import streamlit as st

import rustseg_jax as rs
from pages.cases import KEEP_HOURS, Case
from rustseg_jax import images, weights
from rustseg_jax.report import Report, full_overlay, make_report
from rustseg_jax.runtime import enable_compilation_cache
from rustseg_jax.tiles import Plan, TileConfig

# One photo at a time: with 20 visitors the throughput stays and the worst wait is halved.
_TURN = threading.BoundedSemaphore(1)


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


def plan(case: Case, mode: str = "auto") -> Plan | None:
    """The windows in which a photo will be looked at; None where it will be looked at whole.

    Raises
    ------
    RustsegError
        The photo or the weights cannot be used.
    """
    input_size = model().config.input_size
    return rs.plan_tiles(_shape(case.digest, case), TileConfig(mode), input_size=input_size)


@st.cache_data(max_entries=256, show_spinner=False)
def _shape(digest: str, _case: Case) -> tuple[int, int]:
    del digest  # the key
    return images.read_size(_case.path.read_bytes(), name=_case.title)


def report(case: Case, mode: str = "auto") -> Report:
    """What the model finds in a photo; computed once for the same bytes, weights and mode.

    Parameters
    ----------
    case : the photo
    mode : of `rs.TileConfig`

    Raises
    ------
    RustsegError
        The photo or the weights cannot be used.
    """
    classifier = model()
    return _report(case.digest, classifier.digest, mode, case, classifier)


# By reference, not pickled: nobody changes a report. 16 of them are at most 150 MB.
@st.cache_resource(max_entries=16, ttl=KEEP_HOURS * 3600, show_spinner=False)
def _report(digest: str, weights: str, mode: str, _case: Case, _model: rs.Classifier) -> Report:
    del digest, weights  # the key; pixels never are: large arrays are hashed from a sample only
    with _TURN:
        config = rs.Config(tiles=TileConfig(mode))
        seg = rs.segment(_case.path.read_bytes(), _model, config)
        # In windows it would cost five times as much again: the page does not ask unbidden.
        sure = None if seg.tiling else rs.measure_uncertainty(seg, _model)
        return make_report(seg, sure)


def overlay_file(case: Case, found: Report, opacity: float) -> bytes:
    """The overlay at the photo's full size, as a PNG file."""
    with _TURN:
        return full_overlay(case.path.read_bytes(), found.mask_png, opacity=opacity)
