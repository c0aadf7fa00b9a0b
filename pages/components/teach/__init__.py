"""Small parts of the teaching pages that run in the browser alone.

`strip`: steps with thumbnails, to go to one of them; `player`: the frames of one picture, with a
button that plays them; `drawing`: a vector drawing in the colours of the theme. No code and no
picture comes from another host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit import runtime

from rustseg_jax.teaching.views import View

__all__ = ["Stop", "drawing", "player", "strip"]

_HERE = Path(__file__).parent


def _component(name: str, html: str) -> Any:
    """Streamlit tells code from a path by its line breaks; the files have many."""
    css, js = ((_HERE / f"{name}.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return st.components.v2.component(f"rustseg.{name}", html=html, css=css, js=js)


_strip = _component("strip", "<nav><ol></ol></nav>\n")
_player = _component("player", (_HERE / "player.html").read_text(encoding="utf-8"))
_drawing = _component("drawing", '<div class="drawing" role="img"></div>\n')


@dataclass(frozen=True)
class Stop:
    """One step of a strip: its name in the address, its title, and a thumbnail or a sign."""

    name: str
    title: str
    picture: View | None = None
    sign: str = ""


def strip(
    stops: Sequence[Stop],
    current: str,
    *,
    key: str,
    label: str,
    query: Mapping[str, str],
    name: str = "step",
    go: Callable[[str], None],
) -> None:
    """Draw steps in a row, each a link; a row too long for the screen can be swiped.

    Parameters
    ----------
    stops : in order
    current : name of the one that is shown
    key : names this strip on its page
    label : what the strip is, for screen readers
    query : the address as it is; a link keeps it but for the step
    name : of the step in the address
    go : is called with the name of the step that was chosen, before the page runs again
    """

    def chosen() -> None:
        if step := st.session_state[key].get("step"):
            go(step)

    items = [
        {
            "name": stop.name,
            "title": stop.title,
            "href": urlencode({**query, name: stop.name}),
            "url": _serve(stop.picture, f"{key}.{stop.name}") if stop.picture else "",
            "sign": stop.sign,
        }
        for stop in stops
    ]
    _strip(
        key=key,
        data={"items": items, "current": current, "label": label},
        on_step_change=chosen,
    )


def player(
    frames: Sequence[View], frame: int, *, key: str, label: str, go: Callable[[int], None]
) -> None:
    """Draw one frame with a slider through all of them and a button that plays them.

    Parameters
    ----------
    frames : at least one, of one size
    frame : the one to begin with, from 0
    key : names this player on its page; the same key keeps the frame where the visitor left it
    label : what the slider chooses
    go : is called with the frame at which the visitor stopped, before the page runs again
    """

    def stopped() -> None:
        at = st.session_state[key].get("frame")
        if isinstance(at, int | float) and 0 <= at < len(frames):
            go(int(at))

    data = {
        "key": f"{key}-{len(frames)}",
        "label": label,
        "start": frame,
        "width": frames[0].width,
        "height": frames[0].height,
        "frames": [
            {"url": _serve(f, f"{key}.{f.name}"), "label": f.caption, "alt": f.alt} for f in frames
        ],
    }
    _player(key=key, data=data, on_frame_change=stopped)


def drawing(svg: str, *, key: str, alt: str) -> None:
    """Draw what `rustseg_jax.teaching.drawings` made, in the colours of the theme.

    Parameters
    ----------
    svg : our own SVG text; it is put into the page as it is
    key : names this drawing on its page
    alt : what it shows, for who cannot see it
    """
    _drawing(key=key, data={"svg": svg, "alt": alt})


def _serve(view: View, place: str) -> str:
    """Give a picture to the server as `st.image` does, and return its address, "/media/..."."""
    store = runtime.get_instance().media_file_mgr
    return store.add(view.data, view.kind, f"teach.{place}")
