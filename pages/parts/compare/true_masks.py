"""True masks: of rendered scenes, and experts' corrections from the labels store.

Only visitors who may save see corrections; others see the true masks of rendered scenes only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

import rustseg_jax as rs
from pages.shared import label_store
from pages.shared.cases import ChosenPhoto
from pages.shared.people import Person
from rustseg_jax import images, labels
from rustseg_jax.samples import list_samples

__all__ = ["Marked", "keep_scene", "marked", "true_mask"]

Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

_SCENE_MASKS: dict[str, Mask] = {}  # of the tour's few scenes, by the photo's digest


@dataclass(frozen=True)
class Marked:
    """An expert's correction used as the true mask: its id, description and mask."""

    id: str
    words: str
    mask: labels.Rle = field(compare=False, repr=False)


def keep_scene(data: bytes, mask: Mask) -> None:
    """Store the true mask of a rendered scene under the bytes of its file."""
    _SCENE_MASKS[images.sha256(data)] = mask


def true_mask(case: ChosenPhoto, given: Marked | None = None) -> Mask | None:
    """Return the true mask of a photo, (H, W) bool at full resolution, if it is known.

    Parameters
    ----------
    case : the photo
    given : what `marked` returned
    """
    if given is not None:
        return given.mask.decode()
    if case.digest in _SCENE_MASKS:
        return _SCENE_MASKS[case.digest]
    for sample in list_samples():
        if sample.path == case.path and sample.mask:
            return images.read(sample.mask)[..., 0] > 127
    return None


def marked(case: ChosenPhoto, person: Person) -> Marked | None:
    """Return the expert's correction to compare a photo with; None if there is none to show.

    This is the latest approved one, otherwise the latest valid one. The true mask of a rendered
    scene is exact and takes precedence. A store that cannot be read is ignored here; the page
    Correct reports it.
    """
    if not person.may_save or true_mask(case) is not None:
        return None
    try:
        return _latest(case, person)
    except rs.LabelsError:
        return None


def _latest(case: ChosenPhoto, person: Person) -> Marked | None:
    store = label_store.open_store(person)
    photo = store.find_photo(case.digest) if store else None
    if store is None or photo is None:
        return None
    correction = labels.latest(store, photo, approved=True) or labels.latest(store, photo)
    if correction is None or correction.mask is None:
        return None
    status = labels.history(store, photo).status.get(correction.id, "open")
    return Marked(
        correction.id, f"{correction.who}, {correction.made[:10]}, {status}", correction.mask
    )
