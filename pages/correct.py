"""Corrections: the canvas, what an expert says beside it, what was said before, what is next."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import streamlit as st

import rustseg_jax as rs
from pages.components import canvas
from pages.parts.correct import events, opening, saving, workbench
from pages.parts.correct import form as correct_form
from pages.parts.correct import history as correct_history
from pages.parts.correct.help import draw
from pages.shared import cases, label_store, people
from pages.shared.page import enter, escape, guard, keep_together, sentence
from rustseg_jax import labels
from rustseg_jax.report.grading import ISO_4628_3

GRADES = [(most, f"Ri {number}") for number, most in enumerate((*ISO_4628_3, 1.0))]


def main() -> None:
    # What may or may not be there has a place of its own: everything below keeps its own, so that
    # the browser goes on with the canvas that it has.
    unseen = st.container(gap=None)  # what the browser remembers takes no room
    with unseen:
        st.title("Correct the mask", anchor=False)
        person = people.somebody()
    with st.container():
        case = opening.case_of_address(person)
    if case is None:
        opening.start(person)
        return
    with st.container():
        opening.bar(person, case)
        _said_last(case)
    with st.container(), st.spinner("Looking at the photo …", show_time=True):
        made = workbench.bench(case)
    with st.container(), guard():
        draw(unfolded=opening.is_first(case, person))
    with unseen:
        said = correct_form.said(case.digest, keep=person.may_save)
    _table(case, made, person, said)


def _table(
    case: cases.ChosenPhoto, made: workbench.Bench, person: people.Person, said: saving.Said
) -> None:
    """The canvas, the form beside it and the history below."""
    with st.container():
        past = _past(case, person)
    again = opening.is_again(case)
    chosen = saving.PREDICTION if again else correct_history.chosen(case.digest)
    start = saving.start_of(made, past, chosen, said.verdict)
    event = None
    left, right = st.columns([7, 3], gap="medium")
    with left, guard():
        st.caption(correct_form.model_says(made))
        offers = not (chosen or start.blank)  # this mask was not chosen, it came
        event = _canvas(case, made, start, person, offers=offers)
    with right:
        with st.container():
            people.ask_name(person)
        with st.container(border=True):
            correct_form.draw(
                case.digest, made, said, new=past is None, disabled=not person.may_save
            )
    with guard():
        if not again:
            correct_history.draw(case, made, past, start, names=person.may_save)
    if isinstance(event, canvas.Save):
        events.on_save(case, made, event, said, person, start)
        st.rerun()
    if isinstance(event, canvas.Ask):
        events.on_ask(case, made, event, start)
        st.rerun()
    with suppress(rs.LabelsError):  # said above, where the labels are read
        opening.look_ahead(person, case)


def _past(case: cases.ChosenPhoto, person: people.Person) -> labels.History | None:
    """What was said before; where the store cannot be read, the page says so and goes on."""
    try:
        return label_store.past(case, person)
    except rs.LabelsError as error:
        st.warning(f"The labels cannot be read. {sentence(error)}", icon=":material/error:")
        return None


def _canvas(
    case: cases.ChosenPhoto,
    made: workbench.Bench,
    start: saving.Start,
    person: people.Person,
    *,
    offers: bool,
) -> canvas.Save | canvas.Ask | None:
    try:
        return canvas.canvas(
            made.photo,
            start.mask,
            key="correct-canvas",
            case=case.digest,
            ignore=start.ignore,
            heatmap=np.asarray(made.found.heatmap),
            doubt=made.found.doubt,
            superpixels=made.pieces,
            grades=GRADES,
            can_save=person.may_save,
            offers=offers,
            name=case.title,
            **events.answers(),
        )
    except canvas.CorrectionError as error:  # what the browser sent; the canvas itself is drawn
        st.error(sentence(error), icon=":material/error:")
        return None


def _said_last(case: cases.ChosenPhoto) -> None:
    """What was saved last, with a way back to it."""
    last = events.last()
    if not last:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(
            keep_together(
                f":material/check_circle: Saved: {escape(last['title'])}. {last['words']}"
            ),
            width="content",
        )
        if last["query"] != case.query:
            # No link: one that leads to its own page leaves the address as it is.
            st.button(
                "Back to it", key="back", icon=":material/undo:", type="tertiary",
                on_click=st.query_params.from_dict, args=(last["query"],),
            )  # fmt: skip


enter()
main()
