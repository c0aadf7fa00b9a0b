"""An app whose fragment and callback fail when asked to, for test_errors.py."""

import streamlit as st

from pages.shared.page import icon

st.set_page_config(page_title="Broken", page_icon=icon())


def fail(place: str) -> None:
    raise ZeroDivisionError(f"secret of the {place}")


@st.fragment
def part() -> None:
    if st.button("Break the fragment"):
        fail("fragment")
    st.button("Break the callback", on_click=fail, args=("callback",))
    st.text(f"part {st.session_state['runs']}")


st.session_state["runs"] = st.session_state.get("runs", 0) + 1
st.title("Broken")
part()
st.text("The rest of the page")
