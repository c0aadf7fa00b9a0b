"""The address of the teaching pages: everything that is chosen is in it, nothing is elsewhere.

A link that a teacher hands out opens what the teacher saw.
"""

from __future__ import annotations

from pages import address, cases, compute, lessons
from pages.address import pick, put, switch
from rustseg_jax.samples import list_samples
from rustseg_jax.teaching_choice import Choice, read_choice

__all__ = ["SAMPLE", "Reader", "pick", "put", "sample_case", "switch"]

SAMPLE = "pipe"
"""What is shown where the address names no photo."""


class Reader(address.Reader):
    """Reads the address of this run, and gathers what is wrong with it."""

    def choice(self) -> Choice:
        """What is chosen of the method."""
        choice, complaints = read_choice(self.link)
        self.complaints += complaints
        return choice

    def case(self) -> cases.Case:
        """The photo; a sample where the address names none, or one that is gone."""
        try:
            found = cases.current_case()
        except cases.CaseError as error:
            self.complaints.append(str(error))
            found = None
        return found or sample_case(SAMPLE)

    def subject(self) -> lessons.Subject:
        """The photo, the way through the method, the weights."""
        weights = self.one_of("weights", compute.offered_weights(), "")
        return lessons.Subject(self.case(), self.choice(), weights)


def sample_case(name: str) -> cases.Case:
    """A sample as a case; the first one where there is none of that name."""
    samples = list_samples()
    sample = next((s for s in samples if s.name == name), samples[0])
    return cases.case_of(sample)
