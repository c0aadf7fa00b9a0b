"""The Labels page without a browser: browsing, reviewing, comparing, exporting."""

from __future__ import annotations

import argparse
import io
import shlex
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hand_made import picture
from labels_made import nonce, result, save
from streamlit.testing.v1 import AppTest

from pages.parts.labels import export as labels_export
from rustseg_jax import labels
from rustseg_jax.commands import labels as command
from rustseg_jax.drawing.encode import png
from rustseg_jax.labels.records import Correction, Photo
from rustseg_jax.labels.store import Store

RUSTY = picture(rusty=True)
SHAPE = (RUSTY.shape[0], RUSTY.shape[1])


def _rows(first: int, last: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[first:last] = True
    return mask


class Desk:
    """A store with three photos, and the page on it."""

    def __init__(self, app: AppTest, store: Store) -> None:
        self.app, self.store = app, store
        app.user = {}  # no login is configured
        self.photos = [self._photo(k) for k in range(3)]
        self.first = self._say(0, "Ada", 0, 20)
        self.second = self._say(0, "Ben", 10, 30, reasons=["brick"])
        self.third = self._say(1, "Ada", 0, 8, note="<b>no</b> *star*")

    def _photo(self, k: int) -> Photo:
        pixels = RUSTY.copy()
        pixels[0, 0] = k
        return self.store.add_photo(png(pixels), origin=f"gate_{k}.png")

    def _say(self, k: int, who: str, first: int, last: int, **more: object) -> Correction:
        seen = result(rough=_rows(0, 16), mask=_rows(0, 20), shape=SHAPE, digest=who * 16)
        made = self.store.add_prediction(self.photos[k], seen)
        return save(
            self.store, self.photos[k], who, mask=_rows(first, last), prediction=made.id, **more
        )

    def open(self, **query: str) -> Desk:
        self.app.switch_page("pages/labels.py")
        self.app.query_params.clear()
        self.app.query_params.update(query)
        return self.run()

    def run(self) -> Desk:
        self.app.run()
        assert not self.app.exception
        assert not self.app.error
        return self

    def click(self, key: str) -> Desk:
        self.app.button(key=key).click()
        return self.run()

    def name(self, name: str) -> Desk:
        self.app.text_input(key="who-typed").set_value(name)
        return self.click("FormSubmitter:who-Use this name")

    def words(self) -> str:
        kinds = (self.app.markdown, self.app.caption, self.app.info, self.app.warning)
        return "\n".join(e.value for kind in kinds for e in kind)

    def listed(self) -> set[str]:
        keys = [button.key or "" for button in self.app.button]
        return {key.removeprefix("see-") for key in keys if key.startswith("see-")}

    def history(self, k: int = 0) -> labels.History:
        return labels.history(self.store, self.photos[k])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RUSTSEG_EXPERTS", "RUSTSEG_REVIEWERS", "RUSTSEG_DEMO"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RUSTSEG_LABELS", str(tmp_path / "labels"))
    return tmp_path / "labels"


@pytest.fixture
def page(app: AppTest, folder: Path) -> Desk:
    app.run()
    return Desk(app, Store(folder))


def test_nothing_was_ever_saved(app: AppTest, folder: Path) -> None:
    app.user = {}
    app.run()
    app.switch_page("pages/labels.py").run()
    assert "There are no corrections yet" in app.markdown[0].value
    assert not folder.exists()


