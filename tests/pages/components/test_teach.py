"""The small browser parts of the teaching pages: what they send, and what they take back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pages.components import teach
from pages.components.teach import Stop, drawing, player, strip
from rustseg_jax.teaching.views import View


class Mounts(list[dict[str, Any]]):
    """What each part was mounted with, and the session that its callbacks read."""

    state: dict[str, Any]


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> Mounts:
    calls, session = Mounts(), {}
    calls.state = session
    store = SimpleNamespace(add=lambda data, kind, place: f"/media/{place}.{kind.split('/')[1]}")
    monkeypatch.setattr(
        teach.runtime, "get_instance", lambda: SimpleNamespace(media_file_mgr=store)
    )
    monkeypatch.setattr(teach.st, "session_state", session)
    for part in ("_strip", "_player", "_drawing"):
        monkeypatch.setattr(teach, part, lambda **call: calls.append(call))
    return calls


def _view(name: str, kind: str = "image/jpeg") -> View:
    return View(name, f"Caption {name}", f"Alt {name}", b"data", kind, 60, 40)


def test_a_strip_links_each_step_to_the_rest_of_the_address(mounted: Mounts) -> None:
    stops = [Stop("a", "First", _view("a")), Stop("b&", "Second", None, "99 %")]
    strip(stops, "a", key="k", label="Steps", query={"sample": "x y", "step": "old"}, go=print)
    data = mounted[0]["data"]
    assert data["current"] == "a"
    assert [item["href"] for item in data["items"]] == [
        "sample=x+y&step=a", "sample=x+y&step=b%26",
    ]  # fmt: skip
    assert [item["url"] for item in data["items"]] == ["/media/teach.k.a.jpeg", ""]
    assert data["items"][1]["sign"] == "99 %"


def test_a_strip_tells_which_step_was_chosen(mounted: Mounts) -> None:
    went: list[str] = []
    strip([Stop("a", "First")], "a", key="k", label="Steps", query={}, go=went.append)
    mounted.state["k"] = {"step": None}
    mounted[0]["on_step_change"]()
    mounted.state["k"] = {"step": "a"}
    mounted[0]["on_step_change"]()
    assert went == ["a"]


def test_a_player_gets_its_frames_and_tells_where_it_stopped(mounted: Mounts) -> None:
    went: list[int] = []
    frames = [_view("0"), _view("1", "image/png")]
    player(frames, 1, key="k", label="Update", go=went.append)
    data = mounted[0]["data"]
    assert (data["start"], data["width"], data["height"]) == (1, 60, 40)
    assert data["frames"] == [
        {"url": "/media/teach.k.0.jpeg", "label": "Caption 0", "alt": "Alt 0"},
        {"url": "/media/teach.k.1.png", "label": "Caption 1", "alt": "Alt 1"},
    ]
    for value in (0, 1.0, 2, -1, None, "1"):  # what a browser sends is not to be trusted
        mounted.state["k"] = {"frame": value}
        mounted[0]["on_frame_change"]()
    assert went == [0, 1]


def test_a_drawing_is_sent_as_it_is(mounted: Mounts) -> None:
    drawing("<svg/>", key="k", alt="A curve")
    assert mounted == [{"key": "k", "data": {"svg": "<svg/>", "alt": "A curve"}}]
