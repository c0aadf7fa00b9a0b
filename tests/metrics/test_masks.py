"""Metrics: hand-worked numbers; brute force, SciPy and scikit-image as oracles."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from skimage.color import rgb2hsv

from rustseg_jax.errors import ConfigError
from rustseg_jax.metrics import (
    Confusion,
    auc,
    classification_report,
    confusion,
    ece,
    f1,
    hsv_rule,
    iou,
    mean_iou,
    pooled,
    precision,
    recall,
)

# --- masks -------------------------------------------------------------------

PRED = np.array([[1, 1, 0], [1, 0, 0]], bool)
TRUE = np.array([[1, 0, 0], [1, 1, 0]], bool)


def test_confusion_by_hand():
    assert confusion(PRED, TRUE) == Confusion(tp=2, fp=1, fn=1, tn=2)


def test_ignored_places_are_not_counted():
    ignore = np.array([[1, 1, 1], [0, 0, 0]], bool)  # drops a tp, the fp and a tn
    assert confusion(PRED, TRUE, ignore) == Confusion(tp=1, fp=0, fn=1, tn=1)
    everything = np.ones((2, 3), bool)
    assert confusion(PRED, TRUE, everything) == Confusion(0, 0, 0, 0)


def test_scores_by_hand():
    counts = Confusion(tp=2, fp=1, fn=3, tn=4)
    assert iou(counts) == pytest.approx(2 / 6)
    assert f1(counts) == pytest.approx(4 / 8)
    assert precision(counts) == pytest.approx(2 / 3)
    assert recall(counts) == pytest.approx(2 / 5)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Confusion(0, 0, 0, 9), (1, 1, 1, 1)),  # both empty: they agree
        (Confusion(0, 3, 0, 6), (0, 0, 0, 0)),  # marked where nothing is
        (Confusion(0, 0, 3, 6), (0, 0, 0, 0)),  # missed all
        (Confusion(3, 0, 0, 0), (1, 1, 1, 1)),
    ],
)
def test_empty_masks(counts, expected):
    assert tuple(score(counts) for score in (iou, f1, precision, recall)) == expected


def test_pooled_and_mean_differ():
    small, large = Confusion(1, 0, 0, 0), Confusion(2, 4, 4, 0)
    assert pooled([small, large]) == Confusion(3, 4, 4, 0)
    assert iou(pooled([small, large])) == pytest.approx(3 / 11)
    assert mean_iou([small, large]) == pytest.approx((1 + 1 / 5) / 2)


def test_nothing_to_pool():
    assert pooled([]) == Confusion(0, 0, 0, 0)
    assert math.isnan(mean_iou(iter([])))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31))
def test_scores_against_sets(seed):
    rng = np.random.default_rng(seed)
    pred, true, ignore = rng.random((3, 4, 5)) < 0.4
    seen = {i for i in np.ndindex(4, 5) if not ignore[i]}
    marked, real = ({i for i in seen if mask[i]} for mask in (pred, true))
    counts = confusion(pred, true, ignore)
    assert counts.tp + counts.fp + counts.fn + counts.tn == len(seen)
    if marked | real:
        assert iou(counts) == pytest.approx(len(marked & real) / len(marked | real))
        assert f1(counts) == pytest.approx(2 * len(marked & real) / (len(marked) + len(real)))


# --- probabilities -------------------------------------------------------------


def test_auc_by_hand_with_ties():
    # Positives 0.8, 0.4, 0.4; negatives 0.6, 0.4. Pairs won: 0.8 beats both = 2;
    # each 0.4 loses to 0.6 and ties with 0.4 = 1/2. (2 + 1/2 + 1/2) / 6.
    assert auc([0.8, 0.4, 0.4, 0.6, 0.4], [1, 1, 1, 0, 0]) == pytest.approx(0.5)
    # One more: positives 0.9, 0.5; negatives 0.5, 0.1: 1 + 1 + 1/2 + 1 of 4.
    assert auc([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0]) == pytest.approx(3.5 / 4)


def test_auc_extremes():
    assert auc([1, 2, 3, 4], [0, 0, 1, 1]) == 1
    assert auc([1, 2, 3, 4], [1, 1, 0, 0]) == 0
    assert auc([7, 7, 7, 7], [1, 0, 1, 0]) == 0.5
    assert math.isnan(auc([1, 2], [1, 1]))
    assert math.isnan(auc([], []))


def test_auc_is_the_mann_whitney_statistic_of_scipy():
    rng = np.random.default_rng(0)
    for levels in (3, 50, 10**9):  # from nearly all tied to none
        scores, labels = rng.integers(0, levels, 2000), rng.integers(0, 2, 2000)
        ups, downs = scores[labels == 1], scores[labels == 0]
        won = mannwhitneyu(ups, downs, method="asymptotic").statistic
        assert auc(scores, labels) == pytest.approx(won / (ups.size * downs.size), abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_auc_against_all_pairs(rows):
    scores, labels = zip(*rows, strict=True)
    ups = [s for s, label in rows if label]
    downs = [s for s, label in rows if not label]
    if not ups or not downs:
        assert math.isnan(auc(scores, labels))
        return
    won = sum((u > d) + (u == d) / 2 for u in ups for d in downs)
    assert auc(scores, labels) == pytest.approx(won / (len(ups) * len(downs)))


def test_ece_by_hand():
    # Two bins. Below 1/2: 0.1 and 0.3, one of two is 1: |0.2 - 0.5| * 2/4.
    # Above: 0.6 and 0.8, both 1: |0.7 - 1| * 2/4.
    assert ece([0.1, 0.3, 0.6, 0.8], [0, 1, 1, 1], bins=2) == pytest.approx(0.3)
    # One bin: |0.45 - 0.75|.
    assert ece([0.1, 0.3, 0.6, 0.8], [0, 1, 1, 1], bins=1) == pytest.approx(0.3)
    # Errors in different bins do not cancel: 0.25 too low, 0.75 too high.
    assert ece([0.25, 0.75], [1, 0], bins=2) == pytest.approx(0.75)
    assert ece([0.25, 0.75], [1, 0], bins=1) == pytest.approx(0)


def test_ece_at_the_edges_of_bins():
    # With two bins 0.5 belongs to the upper: 0.5 and 0.9 together, |0.7 - 0.5|.
    assert ece([0.5, 0.9], [0, 1], bins=2) == pytest.approx(0.2)
    assert ece([0.0, 1.0], [0, 1]) == 0
    assert ece([0.0, 1.0], [1, 0]) == 1
    assert math.isnan(ece([], []))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_ece_against_a_loop(rows):
    total = 0.0
    for k in range(15):
        last = k == 14
        inside = [(p, y) for p, y in rows if k / 15 <= p < (k + 1) / 15 or (last and p == 1)]
        total += abs(sum(p for p, _ in inside) - sum(y for _, y in inside)) / len(rows)
    assert ece(*zip(*rows, strict=True)) == pytest.approx(total)


def test_report_by_hand():
    # At 0.5: predictions 1, 1, 0, 0, 0 for labels 1, 0, 1, 0, 0.
    report = classification_report([0.9, 0.5, 0.4, 0.2, 0.1], [1, 0, 1, 0, 0], 0.5)
    assert report.pop("ece") == pytest.approx((0.1 + 0.5 + 0.6 + 0.2 + 0.1) / 5)
    assert report == pytest.approx(
        {
            "n": 5,
            "accuracy": 3 / 5,
            "balanced_accuracy": (1 / 2 + 2 / 3) / 2,
            "precision": 1 / 2,
            "recall": 1 / 2,
            "f1": 1 / 2,
            "auc": 5 / 6,
        }
    )


def test_report_of_one_class_is_valid_json():
    report = classification_report([0.9, 0.2], [1, 1], 0.5)
    assert report["auc"] is None
    assert report["balanced_accuracy"] == report["recall"] == 0.5
    json.dumps(report, allow_nan=False)
    empty = classification_report([], [], 0.5)
    assert empty.pop("n") == 0
    assert set(empty.values()) == {None}


# --- colour rule ---------------------------------------------------------------


def rule_by_skimage(image):
    """The rule as written, and where float rounding cannot have decided it."""
    hue, saturation, value = np.moveaxis(rgb2hsv(image), -1, 0)
    red = (hue < 0.11) | (hue > 0.96)
    mask = red & (saturation > 0.35) & (value > 0.12) & (value < 0.85)
    limits = ((hue, 0.11), (hue, 0.96), (saturation, 0.35))
    sure = np.all([np.abs(channel - limit) > 1e-12 for channel, limit in limits], axis=0)
    return mask, sure


def check_rule(image):
    ours, (theirs, sure) = hsv_rule(image), rule_by_skimage(image)
    assert sure.mean() > 0.99
    assert 0.01 < ours.mean() < 0.5
    np.testing.assert_array_equal(ours[sure], theirs[sure])
    assert not ours[~sure].any()


def test_hsv_rule_by_hand():
    rust, bright_red, grey = (150, 80, 40), (250, 60, 30), (120, 120, 120)
    leaf, dark, black = (60, 120, 40), (25, 10, 5), (0, 0, 0)
    image = np.array([[rust, bright_red, grey], [leaf, dark, black]], np.uint8)
    np.testing.assert_array_equal(hsv_rule(image), [[1, 0, 0], [0, 0, 0]])


def test_hsv_rule_equals_skimage_on_a_grid_of_all_colours():
    steps = np.unique(np.r_[0:256:3, 29:33, 214:219, 255]).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    check_rule(grid.reshape(len(steps), -1, 3))


@pytest.mark.parametrize("red", [100, 150, 200, 216])
def test_hsv_rule_equals_skimage_for_every_green_and_blue(red):
    green, blue = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    check_rule(np.stack([np.full_like(green, red), green, blue], axis=-1).astype(np.uint8))


def test_hsv_rule_strip_by_strip(monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (23, 17, 3), np.uint8)
    whole = hsv_rule(image)
    for pixels in (1, 17, 50):
        monkeypatch.setattr("rustseg_jax.metrics.masks._STRIP_PIXELS", pixels)
        np.testing.assert_array_equal(hsv_rule(image), whole)
    assert whole.any()


# --- what a caller can get wrong --------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: confusion(PRED.astype(int), TRUE), "pred is int64; must be bool"),
        (lambda: confusion(PRED, TRUE[:1]), r"pred has the shape \(2, 3\), true \(1, 3\)"),
        (lambda: confusion(PRED, TRUE, TRUE[0]), "must be equal"),
        (lambda: auc([0.1, 0.2], [1]), "scores has 2 values, labels 1"),
        (lambda: auc([0.1, math.nan], [1, 0]), "finite"),
        (lambda: auc([0.1, 0.2], [1, 2]), r"0 .clean. and 1 .corrosion. only"),
        (lambda: ece([0.1, 1.2], [1, 0]), r"outside \[0, 1\]"),
        (lambda: ece([0.1, 0.2], [1, 0], bins=0), "bins is 0"),
        (lambda: classification_report([0.1], [1, 0], 0.5), "probabilities has 1 values"),
        (lambda: hsv_rule(np.zeros((4, 4, 3))), "image is float64"),
        (lambda: hsv_rule(np.zeros((4, 4), np.uint8)), r"shape \(4, 4\)"),
    ],
)
def test_misuse_is_explained(call, message):
    with pytest.raises(ConfigError, match=message):
        call()
