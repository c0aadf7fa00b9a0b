from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from labels_made import box, new_store, nonce, photo_bytes, save

from rustseg_jax import ConfigError
from rustseg_jax.labels import (
    agree_over_all,
    cohens_kappa,
    compare_experts,
    fleiss_kappa,
    history,
    make_consensus,
    opinions,
)
from rustseg_jax.labels.review.agreement import repeated

SHAPE = (16, 16)


def rows(*numbers: int) -> np.ndarray:
    """A mask of these rows of 16 pixels: areas are multiples of 16."""
    mask = np.zeros(SHAPE, bool)
    mask[list(numbers)] = True
    return mask


@pytest.fixture
def store(tmp_path):
    return new_store(tmp_path)


def photo_of(store, seed=0):
    return store.add_photo(photo_bytes(seed, SHAPE))


# Kappa


def test_cohen_by_hand():
    # Agreed on 35 of 50; by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5: (0.7 - 0.5) / 0.5
    assert cohens_kappa([[20, 5], [10, 15]]) == pytest.approx(0.4)
    assert cohens_kappa([[5, 0], [0, 7]]) == 1
    assert cohens_kappa([[0, 5], [5, 0]]) == -1
    assert cohens_kappa([[4, 4], [4, 4]]) == 0
    # Three categories, 10 things: observed 0.6; chance (4*4 + 3*3 + 3*3) / 100 = 0.34
    assert cohens_kappa([[3, 1, 0], [1, 1, 1], [0, 1, 2]]) == pytest.approx(0.26 / 0.66)
    for nothing in ([[5, 0], [0, 0]], [[0, 0], [0, 0]]):
        assert math.isnan(cohens_kappa(nothing))


def test_fleiss_as_published():
    """Table 1 of Fleiss (1971) as given by Wikipedia: 14 raters, 10 things, kappa 0.210."""
    table = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    assert fleiss_kappa(table) == pytest.approx(0.20993, abs=1e-5)
    assert fleiss_kappa(np.repeat(table, 3, axis=0)) == pytest.approx(fleiss_kappa(table, [3] * 10))


def test_fleiss_by_hand():
    # Two things, two raters: agree on one. P = (1 + 0) / 2, shares 3/4 and 1/4.
    assert fleiss_kappa([[2, 0], [1, 1]]) == pytest.approx((0.5 - 10 / 16) / (6 / 16))
    assert fleiss_kappa([[3, 0], [0, 2]]) == 1  # not all rated everything
    assert fleiss_kappa([[3, 0], [0, 2], [1, 0]]) == 1  # a single opinion is no agreement
    assert math.isnan(fleiss_kappa([[3, 0], [2, 0]]))
    assert math.isnan(fleiss_kappa([[1, 0]]))


@pytest.mark.parametrize("wrong", [[1, 2], [[-1, 2]], [[math.nan, 1]]])
def test_what_are_no_counts(wrong):
    for kappa in (cohens_kappa, fleiss_kappa):
        with pytest.raises(ConfigError, match="counts"):
            kappa(wrong)
    with pytest.raises(ConfigError, match="square"):
        cohens_kappa([[1, 2]])


# One photo


def test_three_experts_by_hand(store):
    photo = photo_of(store)
    save(store, photo, "ada", mask=rows(0, 1, 2, 3))
    save(store, photo, "bob", mask=rows(2, 3, 4, 5), verdict="corrosion")
    save(store, photo, "cleo", mask=rows(), verdict="none")
    save(store, photo, "dora", verdict="can't tell")  # without a mask
    found = compare_experts(opinions(history(store, photo)))
    assert found.experts == ("ada", "bob", "cleo", "dora")
    assert found.verdicts == ("corrosion", "corrosion", "none", "can't tell")
    nan = math.nan
    np.testing.assert_allclose(
        found.iou, [[1, 2 / 6, 0, nan], [2 / 6, 1, 0, nan], [0, 0, 1, nan], [nan] * 4]
    )
    # ada and bob, in rows: both 2, one alone 2 and 2, none 10. Agreed 12/16; by chance
    # (4*4 + 12*12) / 256 = 0.625.
    assert found.cohen[0, 1] == pytest.approx((0.75 - 0.625) / 0.375)
    assert found.cohen[0, 2] == 0  # who marks nothing agrees as chance would
    assert math.isnan(found.cohen[2, 2])
    # Fleiss, in rows: 4 marked by one of three (1/3 of the pairs agree), 2 by two (1/3), 10 by
    # none: P = (6/3 + 10) / 16 = 0.75. Marked 8 of 48.
    shares = (8 / 48) ** 2 + (40 / 48) ** 2
    assert found.fleiss == pytest.approx((0.75 - shares) / (1 - shares))
    split = found.disagreement[:, 0]
    np.testing.assert_allclose(split, [2 / 3] * 6 + [0] * 10, rtol=1e-6)
    assert found.disagreement.dtype == np.float32


