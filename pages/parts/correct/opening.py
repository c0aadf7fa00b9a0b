"""Choose the photo to correct: from the address, the queue, this visit's uploads or the samples."""

from __future__ import annotations

import streamlit as st

import rustseg_jax as rs
from pages.parts.correct import next_photo
from pages.parts.correct.prefetch import Ahead
from pages.shared import cases, label_store
from pages.shared.cases import ChosenPhoto
from pages.shared.page import escape, guard, later, sentence
from pages.shared.people import Person
from pages.shared.sample_picker import draw_samples
from rustseg_jax.samples import Sample

__all__ = ["bar", "case_of_address", "go_on", "is_again", "is_first", "look_ahead", "start"]

REPEAT_EVERY = 10
"""After this many saves in a visit, a photo is shown that the expert has corrected before."""

_SKIPPED, _FIRST, _SAVES, _AGAIN, _ORDER, _AHEAD, _LOOKED = (
    "correct-skipped", "correct-first", "correct-saves", "correct-again", "correct-order",
    "correct-ahead", "correct-looked",
)  # fmt: skip


def case_of_address(person: Person) -> ChosenPhoto | None:
    """Return the photo named in the address, or None with a warning if it does not exist."""
    try:
        return label_store.current_case(st.query_params.get("case"), person)
    except cases.CaseError as error:
        st.warning(sentence(error), icon=":material/link_off:")
    except rs.LabelsError as error:
        st.warning(f"The labels cannot be read. {sentence(error)}", icon=":material/error:")
        with guard():
            return cases.current_case()
    return None


def start(person: Person) -> None:
    """Offer photos to correct while the address names none."""
    st.markdown(
        "Correct the model where it is wrong: paint over its mask, give the reason, and save. "
        "Each correction is stored with its photo and can be used to improve the model."
    )
    with guard():
        number = next_photo.waiting(person) if person.may_save else 0
        if number:
            st.button(
                f"Open the next photo ({number} in the queue)", key="next", type="primary",
                on_click=_go_on, args=(person, None), icon=":material/arrow_forward:",
            )  # fmt: skip
            _orders(person)
    if mine := cases.uploads():
        st.header("Your photos", anchor=False)
        with st.container(horizontal=True):
            for digest, name in mine.items():
                st.button(
                    escape(name), key=f"open-{digest}", on_click=_open,
                    kwargs={"upload": digest}, icon=":material/image:",
                )  # fmt: skip
    else:
        st.page_link(
            "pages/segment.py", label="Upload your own photo on the page Find rust",
            icon=":material/add_a_photo:",
        )  # fmt: skip
    st.header("Samples", anchor=False)
    draw_samples(_pick)


def _pick(sample: Sample) -> None:
    st.button(
        sample.title, key=f"correct-{sample.name}", on_click=_open,
        kwargs={"sample": sample.name}, width="stretch",
    )  # fmt: skip


def _orders(person: Person) -> None:
    """Offer the orders of the queue if there are others than that by uncertainty."""
    offered = next_photo.orders(person)
    if len(offered) > 1:
        place = offered.index(_order()) if _order() in offered else 0
        st.session_state[_ORDER] = st.selectbox("Queue order", offered, index=place)


def bar(person: Person, case: ChosenPhoto) -> None:
    """Show the name of the photo and the buttons that open another."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{escape(case.title)}**", width="stretch")
        st.button("Another photo", key="another", on_click=_open, icon=":material/photo_library:")
        st.button(
            "Skip", key="skip", on_click=_skip, args=(person, case), icon=":material/skip_next:",
            help="Open the next photo without saving; this one comes up again in your next visit.",
        )  # fmt: skip


def is_first(case: ChosenPhoto, person: Person) -> bool:
    """Return whether this is the first photo of a person who has not saved anything yet."""
    state = st.session_state
    first = state.setdefault(_FIRST, case.digest)
    if first and (first != case.digest or state.get(_SAVES) or next_photo.knows(person)):
        state[_FIRST] = first = ""  # for the rest of the visit
    return bool(first)


def go_on(person: Person, after: ChosenPhoto | None, *, saved: bool = False) -> bool:
    """Open the next photo; return False if there is none.

    After every tenth save, it is one that the same expert corrected at least a week ago.
    """
    state = st.session_state
    if saved:
        state[_SAVES], state[_AGAIN] = state.get(_SAVES, 0) + 1, ""
    found = _following(person, after, again=saved and state[_SAVES] % REPEAT_EVERY == 0)
    if found:
        state[_AGAIN] = found.query["case"] if found.again else ""
        st.query_params.from_dict(found.query)
    return found is not None


def _following(person: Person, after: ChosenPhoto | None, *, again: bool) -> next_photo.Next | None:
    skipped = st.session_state.setdefault(_SKIPPED, [])
    return next_photo.following(person, after=after, skip=skipped, order=_order(), again=again)


def look_ahead(person: Person, case: ChosenPhoto) -> None:
    """Prepare the photo that a save will open, once per opened photo.

    Does nothing for visitors who may not save.
    """
    state = st.session_state
    ahead: Ahead = state.setdefault(_AHEAD, Ahead())
    about = case.digest, person, _order(), tuple(state.get(_SKIPPED, ()))
    if not person.may_save or not person.name or state.get(_LOOKED) == about:
        return
    state[_LOOKED] = about
    found = _following(person, case, again=(state.get(_SAVES, 0) + 1) % REPEAT_EVERY == 0)
    ahead.want(found.case(person) if found else None)


def is_again(case: ChosenPhoto) -> bool:
    """Return whether a photo is a repeat; it then starts from the model's mask, without history."""
    return bool(st.session_state.get(_AGAIN) == case.digest)


def _order() -> str:
    return str(st.session_state.get(_ORDER) or "doubt")


def _go_on(person: Person, after: ChosenPhoto | None) -> None:
    with later():
        go_on(person, after)


def _skip(person: Person, case: ChosenPhoto) -> None:
    st.session_state.setdefault(_SKIPPED, []).append(case.digest)
    with later():
        if not go_on(person, case):
            cases.open_case()


def _open(sample: str = "", upload: str = "") -> None:
    cases.open_case(sample=sample, upload=upload)
