"""Component to mark the steel in a photo: drag a box, tap a polygon, move corners.

Works with mouse, touch and keyboard, in the browser only. Python receives each finished outline as
a short text, `rs.Surface.text`, or "" for none.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

import rustseg_jax as rs
from pages.components.slider import Picture, encode, serve

__all__ = ["mark_surface"]

_HERE = Path(__file__).parent

_mount = st.components.v2.component(
    "rustseg.mark_surface",
    html=(_HERE / "surface.html").read_text(encoding="utf-8"),
    css=(_HERE / "surface.css").read_text(encoding="utf-8"),
    js=(_HERE / "surface.js").read_text(encoding="utf-8"),
)


def mark_surface(
    picture: Picture,
    surface: rs.Surface | None,
    *,
    key: str,
    alt: str,
    on_change: Callable[[rs.Surface | None], None],
) -> None:
    """Draw a photo on which the visitor marks a surface.

    Parameters
    ----------
    picture
        The photo, as for `pages.components.slider.encode`.
    surface
        The marked surface, or None; replaces the visitor's outline if it differs.
    key
        Name of this component on its page.
    alt
        Alternative text of the photo.
    on_change
        Called with the new surface, or None, before the page runs again.

    Raises
    ------
    ConfigError, ImageError
        As for `pages.components.slider.encode`.
    """
    shown = encode(picture)

    def changed() -> None:
        text = st.session_state[key].get("marked")
        if text is not None:
            on_change(rs.Surface.parse(text) if text else None)

    _mount(
        key=key,
        data={
            "key": key,
            "url": serve(shown, f"mark_surface.{key}"),
            "alt": alt,
            "width": shown.width,
            "height": shown.height,
            "marked": surface.text() if surface else "",
        },
        on_marked_change=changed,
    )