def test_who_cannot_tell_is_not_asked(store):
    photo = photo_of(store)
    save(store, photo, "ada", mask=rows(0, 1), ignore=rows(2, 3, 4))
    save(store, photo, "bob", mask=rows(0, 2), ignore=rows(4, 5))
    found = compare_experts(opinions(history(store, photo)))
    assert found.iou[0, 1] == 1 / 2  # rows 0 and 1
    np.testing.assert_array_equal(found.disagreement[:6, 0], [0, 1, 0, 0, 0, 0])


def test_whose_word_counts(store):
    photo = photo_of(store)
    first = save(store, photo, "ada", mask=rows(0))
    save(store, photo, "ada", mask=rows(1))
    gone = save(store, photo, "bob", mask=rows(2))
    store.withdraw(gone.id, nonce=nonce(), who="bob")
    no = save(store, photo, "cleo", mask=rows(2))
    store.review(no.id, "reject", nonce=nonce(), who="eve")
    save(store, photo, "eve", kind="consensus", method="majority", sources=[first.id])
    [kept] = opinions(history(store, photo))
    assert (kept.who, kept.mask.decode()[1].all()) == ("ada", True)
    alone = compare_experts([kept])
    assert (alone.iou.tolist(), alone.disagreement) == ([[1.0]], None)
    assert math.isnan(alone.fleiss)
    for wrong in ([], [kept, save(store, photo_of(store, 1), mask=rows(0))]):
        with pytest.raises(ConfigError, match="one photo"):
            compare_experts(wrong)


# With themselves


def test_what_is_a_second_opinion(store):
    photo = photo_of(store)
    first = save(store, photo, "ada", mask=rows(0))
    save(store, photo, "bob", mask=rows(0))
    better = save(store, photo, "ada", mask=rows(0, 1), parent=first.id)
    bobs = save(store, photo, "bob", parent=better.id)
    save(store, photo, "ada", mask=rows(1), parent=bobs.id)  # through bob's from her own
    again = save(store, photo, "ada", mask=rows(0, 1, 2))
    pairs = [(a.who, a.id, b.id) for a, b in repeated(history(store, photo))]
    latest = history(store, photo).corrections[4]
    assert ("ada", latest.id, again.id) in pairs
    assert [p for p in pairs if p[0] == "ada"] == [("ada", latest.id, again.id)]
    # bob's second one started from ada's, not from his own.
    assert [p[0] for p in pairs if p[0] == "bob"] == ["bob"]


# Over all


def test_over_all_by_hand(store):
    one, two, alone = (photo_of(store, k) for k in range(3))
    save(store, one, "ada", mask=rows(0, 1))
    save(store, one, "bob", mask=rows(0, 1))
    save(store, two, "ada", mask=rows(0, 1, 2, 3))
    save(store, two, "bob", mask=rows(), verdict="none")
    save(store, two, "cleo", verdict="none")
    save(store, alone, "ada", mask=rows(0, 1, 2, 3))
    save(store, alone, "ada", mask=rows(0, 1))
    told = []
    found = agree_over_all(store, progress=lambda *at: told.append(at))
    assert told[-1] == (3, 3)
    assert found["photos"] == 2
    [ab, ac, bc] = found["pairs"]
    assert ab["experts"] == ["ada", "bob"]
    assert (ab["photos"], ab["mean_iou"], ab["pooled_iou"]) == (2, 0.5, pytest.approx(2 / 6))
    # In rows, 32 in all: both 2, ada alone 4. Agreed 28; chance (6*2 + 26*30) / 1024.
    chance = (6 * 2 + 26 * 30) / 1024
    assert ab["cohen"] == pytest.approx((28 / 32 - chance) / (1 - chance))
    # Verdicts: corrosion twice against corrosion and none.
    assert (ab["verdicts"], ab["verdict_cohen"]) == (2, pytest.approx(0))
    assert (ac["photos"], ac["mean_iou"], ac["cohen"], ac["verdicts"]) == (0, None, None, 1)
    assert bc["verdict_cohen"] is None  # one photo, one verdict: chance is full agreement
    # Pixels of both photos by two raters, in rows: 2 yes-yes, 4 split, 26 no-no; yes 8 of 64.
    shares = (8 / 64) ** 2 + (56 / 64) ** 2
    assert found["fleiss"] == pytest.approx((28 / 32 - shares) / (1 - shares))
    # Verdicts: all two agree; one of three pairs agrees. Corrosion 3 of 5, none 2 of 5.
    shares = 9 / 25 + 4 / 25
    assert found["verdict_fleiss"] == pytest.approx(((1 + 1 / 3) / 2 - shares) / (1 - shares))
    assert found["selves"] == {
        "ada": {
            "repeats": 1, "same_verdict": 1.0, "masks": 1, "mean_iou": 0.5, "pooled_iou": 0.5,
            "cohen": pytest.approx((14 / 16 - 176 / 256) / (80 / 256)),
        }
    }  # fmt: skip


