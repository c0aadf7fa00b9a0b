"""The address of the teaching pages: everything that is chosen is in it, nothing is elsewhere.

A link that a teacher hands out opens what the teacher saw.
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
"""What is shown where the address names no photo: a real one, in which the model is right."""


class Reader(address.Reader):
    """Reads the address of this run, and gathers what is wrong with it.

    Attributes
    ----------
    person : who looks: what experts said is not for everybody
    """

    def __init__(self) -> None:
        super().__init__()
        self.person = people.somebody()

    def choice(self) -> Choice:
        """What is chosen of the method."""
        choice, complaints = read_choice(self.link)
        self.complaints += complaints
        return choice

    def case(self) -> cases.ChosenPhoto:
        """The photo; a sample where the address names none, or one that is gone."""
        try:
            photo = self._stored() or cases.current_case()
        except cases.CaseError as error:
            self.complaints.append(str(error))
            photo = None
        return photo or sample_case(SAMPLE)

    def _stored(self) -> cases.ChosenPhoto | None:
        """The photo where the labels store has it; it is not for every visitor."""
        digest = self.link.get("case")
        if not digest or not self.person.may_save:
            return None
        with suppress(rs.LabelsError):  # then only the uploads are there
            return label_store.stored_case(digest, self.person)
        return None

    def subject(self) -> lessons.Subject:
        """The photo, the way through the method, the weights."""
        weights = self.one_of("weights", models.offered_weights(), "")
        case = self.case()
        return lessons.Subject(case, self.choice(), weights, true_masks.marked(case, self.person))


def sample_case(name: str) -> cases.ChosenPhoto:
    """A sample as a case; the first one where there is none of that name."""
    samples = list_samples()
    sample = next((s for s in samples if s.name == name), samples[0])
    return cases.case_of(sample)
