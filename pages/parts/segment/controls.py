"""Settings of a result, stored in the address so that a link reproduces the view.

The address is the single source of truth: each widget takes its value from the address before it is
drawn and writes changes back to it. Default values are left out of the address.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

import rustseg_jax as rs
from pages.server import results
from pages.shared import address
from pages.shared.cases import ChosenPhoto
from rustseg_jax.adjust import EDGES_MOST, RUST_MOST

VIEWS = {
    "overlay": "Overlay",
    "compare": "Before/after",
    "heat": "Heat map",
    "doubt": "Uncertainty",
    "steel": "Mark the steel",
}
MODES = {"auto": "In tiles (finds small rust)", "whole": "As a whole (faster)"}
STYLES = {"fill": "Filled", "line": "Outline"}


@dataclass(frozen=True)
class Choice:
    """Settings of a result; field names as in the address.

    Attributes
    ----------
    rust, edges : steps of `rs.Adjustment`
    mode : of `rs.TileConfig`, "auto" or "whole"
    view : one of `VIEWS`
    style : one of `STYLES`
    strength : opacity of the colours, 0 to 100 percent
    surface : the marked part of the photo, or None
    """

    rust: int = 0
    edges: int = 0
    mode: str = "auto"
    view: str = "overlay"
    style: str = "fill"
    strength: int = 50
    surface: rs.Surface | None = None

    @property
    def turned(self) -> rs.Adjustment:
        """Return the slider positions as the library takes them."""
        return rs.Adjustment(self.rust, self.edges)


_DEFAULT = Choice()


def read() -> Choice:
    """Read the settings from the address; invalid values are reported and ignored."""
    reader = address.Reader()
    choice = Choice(
        rust=reader.number("rust", RUST_MOST, _DEFAULT.rust, least=-RUST_MOST),
        edges=reader.number("edges", EDGES_MOST, _DEFAULT.edges, least=-EDGES_MOST),
        mode=reader.one_of("mode", MODES, _DEFAULT.mode),
        view=reader.one_of("view", VIEWS, _DEFAULT.view),
        style=reader.one_of("style", STYLES, _DEFAULT.style),
        strength=reader.number("strength", 100, _DEFAULT.strength),
        surface=_surface(reader),
    )
    reader.complain()
    return choice


def _surface(reader: address.Reader) -> rs.Surface | None:
    text = reader.link.get("surface")
    try:
        return rs.Surface.parse(text) if text else None
    except rs.ConfigError as error:
        reader.complaints.append(str(error))
        return None


def write(**chosen: object) -> None:
    """Write settings to the address; defaults are removed from it."""
    address.put(**{name: _text(name, value) for name, value in chosen.items()})


def _text(name: str, value: object) -> str | None:
    if value == getattr(_DEFAULT, name):
        return None
    return value.text() if isinstance(value, rs.Surface) else str(value)


def reset() -> None:
    """Reset the settings of the method; the display settings stay."""
    write(rust=_DEFAULT.rust, edges=_DEFAULT.edges, mode=_DEFAULT.mode)


def turn(choice: Choice, case: ChosenPhoto, *, corroded: bool) -> None:
    """Draw the controls that change the result."""
    st.markdown("**Adjust**")
    if not corroded:
        st.caption("Nothing to adjust: no corrosion was found.")
    else:
        _slider(choice, "rust", "Less or more rust", RUST_MOST,
                "How much evidence is needed to mark a place: move left to mark only clear rust, "
                "right to include faint rust.")  # fmt: skip
        _slider(choice, "edges", "Looser or tighter edges", EDGES_MOST,
                "How closely the outline follows the colours in the photo.")  # fmt: skip
    _mode(choice, case)
    if (choice.rust, choice.edges, choice.mode) != (0, 0, "auto"):
        st.button("Reset to defaults", icon=":material/undo:", on_click=reset, key="reset")


def _slider(choice: Choice, name: str, label: str, most: int, words: str) -> None:
    _follow(choice, name)
    st.slider(label, -most, most, step=1, key=name, help=words,
              on_change=_moved, args=(name,))  # fmt: skip


def _mode(choice: Choice, case: ChosenPhoto) -> None:
    """Choose how to analyse a large photo, and show what it costs; small ones have no choice."""
    plan = results.plan(case)
    if plan is None:
        return
    _follow(choice, "mode")
    st.radio("Large photo: analyse it", list(MODES), key="mode",
             format_func=MODES.__getitem__, on_change=_moved, args=("mode",))  # fmt: skip
    st.caption(f"In tiles: {plan.describe()}.")


def view(choice: Choice, *, steel: bool) -> None:
    """Draw the choice of the view; without a grade there is no steel to mark."""
    _follow(choice, "view")
    names = [name for name in VIEWS if steel or name != "steel"]
    st.segmented_control("View", names, key="view", format_func=VIEWS.__getitem__,
                         required=True, wrap=True, label_visibility="collapsed",
                         on_change=_moved, args=("view",))  # fmt: skip


def drawing(choice: Choice) -> None:
    """Draw the controls for the style of the mask."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        if choice.view != "heat":
            _follow(choice, "style")
            st.segmented_control("Mask", list(STYLES), key="style", required=True,
                                 format_func=STYLES.__getitem__, on_change=_moved,
                                 args=("style",))  # fmt: skip
        if choice.view == "heat" or choice.style == "fill":
            _follow(choice, "strength")
            st.slider("Opacity", 0, 100, step=5, format="%d %%", key="strength",
                      width=260, on_change=_moved, args=("strength",))  # fmt: skip


def _follow(choice: Choice, name: str) -> None:
    """Set a widget to the value in the address if they differ (after a link, or Back)."""
    wanted = getattr(choice, name)
    if st.session_state.get(name) != wanted:
        st.session_state[name] = wanted


def _moved(name: str) -> None:
    write(**{name: st.session_state[name]})