def test_visitors_see_no_names_and_no_photos(page: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSTSEG_DEMO", "1")
    for query in ({}, {"view": "export"}, {"photo": page.photos[0].sha256}):
        page.open(**query)
        assert "Only experts and reviewers can see" in page.words()
        assert "Ada" not in page.words()
        assert not page.listed()
        assert not page.app.get("image")


def test_the_newest_come_first_and_filters_are_in_the_address(page: Desk) -> None:
    page.open()
    everything = {c.id for c in (page.first, page.second, page.third)}
    assert page.listed() == everything
    assert {m.label: m.value for m in page.app.metric}["To review"] == "3"
    page.app.selectbox(key="address-who").set_value("Ben")
    page.run()
    assert page.listed() == {page.second.id}
    assert page.app.query_params["who"] == "Ben"
    for query, wanted in (
        ({"who": "Ada"}, {page.first.id, page.third.id}),
        ({"reason": "brick"}, {page.second.id}),
        ({"model": "Ben" * 16}, {page.second.id}),
        ({"status": "approved"}, set()),
        ({"since": page.first.made[:10], "until": page.first.made[:10]}, everything),
        ({"since": "2999-01-01"}, set()),
    ):
        assert page.open(**query).listed() == wanted, query
    page.click("no-filter")
    assert page.listed() == everything
    assert "since" not in page.app.query_params


def test_unknown_values_in_the_address_are_reported(page: Desk) -> None:
    page.open(status="lost", since="yesterday", who="Zed", look="round", view="all")
    for word in ("status='lost'", "since='yesterday'", "who='Zed'", "look='round'"):
        assert word in page.words().replace("\\", "")
    assert len(page.listed()) == 3
    page.open(photo="0" * 64)
    assert "All corrections" in [b.label for b in page.app.button]
    page.open(photo=page.photos[0].sha256, at=page.third.id)
    assert "does not belong to this photo" in page.words()


def test_long_lists_go_on_page_by_page(page: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.parts.labels.list.PAGE", 2)
    page.open()
    assert page.listed() == {page.third.id, page.second.id}
    assert page.click("older").listed() == {page.first.id}
    assert page.app.button(key="older").disabled
    assert page.click("newer").listed() == {page.third.id, page.second.id}
    assert page.app.button(key="newer").disabled


def test_as_a_table(page: Desk) -> None:
    page.open(look="table")
    table = page.app.dataframe[0].value
    assert list(table["Expert"]) == ["Ada", "Ben", "Ada"]
    share = 100 * 20 / SHAPE[0]
    assert list(table["Rusted area"]) == pytest.approx([0.4 * share, share, share])
    assert page.first.id in table["Open"][2]


def test_a_photo_says_what_was_changed_and_what_experts_agree_on(page: Desk) -> None:
    page.open().click(f"see-{page.second.id}")
    assert page.app.query_params["at"] == page.second.id
    text = page.words()
    # Rows 0 to 20 against 10 to 30: 10 of 30 in common.
    assert "the CRF" in text or "the heat map" in text
    assert "**Ada**: corrosion" in text
    matrices = [t.value for t in page.app.table]
    assert any(m.shape == (2, 2) and m.loc["Ada", "Ben"] == "0.333" for m in matrices)
    assert len(page.app.get("image")) == 2  # the mask, and where they differ
    page.open(photo=page.photos[0].sha256, at=page.second.id, show="change")
    assert "IoU 0.33" in page.words()
    assert "Compared with the model's mask" in page.words()
    page.open(photo=page.photos[0].sha256, at=page.second.id, show="photo")
    assert len(page.app.get("image")) == 2
    page.open(photo=page.photos[1].sha256)
    assert "<b>" not in page.words().replace("\\<", "")
    page.open(photo=page.photos[2].sha256)
    assert "This photo has no corrections yet" in page.words()


def test_a_review_needs_a_name_and_is_kept_once(page: Desk) -> None:
    digest = page.photos[0].sha256
    page.open(photo=digest, at=page.second.id)
    assert not [b for b in page.app.button if (b.key or "").startswith("approve-")]
    page.name("Rita")
    page.app.text_area(key=f"words-{page.second.id}").set_value("well done")
    page.click(f"approve-{page.second.id}")
    (review,) = page.history().reviews
    assert (review.action, review.who, review.comment) == ("approve", "Rita", "well done")
    assert not review.verified
    assert page.app.button(key=f"approve-{page.second.id}").disabled
    assert "Approved by Rita" in page.words()
    page.click(f"flag-{page.second.id}")
    assert page.history().status[page.second.id] == "flagged"
    page.app.button(key=f"comment-{page.second.id}").click()
    page.app.run()
    assert "comment" in page.app.error[0].value.lower()  # one without words
    assert len(page.history().reviews) == 2


def test_experts_do_not_review(page: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSTSEG_EXPERTS", "ada@site.org")
    page.app.user = {"email": "ada@site.org", "is_logged_in": True}
    page.open(photo=page.photos[0].sha256)
    keys = [b.key or "" for b in page.app.button]
    assert not [k for k in keys if k.startswith(("approve-", "reject-", "consensus-", "next-open"))]
    assert "**Ada**" in page.words()


def test_the_next_to_review_is_of_another_photo(page: Desk) -> None:
    page.open(photo=page.photos[1].sha256).name("Rita").click("next-open")
    assert page.app.query_params["at"] == page.second.id
    for made in (page.first, page.second, page.third):
        page.store.review(made.id, "approve", nonce=nonce(), who="Rita")
    page.click("next-open")
    assert "photo" not in page.app.query_params


def test_authors_withdraw_their_own_corrections(page: Desk) -> None:
    page.open(photo=page.photos[1].sha256).name("Ben")
    assert f"do-back-{page.third.id}" not in [b.key for b in page.app.button]
    page.store.withdraw(page.second.id, nonce=nonce(), who="Ben")
    page.open(photo=page.photos[0].sha256, at=page.second.id)
    assert "Withdrawn by Ben" in page.words()
    page.click("other-name").name("Ada")
    page.open(photo=page.photos[0].sha256, at=page.first.id)
    page.click(f"do-back-{page.first.id}")
    assert page.history().status[page.first.id] == "withdrawn"


def test_a_consensus_is_a_new_record(page: Desk) -> None:
    page.open(photo=page.photos[0].sha256).name("Rita").click("consensus-staple")
    made = page.history().corrections[-1]
    assert (made.kind, made.method, made.who) == ("consensus", "staple", "Rita")
    assert set(made.sources) == {page.first.id, page.second.id}
    assert page.app.query_params["at"] == made.id
    page.click("consensus-staple")
    assert len(page.history().corrections) == 3  # the same words give the same record


def test_experts_over_all(page: Desk) -> None:
    page.open(view="experts")
    assert {m.label: m.value for m in page.app.metric}["Photos with several experts"] == "1"
    (row,) = page.app.dataframe[0].value.to_dict("records")
    assert (row["Experts"], row["Photos"], row["Mean IoU"]) == ("Ada and Ben", 1, 0.333)


def test_stages_over_all(page: Desk) -> None:
    page.open(view="stages")
    assert "**3** corrections" in page.words()
    losses, scores = (table.value for table in page.app.table[:2])
    assert list(losses["Stage"])[1:4] == ["Heat map", "Threshold", "CRF"]
    # IoU with the mask, rows 0 to 20: 1, 1/3 and 8/20.
    assert scores["Mean"].iloc[2] == f"{(1 + 1 / 3 + 0.4) / 3:.3f}"


def test_the_export_is_what_was_chosen(page: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    packed: list[bytes] = []
    monkeypatch.setattr(
        labels_export.st, "download_button", lambda _, data, *__, **___: packed.append(data())
    )
    page.open(view="export")
    assert "Approve corrections first" in page.words()
    page.store.review(page.third.id, "approve", nonce=nonce(), who="Rita")
    page.run()
    assert "1 photo" in page.words()
    with zipfile.ZipFile(io.BytesIO(packed[-1])) as file:
        assert sum(name.endswith(".csv") for name in file.namelist()) == 1
    page.app.toggle(key="export-approved").set_value(False)
    page.app.radio(key="export-format").set_value("coco")
    page.run()
    with zipfile.ZipFile(io.BytesIO(packed[-1])) as file:
        assert all(name.startswith("labels-coco/") for name in file.namelist())
    monkeypatch.setattr(labels_export, "MOST_BYTES", 10)
    number = len(packed)
    page.run()
    assert "too large to download" in page.words()
    assert len(packed) == number


@pytest.mark.parametrize("who", ["", "Ada O'Neil"])
def test_the_command_is_one_that_there_is(who: str) -> None:
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    words = shlex.split(labels_export.command("coco", approved=True, take="consensus", who=who))
    args = parser.parse_args(words[3:])
    assert (args.part, args.format, args.approved, args.expert) == ("export", "coco", True, who)
    assert args.consensus
    assert args.out == Path("labels-coco")
