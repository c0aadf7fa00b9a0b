"""Access to the labels store: it is opened at every call, and nothing read from it is cached."""

from __future__ import annotations

from pathlib import Path

from pages.shared import cases
from pages.shared.cases import ChosenPhoto
from pages.shared.people import Person
from rustseg_jax import labels
from rustseg_jax.labels.store.store import DATABASE

__all__ = ["current_case", "open_store", "past", "stored_case"]


def open_store(person: Person) -> labels.Store | None:
    """Return the labels store, or None if nothing was ever saved.

    For visitors who may not save, an older database is rejected instead of migrated, so that they
    change nothing.
    """
    folder = labels.labels_folder()
    if not (folder / DATABASE).is_file():
        return None
    return labels.Store(folder, create=person.may_save)


def current_case(digest: str | None, person: Person) -> ChosenPhoto | None:
    """Return the photo in the address, from the labels store if it has it, else as on any page.

    Raises
    ------
    CaseError
        The photo does not exist.
    LabelsError
        The store cannot be read.
    """
    return (stored_case(digest, person) if digest else None) or cases.current_case()


def stored_case(digest: str, person: Person) -> ChosenPhoto | None:
    """Return a photo of the labels store as a case, or None if the store does not have it.

    Raises
    ------
    LabelsError
        The store cannot be read.
    """
    store = open_store(person)
    photo = store.find_photo(digest) if store else None
    if store is None or photo is None:
        return None
    title = photo.origin or f"Photo {photo.sha256[:8]}"
    return ChosenPhoto(title, Path(title).stem, store.photo_path(photo), photo.sha256)


def past(case: ChosenPhoto, person: Person) -> labels.History | None:
    """Return the history of a photo, or None if the store does not have it."""
    store = open_store(person)
    photo = store.find_photo(case.digest) if store else None
    return labels.history(store, photo) if store and photo else None
