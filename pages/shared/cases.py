"""Cases: photos on disk and in the address.

A case is one photo, identified in the address by `?case=<SHA-256>` for an upload, which stays on
disk for `KEEP_HOURS`, or `?sample=<name>`. It therefore survives a reload and a server restart, a
link to it works, and no photo is kept in a visitor's session.
"""

from __future__ import annotations

import io
import logging
import re
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from PIL import Image, ImageOps

import rustseg_jax as rs
from rustseg_jax import images, labels, samples
from rustseg_jax.runtime import cache_folder, replacing

KEEP_HOURS = 24
"""Hours that a photo stays on disk after its last upload; the About page states them."""

_SWEEP_SECONDS = 600
_THUMBNAIL = (240, 180)  # pixels; shown at half this size, sharp on high-density screens
_DIGEST = re.compile(r"[0-9a-f]{64}")
_log = logging.getLogger("rustseg.pages")


@dataclass(frozen=True)
class ChosenPhoto:
    """A photo with its title, the stem of its result files, its path and its SHA-256."""

    title: str
    stem: str
    path: Path
    digest: str

    @property
    def query(self) -> dict[str, str]:
        """Query of the photo's address."""
        sample = any(s.path == self.path for s in samples.list_samples())
        return {"sample": self.stem} if sample else {"case": self.digest}


class CaseError(rs.RustsegError):
    """The photo in the address does not exist."""


def current_case() -> ChosenPhoto | None:
    """Return the photo named in the address, or None if it names none.

    Raises
    ------
    CaseError
        The photo does not exist or has been deleted.
    """
    if name := st.query_params.get("sample"):
        return _sample_case(name)
    if digest := st.query_params.get("case"):
        return upload_case(digest)
    return None


def open_case(*, sample: str = "", upload: str = "") -> None:
    """Write a photo to the address: a sample's name, an upload's digest, or nothing."""
    chosen = {"sample": sample} if sample else {"case": upload} if upload else {}
    st.query_params.from_dict(chosen)


def _sample_case(name: str) -> ChosenPhoto:
    for sample in samples.list_samples():
        if sample.name == name:
            return case_of(sample)
    raise CaseError(f"there is no sample called {name[:60]!r}; choose one of those shown")


def case_of(sample: samples.Sample) -> ChosenPhoto:
    """Return a sample as a case."""
    digest = images.sha256(sample.path.read_bytes())
    return ChosenPhoto(sample.title, sample.name, sample.path, digest)


def upload_case(digest: str) -> ChosenPhoto:
    """Return an uploaded photo as a case.

    Raises
    ------
    CaseError
        The photo does not exist or has been deleted.
    """
    path = photos_folder() / digest
    if not _DIGEST.fullmatch(digest) or not fresh(path):
        raise CaseError(
            f"the photo of this address is no longer available: photos are deleted after "
            f"{KEEP_HOURS} hours; upload it again"
        )
    state = st.session_state
    name = state.get(f"name-{digest}") or state.get(f"called-{digest}") or "Your photo"
    stem = Path(name).stem if name != "Your photo" else f"photo-{digest[:8]}"
    return ChosenPhoto(name, stem, path, digest)


def keep_upload(name: str, data: bytes) -> str:
    """Write an uploaded photo to disk atomically and return its SHA-256."""
    digest = images.sha256(data)
    path = photos_folder() / digest
    with replacing(path) as partial:
        partial.write_bytes(data)
    st.session_state[f"name-{digest}"] = name
    return digest


def call(digest: str, name: str) -> None:
    """Set the name of a photo that the visitor did not upload; the default is "Your photo"."""
    st.session_state[f"called-{digest}"] = name


def uploads() -> dict[str, str]:
    """Return the names of this visit's uploads that are still on disk, by their SHA-256."""
    keys = [str(key) for key in st.session_state if _named(str(key))]
    known = {key.removeprefix("name-"): str(st.session_state[key]) for key in keys}
    return {digest: name for digest, name in known.items() if fresh(photos_folder() / digest)}


def _named(key: str) -> bool:
    return key.startswith("name-") and bool(_DIGEST.fullmatch(key.removeprefix("name-")))


def delete_uploads() -> list[str]:
    """Delete all uploads of this visit, and the sets that contain them, before they expire.

    A set is deleted as a whole, because it cannot be shown without one of its photos.

    Returns
    -------
    SHA-256 of each deleted photo, for `line.forget`
    """
    digests = list(uploads())
    for listed in photos_folder().glob("set-*/set.json"):
        text = listed.read_text(encoding="utf-8")
        if any(digest in text for digest in digests):
            shutil.rmtree(listed.parent, ignore_errors=True)
    for digest in digests:
        (photos_folder() / digest).unlink(missing_ok=True)
        thumbnail.clear(str(photos_folder() / digest))
        del st.session_state[f"name-{digest}"]
    return digests


@st.cache_resource(show_spinner=False)
def photos_folder() -> Path:
    """Return the folder of uploads; the first call starts the thread that deletes old ones."""
    folder = cache_folder("photos") or Path(tempfile.mkdtemp(prefix="rustseg-photos-"))
    threading.Thread(target=_sweep_for_ever, args=(folder,), daemon=True).start()
    return folder


def fresh(path: Path) -> bool:
    """Return whether a file exists and has not expired."""
    try:
        return time.time() - path.stat().st_mtime < KEEP_HOURS * 3600
    except OSError:
        return False


def sweep(folder: Path) -> None:
    """Delete expired photos and sets."""
    for path in folder.iterdir():
        if path.is_dir():
            # A set has the age of its list; its results are younger. One without is being made.
            made = path / "set.json"
            if not fresh(made if made.exists() else path):
                shutil.rmtree(path, ignore_errors=True)
        elif not fresh(path):
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
    """Return a sample's thumbnail for the picker, all of one size; WebP, under 200 KB in all."""
    small = ImageOps.fit(Image.fromarray(images.read(path)), _THUMBNAIL)
    file = io.BytesIO()
    small.save(file, "WEBP", quality=75)
    return file.getvalue()


@st.cache_data(max_entries=512, show_spinner=False)
def label_thumbnail(correction: str, _store: labels.Store) -> bytes:
    """Return a thumbnail of a correction's photo and mask, which never change; WebP, 20 KB."""
    said = _store.correction(correction)
    return labels.thumbnail(_store.photo_path(said.photo), said)