def test_over_nothing(store):
    save(store, photo_of(store))
    assert agree_over_all(store) == {
        "photos": 0, "pairs": [], "fleiss": None, "verdict_fleiss": None, "selves": {},
    }  # fmt: skip


# A consensus of the store


def test_a_consensus_is_kept_beside_what_it_was_made_of(store):
    photo = photo_of(store)
    with pytest.raises(ConfigError, match="0 experts"):
        make_consensus(store, photo, who="eve")
    made = [
        save(store, photo, "ada", mask=rows(0, 1)),
        save(store, photo, "bob", mask=rows(1, 2)),
        save(store, photo, "cleo", mask=rows(1), ignore=rows(2)),
    ]
    found = make_consensus(store, photo, who="eve")
    assert (found.kind, found.method, found.verdict, found.who) == (
        "consensus", "majority", "corrosion", "eve",
    )  # fmt: skip
    assert set(found.sources) == {c.id for c in made}
    np.testing.assert_array_equal(found.mask.decode(), rows(1))
    np.testing.assert_array_equal(found.ignore.decode(), rows(2))  # one against one
    assert make_consensus(store, photo, who="eve").id == found.id
    other = make_consensus(store, photo, who="eve", method="staple")
    assert (other.method, other.id != found.id) == ("staple", True)
    assert len(history(store, photo).corrections) == 5
    # A new opinion makes another consensus; the old one stays.
    save(store, photo, "dora", mask=rows(0, 1))
    newer = make_consensus(store, photo, who="eve")
    np.testing.assert_array_equal(newer.mask.decode(), rows(1))
    np.testing.assert_array_equal(newer.ignore.decode(), rows(0))  # two against two
    assert store.correction(found.id).mask.counts == found.mask.counts
    with pytest.raises(ConfigError, match="method is 'mean'"):
        make_consensus(store, photo, who="eve", method="mean")


def test_verdicts_of_a_consensus(store):
    def of(*said: tuple[str, np.ndarray | None], seed: int):
        photo = photo_of(store, seed)
        for k, (verdict, mask) in enumerate(said):
            save(store, photo, f"expert {k}", verdict=verdict, mask=mask)
        return make_consensus(store, photo, who="eve")

    none = of(("none", None), ("none", rows()), ("corrosion", rows(1)), seed=1)
    assert (none.verdict, none.area, none.ignored) == ("none", 0, None)
    split = of(("none", None), ("corrosion", rows(1)), seed=2)
    assert (split.verdict, split.area, split.ignored) == ("can't tell", 0, 16)
    words = of(("corrosion", None), ("corrosion", rows(1)), seed=3)
    assert (words.verdict, words.mask) == ("corrosion", None)
    # Most see none at all, yet two of the three who drew agree on a row.
    odd = of(("none", rows()), ("none", None), ("none", None), ("corrosion", rows(1)),
             ("corrosion", rows(1)), seed=4)  # fmt: skip
    assert (odd.verdict, odd.area) == ("none", 0)


def test_a_photo_is_measured_again_only_when_something_was_said_of_it(tmp_path: Path) -> None:
    store, known = new_store(tmp_path), {}
    turns: list[int] = []

    @contextmanager
    def turn() -> Iterator[None]:
        turns.append(1)
        yield

    def measure() -> int:
        found = agree_over_all(store, known=known, turn=turn)
        assert found == agree_over_all(store)
        return len(turns)

    for seed in range(2):
        photo = store.add_photo(photo_bytes(seed))
        save(store, photo, "ada", mask=box(0, 0, 5, 9))
        save(store, photo, "cleo", mask=box(0, 0, 7, 9))
        last = save(store, photo, "ben", mask=box(0, 0, 9, 9))
    assert measure() == 2
    assert measure() == 2
    store.review(last.id, "reject", nonce=nonce(), who="rita")  # his word counts no longer
    assert measure() == 3
    pairs = agree_over_all(store, known=known)["pairs"]
    assert {tuple(pair["experts"]): pair["photos"] for pair in pairs} == {
        ("ada", "ben"): 1, ("ada", "cleo"): 2, ("ben", "cleo"): 1,
    }  # fmt: skip
