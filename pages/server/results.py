"""What the model finds in photos, each computed once and kept; see `line`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st

import rustseg_jax as rs
from pages.server.line import once, turn
from pages.shared import models
from pages.shared.cases import ChosenPhoto
from rustseg_jax import images
from rustseg_jax.config import TileConfig
from rustseg_jax.report.report import Report, full_overlay, make_report
from rustseg_jax.report.results_folder import PhotoFile, ResultsFolder, write_zip
from rustseg_jax.tiling.plan import Plan

AS_FOUND = rs.Adjustment()
"""The controls as they are at first."""


def plan(case: ChosenPhoto, mode: str = "auto") -> Plan | None:
    """The windows in which a photo will be looked at; None where it will be looked at whole.

    Raises
    ------
    RustsegError
        The photo or the weights cannot be used.
    """
    input_size = models.model().config.input_size
    return rs.plan_tiles(size(case), TileConfig(mode), input_size=input_size)


def size(case: ChosenPhoto) -> tuple[int, int]:
    """Height and width of a photo in pixels.

    Raises
    ------
    ImageError
        It cannot be read.
    """
    return _shape(case.digest, case)


@st.cache_data(max_entries=256, show_spinner=False)
def _shape(digest: str, _case: ChosenPhoto) -> tuple[int, int]:
    del digest  # the key
    return images.read_size(_case.path.read_bytes(), name=_case.title)


def report(
    case: ChosenPhoto,
    mode: str = "auto",
    *,
    turned: rs.Adjustment = AS_FOUND,
    surface: rs.Surface | None = None,
    doubt: bool = False,
    measured: bool = False,
) -> Report:
    """What the model finds in a photo; computed once for the same bytes, weights and choices.

    Parameters
    ----------
    case : the photo
    mode : of `rs.TileConfig`
    turned : the controls; from what was kept of the photo, at a fraction of the time
    surface : the part of the photo that is steel
    doubt : whether the map of doubt is wanted where controls were turned or a part was
        marked; else it is there as far as it is measured
    measured : whether it is measured of a photo that is looked at in windows, too, at five
        times their time

    Raises
    ------
    RustsegError
        The photo or the weights cannot be used.
    """
    classifier = models.model()
    photo = case.digest, classifier.digest, mode, measured
    doubt = doubt and (surface is not None or turned != AS_FOUND)

    def work() -> Report:
        return _report(case, classifier, photo, turned, surface, doubt)

    # 16 reports are at most 200 MB.
    return once("report", (*photo, turned, surface, doubt), work, size=16)


def _report(
    case: ChosenPhoto,
    classifier: rs.Classifier,
    photo: tuple[str, str, str, bool],
    turned: rs.Adjustment,
    surface: rs.Surface | None,
    doubt: bool,
) -> Report:
    pixels = images.read(case.path.read_bytes(), name=case.title)
    known, fresh = _known(pixels, classifier, photo)
    if fresh and turned == AS_FOUND:
        return make_report(*fresh[0], surface=surface)
    return make_report(*known.again(pixels, turned, doubt=doubt), surface=surface)


Found = tuple[rs.Segmentation, rs.Uncertainty | None]


def _known(
    pixels: np.ndarray, classifier: rs.Classifier, photo: tuple[str, str, str, bool]
) -> tuple[rs.Adjustable, list[Found]]:
    """What is kept of a photo, for going on from it; and what was found, if that was only now."""
    _, _, mode, measured = photo
    fresh: list[Found] = []

    def find() -> rs.Adjustable:
        seg = rs.segment(pixels, classifier, rs.Config(tiles=TileConfig(mode)))
        # In windows it would cost five times as much again: the page asks beforehand.
        ask = measured or not seg.tiling
        fresh.append((seg, rs.measure_uncertainty(seg, classifier) if ask else None))
        return rs.adjustable(seg, sure=fresh[0][1])

    # What the controls go on from: 15 MB each at 448 pixels, 60 MB of a photo in windows.
    return once("adjustable", photo, find, size=4), fresh


def in_full(case: ChosenPhoto, pixels: np.ndarray) -> rs.Segmentation:
    """What the model finds in a photo, with everything of the photo's size; not kept.

    Parameters
    ----------
    case : the photo
    pixels : of it, `images.read`

    Raises
    ------
    RustsegError
        The photo or the weights cannot be used.
    """
    classifier = models.model()
    photo = case.digest, classifier.digest, "auto", False
    with turn():
        known, fresh = _known(pixels, classifier, photo)
        return fresh[0][0] if fresh else known.again(pixels, AS_FOUND)[0]


def completed(
    case: ChosenPhoto, *, rust: np.ndarray, clean: np.ndarray, settled: np.ndarray | None = None
) -> np.ndarray:
    """The mask that the CRF makes of strokes on a photo, (H, W) bool; it keeps each of them.

    Parameters
    ----------
    case : the photo
    rust, clean : (H, W) bool strokes
    settled : (H, W) bool, which of them do not spread; see `rs.resegment`

    Raises
    ------
    RustsegError
        The photo or the weights cannot be used, or the strokes contradict each other.
    """
    classifier = models.model()
    pixels = images.read(case.path.read_bytes(), name=case.title)
    photo = case.digest, classifier.digest, "auto", False
    with turn():
        known, _ = _known(pixels, classifier, photo)
        return known.with_strokes(pixels, rust=rust, clean=clean, settled=settled).mask


def overlay_file(case: ChosenPhoto, report: Report, opacity: float, *, fill: bool = True) -> bytes:
    """The overlay at the photo's full size, as a PNG file."""
    surface = report.part.surface if report.part else None
    with turn():
        return full_overlay(
            case.path.read_bytes(), report.mask_png, opacity=opacity, fill=fill, surface=surface
        )


def results_folder(folder: Path) -> ResultsFolder:
    """The results of many photos that lie in a folder, as far as these weights found them."""
    return ResultsFolder(folder, models.model().describe(), rs.Config())


def zip_file(photos: Sequence[PhotoFile], results: ResultsFolder) -> bytes:
    """Masks, overlays, JSON files and table of many photos; in memory only once it is whole."""
    with tempfile.TemporaryFile() as file:
        write_zip(file, photos, results, turn=turn)
        file.seek(0)
        return file.read()
