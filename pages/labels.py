"""The Labels page: browse, compare, review and export the experts' corrections."""

from __future__ import annotations

import streamlit as st

import rustseg_jax as rs
from pages.parts.labels import stages
from pages.parts.labels.experts import over_all
from pages.parts.labels.export import draw as draw_export
from pages.parts.labels.list import draw as draw_list
from pages.parts.labels.photo import show
from pages.shared import address, label_store, people
from pages.shared.page import enter, guard, sentence
from pages.shared.people import Person
from rustseg_jax import labels

VIEWS = {
    "": ":material/grid_view: Corrections",
    "experts": ":material/groups: Experts",
    "stages": ":material/troubleshoot: Stages",
    "export": ":material/download: Export",
}


def main() -> None:
    with st.container(gap=None):  # the browser storage component takes no room
        st.title("Labels", anchor=False)
        person = people.somebody()
    if not person.may_save:
        _closed(person)
        return
    try:
        store = label_store.open_store(person)
    except rs.LabelsError as error:
        st.error(f"The labels cannot be read. {sentence(error)}", icon=":material/error:")
        return
    if store is None:
        _empty()
        return
    reader = address.Reader()
    if digest := reader.link.get("photo"):
        show(store, digest, reader, person)
        return
    view = reader.one_of("view", VIEWS, "")
    address.switch("View", "view", VIEWS, view, default="", label_visibility="collapsed")
    with guard():
        _view(view, store, reader, person)


def _view(view: str, store: labels.Store, reader: address.Reader, person: Person) -> None:
    if view == "experts":
        over_all(store)
    elif view == "stages":
        stages.over_all(store)
    elif view == "export":
        draw_export(store)
    else:
        draw_list(store, reader, person)


def _closed(person: Person) -> None:
    st.markdown(
        "On this server, experts correct masks and reviewers approve the corrections. Only experts "
        "and reviewers can see the corrections and their authors' names."
    )
    people.ask_login(person)
    st.page_link("pages/correct.py", label="Try the correction tools", icon=":material/brush:")


def _empty() -> None:
    st.markdown(
        "There are no corrections yet. Masks saved on the page Correct appear here, where you can "
        "browse, compare, review and export them."
    )
    st.page_link("pages/correct.py", label="Correct a mask", icon=":material/brush:")
    st.caption("To import masks from files, use the command line:")
    st.code(
        "python -m rustseg_jax labels import --data FOLDER --expert NAME",
        language=None,
        wrap_lines=True,
    )


enter()
main()
