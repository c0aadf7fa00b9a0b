from __future__ import annotations

import pytest
from labels_made import new_store, nonce, photo_bytes, result, save

from rustseg_jax import ConfigError
from rustseg_jax.labels import count_queue, next_cases, orders, repeats, set_order


@pytest.fixture
def queued(tmp_path):
    """Four photos: P of 0.9, 0.4 and 0.1, and one that no model has seen."""
    store = new_store(tmp_path)
    photos = [store.add_photo(photo_bytes(k)) for k in range(4)]
    for photo, probability in zip(photos, (0.9, 0.4, 0.1), strict=False):
        store.add_prediction(photo, result(probability=probability))
    return store, photos


def names(cases, photos):
    digests = [p.sha256 for p in photos]
    return [digests.index(c.photo) for c in cases]


def test_doubt_by_hand(queued):
    store, photos = queued
    cases = next_cases(store)
    assert [c.score for c in cases] == pytest.approx([0.8, 0.2, 0.2, -1])
    assert names(cases[:1], photos) == [1]
    assert names(cases[3:], photos) == [3]
    assert {c.experts for c in cases} == {0}
    assert count_queue(store) == 4


def test_the_newest_prediction_counts(queued):
    store, photos = queued
    store.add_prediction(photos[1], result(probability=1.0, digest="b" * 64))
    store.add_prediction(photos[0], result(probability=0.5, digest="b" * 64))
    cases = next_cases(store, limit=1)
    assert (names(cases, photos), cases[0].score) == ([0], 1.0)


def test_what_is_corrected_leaves_the_queue_and_comes_back_when_withdrawn(queued):
    store, photos = queued
    made = save(store, photos[1])
    assert 1 not in names(next_cases(store), photos)
    # For a second opinion it comes after those that nobody has seen, and not to the same person.
    cases = next_cases(store, experts=1)
    assert names(cases[3:], photos) == [1]
    assert cases[3].experts == 1
    assert 1 not in names(next_cases(store, experts=1, who="ada"), photos)
    assert 1 in names(next_cases(store, experts=1, who="bob"), photos)
    save(store, photos[1], who="ada")  # again: still one expert
    assert count_queue(store) == 3
    assert count_queue(store, experts=1) == 4
    save(store, photos[1], kind="consensus", method="majority", sources=[made.id], who="cleo")
    assert next_cases(store, experts=1)[3].experts == 1
    for row in (made.id, save(store, photos[0]).id):
        store.withdraw(row, nonce=nonce(), who="ada")
    assert 0 in names(next_cases(store, who="ada"), photos)
    assert 1 not in names(next_cases(store), photos)  # one of two was withdrawn


def test_putting_off_and_limits(queued):
    store, photos = queued
    skip = [photos[1].sha256, photos[3].sha256]
    assert 1 not in names(next_cases(store, skip=skip, limit=2), photos)
    assert len(next_cases(store, skip=skip)) == 2
    assert len(next_cases(store, limit=3)) == 3
    with pytest.raises(ConfigError, match="limit is 0"):
        next_cases(store, limit=0)


def test_another_order(queued):
    store, photos = queued
    scores = {photos[2].sha256: 5.0, photos[0].sha256: 1.0, "0" * 64: 9.0}
    assert set_order(store, "grade flip", scores) == 2
    assert orders(store) == ("doubt", "grade flip")
    assert names(next_cases(store, order="grade flip"), photos) == [2, 0]
    save(store, photos[2])
    assert names(next_cases(store, order="grade flip"), photos) == [0]
    assert set_order(store, "grade flip", {photos[3].sha256: 1}) == 1
    assert names(next_cases(store, order="grade flip"), photos) == [3]
    assert len(next_cases(store)) == 3  # untouched
    for wrong in ({"name": "doubt", "scores": {}}, {"name": "x", "scores": {"a": float("nan")}}):
        with pytest.raises(ConfigError):
            set_order(store, **wrong)
    with pytest.raises(ConfigError, match="must be one of doubt, grade flip"):
        next_cases(store, order="random")


def test_cases_to_show_again(queued):
    store, photos = queued
    for k in (2, 0, 1):
        save(store, photos[k])
    assert repeats(store, "ada") == ()  # not yet a week
    assert repeats(store, "ada", days=-1) == tuple(photos[k].sha256 for k in (2, 0, 1))
    save(store, photos[0])  # seen twice now
    again = save(store, photos[1])
    store.withdraw(again.id, nonce=nonce(), who="ada")
    assert repeats(store, "ada", days=-1) == tuple(photos[k].sha256 for k in (2, 1))
    assert repeats(store, "ada", days=-1, limit=1) == (photos[2].sha256,)
    assert repeats(store, "bob", days=-1) == ()


def test_an_empty_store(tmp_path):
    store = new_store(tmp_path)
    assert next_cases(store) == ()
    assert orders(store) == ("doubt",)
    assert count_queue(store) == 0
