"""The model and what it computes, once for all visitors, one photo at a time.

All results are cached here, by the bytes' SHA-256, the weights and the settings; never by
pixels: Streamlit hashes large arrays from a sample only.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import get_script_run_ctx

import rustseg_jax as rs
from pages.answers import Answers
from pages.cases import KEEP_HOURS, Case
from pages.turns import Place, Turns
from rustseg_jax import images, weights
from rustseg_jax.kept import Kept, Photo, write_zip
from rustseg_jax.report import Report, full_overlay, make_report
from rustseg_jax.runtime import enable_compilation_cache
from rustseg_jax.tiles import Plan, TileConfig

T = TypeVar("T")

AS_FOUND = rs.Adjustment()
"""The controls as they are at first."""


# One photo at a time: with 20 visitors the throughput stays and the worst wait is halved.
@st.cache_resource(show_spinner=False)
def _turns() -> Turns:
    return Turns()


@st.cache_resource(show_spinner=False)
def _answers(kind: str, size: int) -> Answers:
    del kind  # the key: each kind of answer has its own room
    made = Answers(_turns(), size=size, seconds=KEEP_HOURS * 3600)
    _rooms().append(made)
    return made


@st.cache_resource(show_spinner=False)
def _rooms() -> list[Answers]:
    """All answers, of every kind."""
    return []


def forget(digest: str) -> None:
    """Drop all that was computed of a photo that is deleted.

    Parameters
    ----------
    digest : its SHA-256, with which the key of every answer about a photo begins
    """
    for answers in _rooms():
        answers.forget(lambda key: key[:1] == (digest,))


@contextmanager
def turn(line: DeltaGenerator | None = None) -> Iterator[None]:
    """Wait in line for the model and have it alone; the page shows the place in line.

    Never inside an `st.cache_*` function, which would keep what is shown and hold its lock.

    Parameters
    ----------
    line : an `st.empty()` to show it in; None shows it here

    Raises
    ------
    BusyError
        Too many wait already.
    """
    with _line(line) as show, _turns().turn(show, visitor=_visitor()):
        yield


def once(kind: str, key: tuple[Any, ...], work: Callable[[], T], *, size: int = 16) -> T:
    """Return what `work` computes for a key: kept from before, or now and in turn.

    Parameters
    ----------
    kind : what is computed, a name of its own
    key : what it depends on: first the photo's SHA-256, so that it can be forgotten, then the
        weights' digest, settings; never pixels
    work : computes it; the result is handed out by reference, so nobody may change it
    size : how many of this kind are kept, always the same for a kind

    Raises
    ------
    BusyError
        Too many wait already.
    """
    with _line() as show:
        return _answers(kind, size).get(key, work, show, visitor=_visitor())


def ahead(
    kind: str,
    key: tuple[Any, ...],
    work: Callable[[], object],
    *,
    size: int,
    given_up: Callable[[], bool],
) -> None:
    """Compute what `once` will be asked for, as soon as no visitor waits for anything.

    Parameters
    ----------
    kind, key, work, size : as for `once`
    given_up : asked while waiting; once it is true, nothing is computed

    Raises
    ------
    BusyError
        Too many wait already.
    """

    def show(_: Place) -> None:
        if given_up():
            raise _GivenUpError

    with suppress(_GivenUpError):
        _answers(kind, size).get(key, work, show, spare=True)


class _GivenUpError(Exception):
    """Nobody wants it any more."""


@contextmanager
def _line(line: DeltaGenerator | None = None) -> Iterator[Callable[[Place], None]]:
    """Where the place in line is shown while there is something to wait for."""
    if get_script_run_ctx(suppress_warning=True) is None:  # a download made outside of a page's run
        yield lambda _: None
        return
    where = st.empty() if line is None else line

    def show(place: Place) -> None:
        # Drawing is also what lets Streamlit end the run of a visitor who left.
        if place.before:
            where.caption(f":material/hourglass_top: In line: {place.words()}")
        else:
            where.empty()

    yield show


def _visitor() -> str | None:
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context else None


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
    return rs.plan_tiles(size(case), TileConfig(mode), input_size=input_size)


def size(case: Case) -> tuple[int, int]:
    """Height and width of a photo in pixels.

    Raises
    ------
    ImageError
        It cannot be read.
    """
    return _shape(case.digest, case)


@st.cache_data(max_entries=256, show_spinner=False)
def _shape(digest: str, _case: Case) -> tuple[int, int]:
    del digest  # the key
    return images.read_size(_case.path.read_bytes(), name=_case.title)


def report(
    case: Case,
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
    classifier = model()
    photo = case.digest, classifier.digest, mode, measured
    doubt = doubt and (surface is not None or turned != AS_FOUND)

    def work() -> Report:
        return _report(case, classifier, photo, turned, surface, doubt)

    # 16 reports are at most 200 MB.
    return once("report", (*photo, turned, surface, doubt), work, size=16)


def _report(
    case: Case,
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


def in_full(case: Case, pixels: np.ndarray) -> rs.Segmentation:
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
    classifier = model()
    photo = case.digest, classifier.digest, "auto", False
    with turn():
        known, fresh = _known(pixels, classifier, photo)
        return fresh[0][0] if fresh else known.again(pixels, AS_FOUND)[0]


def completed(
    case: Case, *, rust: np.ndarray, clean: np.ndarray, settled: np.ndarray | None = None
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
    classifier = model()
    pixels = images.read(case.path.read_bytes(), name=case.title)
    photo = case.digest, classifier.digest, "auto", False
    with turn():
        known, _ = _known(pixels, classifier, photo)
        seg = replace(known.seg, image=pixels)
        return rs.resegment(seg, rust=rust, clean=clean, settled=settled).mask


def overlay_file(case: Case, found: Report, opacity: float, *, fill: bool = True) -> bytes:
    """The overlay at the photo's full size, as a PNG file."""
    surface = found.part.surface if found.part else None
    with turn():
        return full_overlay(
            case.path.read_bytes(), found.mask_png, opacity=opacity, fill=fill, surface=surface
        )


