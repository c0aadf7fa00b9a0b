"""What the pages share: the model, photos on disk, results, messages. All caching is here.

A case is one photo, named in the address: `?case=<SHA-256>` for an upload, which lies on
disk for `KEEP_HOURS`, or `?sample=<name>`. So reload, links and a restart of the server
find it again, and no photo lives in a visitor's session.
"""

from __future__ import annotations

import io
import logging
import os
import re
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from PIL import Image, ImageDraw, ImageOps
from streamlit.runtime.pages_manager import PagesManager

import rustseg_jax as rs
from rustseg_jax import images, samples, weights
from rustseg_jax.report import Report, full_overlay, make_report
from rustseg_jax.runtime import cache_folder, enable_compilation_cache
from rustseg_jax.tiles import Plan, TileConfig

KEEP_HOURS = 24
"""How long an uploaded photo stays on disk after its last upload; the page says so."""

_SWEEP_SECONDS = 600
_THUMBNAIL = (240, 180)  # pixels; shown at half of it, sharp on dense screens
_DIGEST = re.compile(r"[0-9a-f]{64}")
# One photo at a time: with 20 visitors the throughput stays and the worst wait is halved.
_TURN = threading.BoundedSemaphore(1)
_run = threading.local()  # Streamlit runs one script a thread
_log = logging.getLogger("rustseg.pages")


@dataclass(frozen=True)
class Case:
    """One photo to look at: what it is called, where it lies, its SHA-256."""

    title: str
    stem: str
    path: Path
    digest: str


class CaseError(rs.RustsegError):
    """The address names a photo that is not there."""


@contextmanager
def app() -> Iterator[None]:
    """Run a page inside app.py, guarded; `enter` asks for it."""
    _run.inside = True
    try:
        with guard():
            yield
    finally:
        _run.inside = False


def enter() -> None:
    """Begin a page: it must run inside app.py, with its settings and its guard.

    Until app.py has run once, Streamlit takes a folder called pages/ for pages of the old
    kind and opens an address such as /segment without app.py. The switch is not public; the
    Streamlit version is pinned.
    """
    if not getattr(_run, "inside", False):
        PagesManager.uses_pages_directory = False
        st.rerun()


@contextmanager
def guard() -> Iterator[None]:
    """Show what went wrong in a sentence; never a traceback."""
    try:
        yield
    except rs.WeightsError as error:
        st.error(
            f"The model cannot be loaded. {sentence(error)} Set RUSTSEG_MODEL to a weights file "
            "or put one at data/model/rustseg.safetensors, then reload this page.",
            icon=":material/error:",
        )
    except rs.RustsegError as error:
        st.error(sentence(error), icon=":material/error:")
    except Exception:  # a bug of ours: the visitor gets a number, the log gets the rest
        number = uuid.uuid4().hex[:8]
        _log.exception("error %s", number)
        st.error(
            f"Something went wrong here, and it is not your photo's fault. Please try again; if "
            f"it stays, tell whoever runs this page the error number {number}.",
            icon=":material/error:",
        )


def sentence(error: Exception) -> str:
    """An error's message as a sentence, with nothing in it that Markdown would act on."""
    text = escape(str(error).strip().rstrip("."))
    return f"{text[:1].upper()}{text[1:]}."


def escape(text: str) -> str:
    """Make text from outside (names of files, messages) literal in Markdown."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~$:^-])", r"\\\1", text)


@st.cache_resource(show_spinner=False)
def icon() -> Image.Image:
    """Draw the page's icon: a rusty disc on azure, no outside font or file."""
    card = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    draw = ImageDraw.Draw(card)
    draw.rounded_rectangle((2, 2, 61, 61), 14, fill=(11, 105, 183))
    draw.ellipse((16, 16, 47, 47), fill=(183, 88, 36), outline=(255, 255, 255), width=5)
    return card


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


def current_case() -> Case | None:
    """The photo that the address names, or None when it names none.

    Raises
    ------
    CaseError
        There is no such photo, or not any more.
    """
    if name := st.query_params.get("sample"):
        return _sample_case(name)
    if digest := st.query_params.get("case"):
        return _upload_case(digest)
    return None


def open_case(*, sample: str = "", upload: str = "") -> None:
    """Put a photo into the address: a sample's name, an upload's digest, or nothing."""
    chosen = {"sample": sample} if sample else {"case": upload} if upload else {}
    st.query_params.from_dict(chosen)


def _sample_case(name: str) -> Case:
    for sample in samples.list_samples():
        if sample.name == name:
            digest = images.sha256(sample.path.read_bytes())
            return Case(sample.title, name, sample.path, digest)
    raise CaseError(f"there is no sample called {name[:60]!r}; pick one of those shown")


def _upload_case(digest: str) -> Case:
    path = photos_folder() / digest
    if not _DIGEST.fullmatch(digest) or not _fresh(path):
        raise CaseError(
            f"the photo of this address is not here any more: photos are deleted after "
            f"{KEEP_HOURS} hours; upload it again"
        )
    name = st.session_state.get(f"name-{digest}", "Your photo")
    stem = Path(name).stem if name != "Your photo" else f"photo-{digest[:8]}"
    return Case(name, stem, path, digest)


def keep_upload(name: str, data: bytes) -> str:
    """Put an uploaded photo on disk, whole or not at all; returns its SHA-256."""
    digest = images.sha256(data)
    path = photos_folder() / digest
    partial = path.with_name(f"{digest}.{uuid.uuid4().hex}.tmp")
    partial.write_bytes(data)
    partial.replace(path)
    st.session_state[f"name-{digest}"] = name
    return digest


@st.cache_resource(show_spinner=False)
def photos_folder() -> Path:
    """Where uploads lie; the first call starts the thread that deletes old ones."""
    folder = cache_folder("photos") or Path(tempfile.mkdtemp(prefix="rustseg-photos-"))
    threading.Thread(target=_sweep_for_ever, args=(folder,), daemon=True).start()
    return folder


def _fresh(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < KEEP_HOURS * 3600
    except OSError:
        return False


def sweep(folder: Path) -> None:
    """Delete the photos whose time is over."""
    for path in folder.iterdir():
        if path.is_file() and not _fresh(path):
            path.unlink(missing_ok=True)


def _sweep_for_ever(folder: Path) -> None:
    while folder.is_dir():
        try:
            sweep(folder)
        except OSError:
            _log.exception("old photos in %s could not be deleted", folder)
        time.sleep(_SWEEP_SECONDS)


@st.cache_data(max_entries=64, show_spinner=False)
def thumbnail(path: str) -> bytes:
    """A sample's picture for the picker, all of one shape; WebP keeps sixteen under 150 KB."""
    small = ImageOps.fit(Image.fromarray(images.read(path)), _THUMBNAIL)
    file = io.BytesIO()
    small.save(file, "WEBP", quality=75)
    return file.getvalue()
