"""What is said of many photos: rows, table, order, names, failures."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rustseg_jax.errors import ConfigError, ImageError
from rustseg_jax.report.outcomes import (
    COLUMNS,
    ORDERS,
    Outcome,
    attempt,
    facts_file,
    result_names,
    sort_outcomes,
    summary_csv,
    within,
)


def done(
    photo: str, area: float = 0.5, probability: float = 0.9, doubt: float | None = None
) -> Any:
    facts = {
        "corroded": area > 0, "probability": probability, "area": area, "reason": "",
        "width": 40, "height": 30, "tiling": None, "verdict": "so", "timings": {"read": 1.0},
        "uncertainty": None if doubt is None else {"doubt": doubt},
    }  # fmt: skip
    return Outcome(photo, "done", photo.partition(".")[0], facts)


def test_table_by_hand() -> None:
    windows = done("b.jpg", 0.25)
    windows = Outcome("b.jpg", "skipped", "b", {**windows.facts, "tiling": {"windows": 6}})
    table = summary_csv([done("a.jpg"), windows, Outcome.failure("c, d.jpg", "no picture")])
    assert table.decode() == (
        "photo,status,corroded,probability,area,reason,width,height,windows,files,error\n"
        "a.jpg,done,True,0.9,0.5,,40,30,0,a,\n"
        "b.jpg,skipped,True,0.9,0.25,,40,30,6,b,\n"
        '"c, d.jpg",failed,,,,,,,,,no picture\n'
    )


def test_a_row_says_none_where_there_is_nothing_to_say() -> None:
    row = Outcome.failure("a.jpg", "why").row()
    assert tuple(row) == COLUMNS
    assert row == dict.fromkeys(COLUMNS) | {"photo": "a.jpg", "status": "failed", "error": "why"}
    assert done("a.jpg").row()["error"] is None


def test_no_photo_is_a_table_of_its_head() -> None:
    assert summary_csv([]).decode().splitlines() == [",".join(COLUMNS)]


def test_the_json_says_which_photo_it_is() -> None:
    text = facts_file({"path": "a.jpg", "sha256": "0f"}, {"area": 0.5})
    assert json.loads(text) == {"photo": {"path": "a.jpg", "sha256": "0f"}, "area": 0.5}
    with pytest.raises(ValueError, match="JSON"):
        facts_file({}, {"area": float("nan")})


PHOTOS = (
    done("b10.jpg", area=0.1, probability=0.7, doubt=0.3),
    done("b2.jpg", area=0.4, probability=0.6, doubt=0.01),
    done("a.jpg", area=0.1, probability=0.9),  # large: its doubt was not measured
    Outcome.failure("aa.jpg", "no picture"),
)


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("area", ["b2.jpg", "a.jpg", "b10.jpg", "aa.jpg"]),
        ("doubt", ["b10.jpg", "b2.jpg", "a.jpg", "aa.jpg"]),
        ("probability", ["a.jpg", "b10.jpg", "b2.jpg", "aa.jpg"]),
        ("name", ["a.jpg", "b2.jpg", "b10.jpg", "aa.jpg"]),
    ],
)
def test_orders(order: str, names: list[str]) -> None:
    assert [o.photo for o in sort_outcomes(PHOTOS, order)] == names
    assert order in ORDERS


def test_another_order_is_refused() -> None:
    with pytest.raises(ConfigError, match="order is 'size'; it must be one of area, doubt"):
        sort_outcomes(PHOTOS, "size")


@pytest.mark.parametrize(
    ("photos", "names"),
    [
        ([], []),
        (["a.jpg"], ["a"]),
        (["a.jpg", "a.png", "A.jpeg", "b.jpg"], ["a", "a-2", "A-3", "b"]),
        (["a.jpg", "a.png", "a-2.jpg"], ["a", "a-2", "a-2-2"]),
        (["site/a.jpg", "site/east/a.jpg"], ["a", "east/a"]),  # as `segment site` names them
        (["site/a.jpg", "b.jpg"], ["site/a", "b"]),
        (["../../etc/a.jpg", "/b.jpg", "c:\\d\\e.jpg"], ["etc/a", "b", "c_/d/e"]),
        (["..", ".jpg", "x/../y.jpg", 'q"<>.jpg'], ["photo", ".jpg", "x/y", "q___"]),
        (["IMG.2024.jpg"], ["IMG.2024"]),
    ],
)
def test_names_are_safe_and_each_another(photos: list[str], names: list[str]) -> None:
    assert result_names(photos) == names


def test_the_folder_that_all_are_in_is_left_out() -> None:
    assert within(["site/a.jpg", "site/east/b.jpg"]) == ["a.jpg", "east/b.jpg"]
    assert within(["site/a.jpg", "b.jpg"]) == ["site/a.jpg", "b.jpg"]
    assert within(["a.jpg"]) == ["a.jpg"]
    assert within([]) == []


def test_what_goes_wrong_with_a_photo_is_its_outcome() -> None:
    def fail(error: Exception) -> Outcome:
        raise error

    refused = attempt("a.jpg", lambda: fail(ImageError("a.jpg is empty")))
    assert (refused.failed, refused.error) == (True, "a.jpg is empty")
    bug = attempt("a.jpg", lambda: fail(KeyError("x")), bug=lambda _: "number 7")
    assert bug.error == "a.jpg failed because of an internal error: number 7; please report it"
    with pytest.raises(ConfigError):  # no other photo could be written either
        attempt("a.jpg", lambda: fail(ConfigError("disk full")))
    assert not attempt("a.jpg", lambda: done("a.jpg")).failed
