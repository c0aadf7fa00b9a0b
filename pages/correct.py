"""The Correct page: the canvas, the form beside it, the photo's history and the next photo."""

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
    # Each optional element has its own container. The elements below then keep their positions,
    # and the browser keeps the canvas it has instead of mounting a new one.
    unseen = st.container(gap=None)  # the browser storage components take no room
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
    with st.container(), st.spinner("Analysing the photo …", show_time=True):
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
        offers = not (chosen or start.blank)  # the expert did not choose this mask
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
    with suppress(rs.LabelsError):  # already shown above, where the labels are read
        opening.look_ahead(person, case)


def _past(case: cases.ChosenPhoto, person: people.Person) -> labels.History | None:
    """Return the photo's history; if the store cannot be read, show a warning and return None."""
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
    except canvas.CorrectionError as error:  # the browser sent invalid data; the canvas is drawn
        st.error(sentence(error), icon=":material/error:")
        return None


def _said_last(case: cases.ChosenPhoto) -> None:
    """Show the correction saved last, with a button that reopens its photo."""
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
            # Not a link: a link to the current page leaves the address unchanged.
            st.button(
                "Reopen", key="back", icon=":material/undo:", type="tertiary",
                on_click=st.query_params.from_dict, args=(last["query"],),
            )  # fmt: skip


enter()
main()
