"""The labels store as pages open it: anew at every call, with nothing kept of what it says."""

from __future__ import annotations

from pathlib import Path

from pages.shared import cases
from pages.shared.cases import ChosenPhoto
from pages.shared.people import Person
from rustseg_jax import labels
from rustseg_jax.labels.store.store import DATABASE

__all__ = ["current_case", "open_store", "past", "stored_case"]


def open_store(person: Person) -> labels.Store | None:
    """The labels store, or None as long as nothing was ever saved.

    Who may not write changes nothing: an older database is then refused instead of brought up
    to date.
    """
    folder = labels.labels_folder()
    if not (folder / DATABASE).is_file():
        return None
    return labels.Store(folder, create=person.may_save)


def current_case(digest: str | None, person: Person) -> ChosenPhoto | None:
    """The photo of the address: of the labels store where it is there, else as on any page.

    Raises
    ------
    CaseError
        There is no such photo.
    LabelsError
        The store cannot be read.
    """
    return (stored_case(digest, person) if digest else None) or cases.current_case()


def stored_case(digest: str, person: Person) -> ChosenPhoto | None:
    """A photo of the labels store as a case, None where it is not there.

    Raises
    ------
    LabelsError
        The store cannot be read.
    """
    store = open_store(person)
    photo = store.find_photo(digest) if store else None
    if store is None or photo is None:
        return None
    title = photo.origin or "Photo of the labels folder"
    return ChosenPhoto(title, Path(title).stem, store.photo_path(photo), photo.sha256)


def past(case: ChosenPhoto, person: Person) -> labels.History | None:
    """All that was said of a photo; None where nothing was."""
    store = open_store(person)
    photo = store.find_photo(case.digest) if store else None
    return labels.history(store, photo) if store and photo else None
