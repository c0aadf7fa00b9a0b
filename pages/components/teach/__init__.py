"""Small browser components of the teaching pages.

`strip`: navigation strip of steps with thumbnails; `player`: frames of one image, with a slider
and a play button; `drawing`: an SVG drawing in the colours of the theme. No code or image is loaded
from another host.
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
    """Register a component; Streamlit takes text with line breaks for code, not for a path."""
    css, js = ((_HERE / f"{name}.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return st.components.v2.component(f"rustseg.{name}", html=html, css=css, js=js)


_strip = _component("strip", "<nav><ol></ol></nav>\n")
_player = _component("player", (_HERE / "player.html").read_text(encoding="utf-8"))
_drawing = _component("drawing", '<div class="drawing" role="img"></div>\n')


@dataclass(frozen=True)
class Stop:
    """One step of a strip: its name in the address, its title, and a thumbnail or a short text."""

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
    """Draw steps in a row, each a link; a row wider than the screen can be scrolled.

    Parameters
    ----------
    stops : steps in order
    current : name of the current step
    key : name of this strip on its page
    label : label for screen readers
    query : current query parameters; a link changes only the step
    name : query parameter of the step
    go : called with the name of the chosen step, before the page runs again
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
    """Draw one of several frames, with a slider and a play button.

    Parameters
    ----------
    frames : at least one, all of the same size
    frame : index of the first frame to show, from 0
    key : name of this player on its page; with the same key it keeps its frame
    label : label of the slider
    go : called with the frame at which the visitor stopped, before the page runs again
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
    """Draw the output of `rustseg_jax.teaching.drawings` in the colours of the theme.

    Parameters
    ----------
    svg : trusted SVG text; it is inserted into the page unchanged
    key : name of this drawing on its page
    alt : alternative text
    """
    _drawing(key=key, data={"svg": svg, "alt": alt})


def _serve(view: View, place: str) -> str:
    """Register an image with the server as `st.image` does; return its address, "/media/..."."""
    store = runtime.get_instance().media_file_mgr
    return store.add(view.data, view.kind, f"teach.{place}")
