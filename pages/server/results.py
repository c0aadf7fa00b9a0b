"""Results of the model, each computed once and cached; see `line`."""

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
"""The default settings."""


def plan(case: ChosenPhoto, mode: str = "auto") -> Plan | None:
    """Return the tiles in which a photo will be analysed; None if it is analysed as a whole.

    Raises
    ------
    RustsegError
        The photo or the weights cannot be used.
    """
    input_size = models.model().config.input_size
    return rs.plan_tiles(size(case), TileConfig(mode), input_size=input_size)


def size(case: ChosenPhoto) -> tuple[int, int]:
    """Return the height and width of a photo in pixels.

    Raises
    ------
    ImageError
        The photo cannot be read.
    """
    return _shape(case.digest, case)


@st.cache_data(max_entries=256, show_spinner=False)
def _shape(digest: str, _case: ChosenPhoto) -> tuple[int, int]:
    del digest  # the cache key
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
    """Return the report on a photo; computed once for the same bytes, weights and settings.

    Parameters
    ----------
    case : the photo
    mode : mode of `rs.TileConfig`
    turned : changed settings, applied to the cached evidence in a fraction of the time
    surface : the part of the photo that is steel
    doubt : whether the uncertainty map is needed with changed settings or a marked surface;
        otherwise the report has it if it was measured
    measured : whether to measure the uncertainty of a photo analysed in tiles too, which takes
        five times as long

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
    """Return the cached evidence of a photo, and its results if they were computed just now."""
    _, _, mode, measured = photo
    fresh: list[Found] = []

    def find() -> rs.Adjustable:
        seg = rs.segment(pixels, classifier, rs.Config(tiles=TileConfig(mode)))
        # In tiles this would take five times as long: the page asks first.
        ask = measured or not seg.tiling
        fresh.append((seg, rs.measure_uncertainty(seg, classifier) if ask else None))
        return rs.adjustable(seg, sure=fresh[0][1])

    # The evidence behind the settings: 15 MB each at 448 pixels, 60 MB for a photo in tiles.
    return once("adjustable", photo, find, size=4), fresh


def in_full(case: ChosenPhoto, pixels: np.ndarray) -> rs.Segmentation:
    """Return the segmentation of a photo with all arrays at the photo's size; not cached.

    Parameters
    ----------
    case : the photo
    pixels : its pixels, from `images.read`

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
    """Return the mask that the CRF computes from strokes on a photo, (H, W) bool.

    All strokes are kept in the mask.

    Parameters
    ----------
    case : the photo
    rust, clean : (H, W) bool strokes
    settled : (H, W) bool, strokes that do not spread; see `rs.resegment`

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
    """Return the overlay at the photo's full size as a PNG file."""
    surface = report.part.surface if report.part else None
    with turn():
        return full_overlay(
            case.path.read_bytes(), report.mask_png, opacity=opacity, fill=fill, surface=surface
        )


def results_folder(folder: Path) -> ResultsFolder:
    """Return the folder with the results of many photos, limited to those of these weights."""
    return ResultsFolder(folder, models.model().describe(), rs.Config())


def zip_file(photos: Sequence[PhotoFile], results: ResultsFolder) -> bytes:
    """Return masks, overlays, JSON files and summary of many photos as a ZIP file.

    The file is written to disk first and read into memory when it is complete.
    """
    with tempfile.TemporaryFile() as file:
        write_zip(file, photos, results, turn=turn)
        file.seek(0)
        return file.read()
