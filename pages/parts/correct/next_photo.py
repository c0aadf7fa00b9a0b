"""Choose the photo an expert corrects next: from the labels store's queue, or a sample."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pages.shared.cases import ChosenPhoto, case_of
from pages.shared.label_store import open_store, stored_case
from pages.shared.people import Person
from rustseg_jax import images, labels, samples

__all__ = ["Next", "following", "knows", "orders", "waiting"]


def knows(person: Person) -> bool:
    """Return whether this person has ever saved a correction."""
    store = open_store(person) if person.name else None
    return bool(store and labels.count_corrections(store, labels.Filters(who=person.name)))


@dataclass(frozen=True)
class Next:
    """The next photo: query of its address, and whether it is a repeat."""

    query: dict[str, str]
    again: bool = False

    def case(self, person: Person) -> ChosenPhoto | None:
        """Return the photo, or None if it no longer exists."""
        if digest := self.query.get("case"):
            return stored_case(digest, person)
        named = (s for s in samples.list_samples() if s.name == self.query.get("sample"))
        return next((case_of(sample) for sample in named), None)


def waiting(person: Person) -> int:
    """Return the number of photos in the store without a correction."""
    store = open_store(person)
    return labels.count_queue(store) if store else 0


def orders(person: Person) -> tuple[str, ...]:
    """Return the names of the queue's orders."""
    store = open_store(person)
    return labels.orders(store) if store else ()


def following(
    person: Person,
    *,
    after: ChosenPhoto | None = None,
    skip: Collection[str] = (),
    order: str = "doubt",
    again: bool = False,
) -> Next | None:
    """Return the next photo of the queue; else, after a sample, the next uncorrected sample.

    Parameters
    ----------
    person : who corrects
    after : the open photo
    skip : SHA-256 of the skipped photos
    order : order of the queue
    again : whether to repeat a photo that the person corrected long ago, to measure how consistent
        they are
    """
    left_out = {*skip, *([after.digest] if after else [])}
    store = open_store(person)
    if store and person.may_save:  # not every visitor may see the photos in the store
        if again and person.name:
            old = labels.repeats(store, person.name, limit=1 + len(left_out))
            for digest in (d for d in old if d not in left_out):
                return Next({"case": digest}, again=True)
        for case in labels.next_cases(store, order=order, who=person.name, skip=left_out, limit=1):
            return Next({"case": case.photo})
    return _next_sample(person, store, after, left_out) if after else None


def _next_sample(
    person: Person, store: labels.Store | None, after: ChosenPhoto, left_out: Collection[str]
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
