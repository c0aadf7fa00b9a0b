"""The address of the teaching pages, which holds all settings.

A link that a teacher shares opens the same view.
"""

from __future__ import annotations

from contextlib import suppress

import rustseg_jax as rs
from pages.parts.compare import lessons, true_masks
from pages.shared import address, cases, label_store, models, people
from pages.shared.address import pick, put, switch
from rustseg_jax.samples import list_samples
from rustseg_jax.teaching.choice import Choice, read_choice

__all__ = ["SAMPLE", "Reader", "pick", "put", "sample_case", "switch"]

SAMPLE = "steel_beam"
"""Sample to show if the address names no photo: a real photo with a correct result."""


class Reader(address.Reader):
    """Reads the address of this run and collects its errors.

    Attributes
    ----------
    person : the visitor; corrections are not shown to everyone
    """

    def __init__(self) -> None:
        super().__init__()
        self.person = people.somebody()

    def choice(self) -> Choice:
        """Return the options of the method."""
        choice, complaints = read_choice(self.link)
        self.complaints += complaints
        return choice

    def case(self) -> cases.ChosenPhoto:
        """Return the photo; a sample if the address names none, or one that was deleted."""
        try:
            photo = self._stored() or cases.current_case()
        except cases.CaseError as error:
            self.complaints.append(str(error))
            photo = None
        return photo or sample_case(SAMPLE)

    def _stored(self) -> cases.ChosenPhoto | None:
        """Return the photo from the labels store, if it is there and the visitor may see it."""
        digest = self.link.get("case")
        if not digest or not self.person.may_save:
            return None
        with suppress(rs.LabelsError):  # then only uploads are available
            return label_store.stored_case(digest, self.person)
        return None

    def subject(self) -> lessons.Subject:
        """Return the photo, the options of the method and the weights."""
        weights = self.one_of("weights", models.offered_weights(), "")
        case = self.case()
        return lessons.Subject(case, self.choice(), weights, true_masks.marked(case, self.person))


def sample_case(name: str) -> cases.ChosenPhoto:
    """Return a sample as a case; the first one if there is none of that name."""
    samples = list_samples()
    sample = next((s for s in samples if s.name == name), samples[0])
    return cases.case_of(sample)