def kept(folder: Path) -> Kept:
    """The results of many photos that lie in a folder, as far as these weights found them."""
    return Kept(folder, model().describe(), rs.Config())


def zip_file(photos: Sequence[Photo], results: Kept) -> bytes:
    """Masks, overlays, JSON files and table of many photos; in memory only once it is whole."""
    with tempfile.TemporaryFile() as file:
        write_zip(file, photos, results, turn=turn)
        file.seek(0)
        return file.read()


def offered_weights() -> dict[str, str]:
    """The weights that whoever runs the server offers: name in a link -> what a person reads.

    "" are those of the whole app. Beside them the shipped ones, where RUSTSEG_MODEL names
    others, and each `*.safetensors` in the folder that RUSTSEG_MODELS names.
    """
    return {"": "Weights of this app", **{name: name for name in _other_weights()}}


def _other_weights() -> dict[str, Path]:
    found = {}
    if os.environ.get("RUSTSEG_MODEL") and weights.DEFAULT.is_file():
        found["shipped"] = weights.DEFAULT
    if folder := os.environ.get("RUSTSEG_MODELS"):
        found |= {path.stem: path for path in sorted(Path(folder).glob("*.safetensors"))}
    return found


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


# What was measured of labels: of records that never change, so it is kept, up to a number.
MOST_KNOWN = 20_000  # a kilobyte each


class _Known(dict[Any, Any]):
    """Takes in no more once it is full; what is left out is measured again each time."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if len(self) < MOST_KNOWN:
            super().__setitem__(key, value)


@st.cache_resource(show_spinner=False)
def known_blames() -> dict[str, Any]:
    """What each correction says of the stages, by its id, see `rustseg_jax.labels.blame_all`."""
    return _Known()


@st.cache_resource(show_spinner=False)
def known_agreements() -> dict[Any, Any]:
    """How far the experts of each photo agree, see `rustseg_jax.labels.agree_over_all`."""
    return _Known()


@contextmanager
def in_steps(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far long work is; a click anywhere ends it, and the next visit goes on.

    Parameters
    ----------
    what : of what there are many: "photo"

    Yields
    ------
    To be called with (how many are done, how many there are, or are known so far)
    """
    line = st.empty()

    def tell(done: int, total: int) -> None:
        if done % 20 == 0:  # each is a message to the browser
            share = 0.0 if done == total else done / total
            line.progress(share, f"{done} {what}s looked at …")

    yield tell
    line.empty()
