from __future__ import annotations

import pytest
from labels_made import box, new_store, nonce, photo_bytes, result, save, some_mask

from rustseg_jax import ConfigError
from rustseg_jax.labels import Filters, count_corrections, history, latest, list_corrections
from rustseg_jax.labels.queries.listing import values_of
from rustseg_jax.labels.records import VERDICTS


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """24 corrections of 4 photos by 3 experts, with two models and reviews."""
    store = new_store(tmp_path_factory.mktemp("list"))
    photos = [store.add_photo(photo_bytes(k), origin=f"{k}.png") for k in range(4)]
    shown = [store.add_prediction(p, result(digest="ab"[k % 2] * 64)) for k, p in enumerate(photos)]
    made = []
    for k in range(24):
        reasons = [["brick"], ["soil", "brick"], []][k % 3]
        made.append(
            save(
                store, photos[k % 4], who=("ada", "bob", "cleo")[k // 8], reasons=reasons,
                prediction=shown[k % 4].id if k % 8 else None, verdict=VERDICTS[k % 2],
                mask=None if k % 2 else box(0, 0, 2, k + 1),
            )
        )  # fmt: skip
    for k, action in enumerate(("approve", "reject", "flag", "comment")):
        store.review(made[k].id, action, nonce=nonce(), who="eve", comment="see")
    store.withdraw(made[23].id, nonce=nonce(), who="cleo")
    return store, photos, made


def ids(store, **filters):
    return [e.id for e in list_corrections(store, Filters(**filters), limit=100).entries]


def test_newest_first_a_page_at_a_time(filled):
    store, _, made = filled
    wanted = [c.id for c in reversed(made)]
    assert ids(store) == wanted
    seen, after, pages = [], None, 0
    while True:
        page = list_corrections(store, after=after, limit=7)
        seen += [e.id for e in page.entries]
        pages += 1
        after = page.after
        if after is None:
            break
    assert (seen, pages) == (wanted, 4)
    assert list_corrections(store, limit=24).after is None
    with pytest.raises(ConfigError, match="limit is 0"):
        list_corrections(store, limit=0)


def test_each_filter_and_all_together(filled):
    store, photos, made = filled
    back = list(reversed(made))
    model = "a" * 64
    status = {made[0].id: "approved", made[1].id: "rejected", made[2].id: "flagged",
              made[23].id: "withdrawn"}  # fmt: skip
    of_a = {photos[0].sha256, photos[2].sha256}
    tests = {
        "who": ("bob", lambda c: c.who == "bob"),
        "verdict": ("none", lambda c: c.verdict == "none"),
        "reason": ("brick", lambda c: "brick" in c.reasons),
        "model": (model, lambda c: c.prediction is not None and c.photo in of_a),
        "status": ("open", lambda c: c.id not in status),
        "photo": (photos[1].sha256, lambda c: c.photo == photos[1].sha256),
        "since": (made[5].made, lambda c: c.made >= made[5].made),
        "until": (made[20].made, lambda c: c.made < made[20].made),
        "kind": ("expert", lambda c: c.kind == "expert"),
    }
    for name, (value, good) in tests.items():
        wanted = [c.id for c in back if good(c)]
        assert ids(store, **{name: value}) == wanted, name
        assert len(wanted) > 0
        assert count_corrections(store, Filters(**{name: value})) == len(wanted)
    for a in tests:  # every pair
        for b in set(tests) - {a}:
            good = [c.id for c in back if tests[a][1](c) and tests[b][1](c)]
            assert ids(store, **{a: tests[a][0], b: tests[b][0]}) == good, (a, b)
    for state in ("approved", "rejected", "flagged", "withdrawn"):
        assert ids(store, status=state) == [i for i, s in status.items() if s == state]
    assert ids(store, who="nobody") == []
    with pytest.raises(ConfigError, match="status is 'fine'"):
        Filters(status="fine")


def test_an_entry_says_what_is_small(filled):
    store, _, made = filled
    entry = list_corrections(store, Filters(who="ada"), limit=3).entries[1]
    assert (entry.id, entry.origin, entry.width, entry.height) == (made[6].id, "2.png", 30, 20)
    assert (entry.area, entry.verdict, entry.model) == (14, "corrosion", "a" * 64)


def test_what_filters_can_offer(filled):
    store, *_ = filled
    assert values_of(store, "who") == ("ada", "bob", "cleo")
    assert values_of(store, "model") == ("a" * 64, "b" * 64)
    with pytest.raises(ConfigError):
        values_of(store, "note")


def test_the_history_of_a_photo(filled):
    store, photos, made = filled
    told = history(store, photos[0])
    assert [c.id for c in told.corrections] == [c.id for c in made[::4]]
    assert [p.model for p in told.predictions] == ["a" * 64]
    assert [(r.action, r.who) for r in told.reviews] == [("approve", "eve")]
    assert told.status[made[0].id] == "approved"
    assert set(told.status) == {c.id for c in made[::4]}


def test_the_last_review_counts_and_comments_do_not(tmp_path):
    store = new_store(tmp_path)
    photo = store.add_photo(photo_bytes())
    made = save(store, photo)

    def status() -> str:
        return history(store, photo).status[made.id]

    assert status() == "open"
    for action, wanted in (
        ("comment", "open"), ("approve", "approved"), ("comment", "approved"),
        ("flag", "flagged"), ("reject", "rejected"), ("approve", "approved"),
    ):  # fmt: skip
        store.review(made.id, action, nonce=nonce(), who="eve", comment="so")
        assert status() == wanted
    store.withdraw(made.id, nonce=nonce(), who="ada")
    store.review(made.id, "approve", nonce=nonce(), who="eve")
    assert status() == "withdrawn"


def test_the_latest_that_counts(tmp_path):
    store = new_store(tmp_path)
    photo = store.add_photo(photo_bytes())
    assert latest(store, photo) is None
    assert latest(store, "0" * 64) is None
    first = save(store, photo, mask=some_mask(1))
    second = save(store, photo, who="bob")
    third = save(store, photo, who="bob", kind="consensus", method="majority",
                 sources=[first.id, second.id])  # fmt: skip
    assert latest(store, photo).id == second.id
    assert latest(store, photo, who="ada").id == first.id
    assert latest(store, photo, kinds=["consensus"]).id == third.id
    assert latest(store, photo, approved=True) is None
    store.review(first.id, "approve", nonce=nonce(), who="eve")
    assert latest(store, photo, approved=True).id == first.id
    store.review(second.id, "reject", nonce=nonce(), who="eve")
    assert latest(store, photo).id == first.id
    store.withdraw(first.id, nonce=nonce(), who="ada")
    assert latest(store, photo) is None
