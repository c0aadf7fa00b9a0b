"""What the page of corrections asks of the labels store and of the model; it draws nothing.

The store is opened anew at every call, which is cheap, and nothing that it says is kept. What is
expensive to make of a photo (a file for the browser, pieces of like colour) is kept by `compute`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

import rustseg_jax as rs
from pages import canvas, cases, compute
from pages.cases import Case
from pages.experts import Person
from rustseg_jax import images, labels, samples
from rustseg_jax.labels.draft import record_id
from rustseg_jax.labels.store import DATABASE
from rustseg_jax.report import Report
from rustseg_jax.superpixels import superpixels

__all__ = [
    "PREDICTION", "Bench", "Said", "Start", "bench", "current_case", "following", "knows",
    "open_store", "orders", "past", "save", "start_of", "waiting",
]  # fmt: skip

PREDICTION = "prediction"
"""Instead of the id of a correction: begin with what the model marked."""

BENCHES = 6  # photos kept as the canvas needs them, 6 MB each at 12 megapixels

Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, eq=False)
class Bench:
    """A photo with what the model says of it, as the canvas and the store need it.

    Attributes
    ----------
    found : the report of it
    seg : the result without anything of the photo's size
    rough, mask : its masks
    photo : for the browser
    pieces : (h, w), of like colour
    """

    found: Report
    seg: rs.Segmentation = field(repr=False)
    rough: labels.Rle
    mask: labels.Rle
    photo: canvas.Photo
    pieces: np.ndarray = field(repr=False)

    def prediction(self) -> rs.Segmentation:
        """The result as the store takes it in."""
        return replace(self.seg, rough=self.rough.decode(), mask=self.mask.decode())


@dataclass(frozen=True, eq=False)
class Start:
    """Where a correction begins: masks (H, W) bool, and whose they are (None: the model's).

    `blank` says that they were cleared, because the verdict is that there is no corrosion.
    """

    mask: Mask
    ignore: Mask
    parent: labels.Correction | None
    blank: bool = False

    @property
    def base(self) -> str:
        """Its name, as a save tells it."""
        return canvas.base_of(self.mask, self.ignore)


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the form holds; as in `labels.Correction`. `verdict` None follows the mask."""

    verdict: str | None = None
    reasons: Sequence[str] = ()
    wrong_reason: bool = False
    note: str = ""
    confidence: float | None = None
    consent: str = "unknown"


# Photos


def bench(case: Case) -> Bench:
    """Make a photo ready; kept for the same bytes and weights.

    Raises
    ------
    RustsegError
        The photo or the weights cannot be used, or too many wait.
    """

    def work() -> Bench:
        found = compute.report(case)
        pixels = images.read(case.path.read_bytes(), name=case.title)
        seg = compute.in_full(case, pixels)
        nothing = np.broadcast_to(np.zeros((), np.bool_), seg.mask.shape)  # takes no memory
        light = replace(
            seg,
            image=np.broadcast_to(np.zeros(3, np.uint8), pixels.shape),
            rough=nothing,
            mask=nothing,
            posterior=None,
            lattice=None,
        )
        return Bench(
            found,
            light,
            labels.Rle.of(seg.rough),
            labels.Rle.of(seg.mask),
            canvas.encode_photo(pixels),
            superpixels(pixels),
        )

    return compute.once("bench", (case.digest, compute.model().digest), work, size=BENCHES)


def current_case(digest: str | None, person: Person) -> Case | None:
    """The photo of the address: of the labels store where it is there, else as on any page.

    Raises
    ------
    CaseError
        There is no such photo.
    LabelsError
        The store cannot be read.
    """
    if digest and (store := open_store(person)) and (photo := store.find_photo(digest)):
        title = photo.origin or "Photo of the labels folder"
        return Case(title, Path(title).stem, store.photo_path(photo), photo.sha256)
    return cases.current_case()


# The store


def open_store(person: Person) -> labels.Store | None:
    """The labels store, or None as long as nothing was ever saved.

    Who may not write changes nothing: an older database is then refused instead of brought up
    to date.
    """
    folder = labels.labels_folder()
    if not (folder / DATABASE).is_file():
        return None
    return labels.Store(folder, create=person.may_save)


def past(case: Case, person: Person) -> labels.History | None:
    """All that was said of a photo; None where nothing was."""
    store = open_store(person)
    photo = store.find_photo(case.digest) if store else None
    return labels.history(store, photo) if store and photo else None


def start_of(made: Bench, past: labels.History | None, chosen: str, verdict: str | None) -> Start:
    """Where the canvas begins.

    Parameters
    ----------
    made : the photo
    past : what was said of it
    chosen : id of a correction, `PREDICTION`, or "" for the latest correction that counts
    verdict : "none" begins with a clear mask
    """
    parent = _parent(past, chosen)
    marked = parent.mask if parent and parent.mask else made.mask
    unsure = parent.ignore if parent and parent.mask else None
    mask = marked.decode()
    ignore = unsure.decode() if unsure else np.zeros_like(mask)
    if verdict == "none" and (mask.any() or ignore.any()):
        return Start(np.zeros_like(mask), np.zeros_like(mask), parent, blank=True)
    return Start(mask, ignore, parent)


def _parent(past: labels.History | None, chosen: str) -> labels.Correction | None:
    if past is None or chosen == PREDICTION:
        return None
    if chosen:
        return next((c for c in past.corrections if c.id == chosen), None)
    counts = [c for c in past.corrections if past.status.get(c.id) in ("open", "approved")]
    return counts[-1] if counts else None


def save(
    case: Case, made: Bench, sent: canvas.Save, said: Said, person: Person, start: Start
) -> labels.Correction:
    """Store a correction, with its photo and the prediction that was corrected.

    The same save may come again: it gives what was stored then.

    Raises
    ------
    LabelsError, ConfigError, ImageError
        Nothing was stored; the message says why, and what to do.
    """
    if not person.may_save:
        raise rs.ConfigError("saving is not open to you here; your work stays in this browser")
    if not person.name:
        raise rs.ConfigError("nobody knows who you are: give your name, then press Save again")
    store = labels.Store(labels.labels_folder())
    if (before := _stored(store, sent)) is not None:
        return before
    photo = store.add_photo(case.path, exif=_exif(), consent=said.consent, **_origin(case))
    doubt = (made.found.facts["uncertainty"] or {}).get("doubt")
    prediction = store.add_prediction(photo, made.prediction(), uncertainty=doubt)
    start = _began(store, photo, made, sent, start)
    verdict = said.verdict or ("corrosion" if sent.mask.any() else "none")
    only_verdict = verdict == "can't tell" and not sent.strokes
    strokes = [_cleared(sent.mask.shape), *sent.strokes] if start.blank else list(sent.strokes)
    return store.save_correction(
        photo,
        nonce=sent.nonce,
        who=person.name,
        verified=person.verified,
        verdict=verdict,
        mask=None if only_verdict else sent.mask,
        ignore=None if only_verdict else sent.ignore,
        prediction=prediction.id,
        parent=start.parent.id if start.parent else None,
        strokes=strokes,
        reasons=said.reasons,
        wrong_reason=said.wrong_reason,
        note=said.note,
        confidence=said.confidence,
        seconds=sent.seconds,
    )


def _stored(store: labels.Store, sent: canvas.Save) -> labels.Correction | None:
    """What was stored under this nonce, where it is what was painted.

    The form may have changed since, or be empty after a reload: what was said with the save
    stands. Something else painted under the same nonce is refused by the store.
    """
    try:
        before = store.correction(record_id(sent.nonce))
    except labels.MissingError:
        return None
    masks = before.mask.counts if before.mask else None
    same = masks is None or masks == labels.Rle.of(sent.mask).counts
    return before if same else None


def _began(
    store: labels.Store, photo: labels.Photo, made: Bench, sent: canvas.Save, start: Start
) -> Start:
    """Where the strokes of a save began, which may not be what is shown now: after a reload."""
    if start.base == sent.base:
        return start
    known = labels.history(store, photo)
    choices = [c.id for c in reversed(known.corrections) if c.mask is not None]
    for chosen in (*choices, PREDICTION):
        for verdict in (None, "none"):
            found = start_of(made, known, chosen, verdict)
            if found.base == sent.base:
                return found
    return Start(start.mask, start.ignore, None)  # of nothing that is known here


def _cleared(shape: tuple[int, ...]) -> dict[str, Any]:
    """The stroke that says "nothing here": an outline around everything."""
    height, width = shape
    corners = [0, 0, width, 0, width, height, 0, height]
    return {"op": "outline", "tool": "clear", "value": 0, "points": corners}


def _exif() -> str:
    chosen = os.environ.get("RUSTSEG_EXIF", "").strip() or "kept"
    if chosen not in ("kept", "stripped"):
        raise rs.ConfigError(f"RUSTSEG_EXIF is {chosen!r}; allowed are 'kept' and 'stripped'")
    return chosen


def _origin(case: Case) -> dict[str, str]:
    """What is known of where a photo is from."""
    for sample in samples.list_samples():
        if sample.path == case.path:
            return {"origin": sample.path.name, "source": sample.source, "scene": sample.name}
    return {"origin": case.title}


# What is next


def knows(person: Person) -> bool:
    """Whether somebody has ever saved a correction."""
    store = open_store(person) if person.name else None
    return bool(store and labels.count_corrections(store, labels.Filters(who=person.name)))


@dataclass(frozen=True)
class Next:
    """The next photo: parameters of its address, and whether it is shown for a second time."""

    query: dict[str, str]
    again: bool = False


def waiting(person: Person) -> int:
    """How many photos of the store nobody has corrected."""
    store = open_store(person)
    return labels.count_queue(store) if store else 0


def orders(person: Person) -> tuple[str, ...]:
    """Names of the orders that the queue has."""
    store = open_store(person)
    return labels.orders(store) if store else ()


def following(
    person: Person,
    *,
    after: Case | None = None,
    skip: Collection[str] = (),
    order: str = "doubt",
    again: bool = False,
) -> Next | None:
    """The photo that is next: of the queue; else, from a sample, the next new sample.

    Parameters
    ----------
    person : who corrects
    after : the photo that is open
    skip : SHA-256 of photos that were put off
    order : of the queue
    again : whether one may come that the person corrected long ago, to see whether they still say
        the same
    """
    left_out = {*skip, *([after.digest] if after else [])}
    store = open_store(person)
    if store and person.may_save:  # photos of the store are not for every visitor
        if again and person.name:
            old = labels.repeats(store, person.name, limit=1 + len(left_out))
            for digest in (d for d in old if d not in left_out):
                return Next({"case": digest}, again=True)
        for case in labels.next_cases(store, order=order, who=person.name, skip=left_out, limit=1):
            return Next({"case": case.photo})
    return _next_sample(person, store, after, left_out) if after else None


def _next_sample(
    person: Person, store: labels.Store | None, after: Case, left_out: Collection[str]
) -> Next | None:
    listed = samples.list_samples()
    place = next(
        (k for k, s in enumerate(listed) if images.sha256(s.path.read_bytes()) == after.digest),
        None,
    )
    if place is None:
        return None
    for sample in (*listed[place + 1 :], *listed[:place]):
        digest = images.sha256(sample.path.read_bytes())
        if digest not in left_out and not (store and labels.latest(store, digest, who=person.name)):
            return Next({"sample": sample.name})
    return None
