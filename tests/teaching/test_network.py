"""What the network sees, which channels matter, how it scores: by hand and against autodiff."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hand_made import REDNESS, margin, patch, picture, random_network, red_model

from rustseg_jax import Classifier, Config, ConfigError, TileConfig, segment
from rustseg_jax.classify.kernels.convolution import max_pool
from rustseg_jax.teaching.network import look_inside, receptive_field

POOLINGS = ["mean", "lse", "context"]


def test_receptive_fields_by_hand() -> None:
    # 3x3 twice: 5. Then 2x2 pooling, and steps of 2 pixels: 5 + 1 + 2 * 2 * 2 = 14; and so on.
    assert [receptive_field(k) for k in range(1, 6)] == [5, 14, 32, 68, 140]


def test_a_channel_weighs_what_it_adds_to_the_margin() -> None:
    model = red_model()  # margin = 8 * mean activation - 1, through one channel of each block
    seg = segment(patch((64, 64), slice(0, 32), slice(0, 64)), model)
    inside = look_inside(seg, model)
    share = 8 * REDNESS / 2  # half of the positions are red
    assert [block.shape for block in inside.blocks] == [(64 // 2**k,) * 2 for k in range(5)]
    assert [block.channels for block in inside.blocks] == [1, 2, 4, 8, 16]
    assert [block.silent for block in inside.blocks] == [0, 1, 3, 7, 15]
    for block in inside.blocks:
        first = block.shown[0]
        assert first.index == 0
        assert first.weight == pytest.approx(share, rel=1e-4)
        assert first.share == pytest.approx(1)
        assert first.scale == pytest.approx(REDNESS, rel=1e-4)
        np.testing.assert_allclose(first.picture[: block.shape[0] // 2], 1, atol=1e-6)
        assert first.picture[block.shape[0] // 2 + 1 :].max(initial=0) < 1e-6
    assert inside.scores.margin == pytest.approx(share - 1, rel=1e-4)
    assert len(inside.blocks[0].shown) == 1
    assert len(inside.blocks[4].shown) == 4


def test_the_weight_under_log_mean_exp_by_hand() -> None:
    model = red_model(pooling="lse")  # sharpness 1
    seg = segment(patch((64, 64), slice(0, 16), slice(0, 64)), model)  # 4 of 16 positions
    z = np.array([8 * REDNESS - 1] * 4 + [-1.0] * 12)
    soft = np.exp(z) / np.exp(z).sum()
    found = look_inside(seg, model)
    assert found.blocks[4].shown[0].weight == pytest.approx(soft[:4].sum() * 8 * REDNESS, rel=1e-4)
    assert found.scores.margin == pytest.approx(np.log(np.exp(z).mean()), rel=1e-4)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_weights_agree_with_the_network_in_training(pooling: str) -> None:
    network = random_network(input_size=64, pooling=pooling, seed=3)
    model = Classifier.of(network)
    seg = segment(picture(rusty=True), model)
    inside = look_inside(seg, model)
    for k, block in enumerate(inside.blocks):

        def scaled(scale: jax.Array, k: int = k) -> jax.Array:
            h = inside.output.blocks[k] * scale.reshape(1, 1, 1, -1)
            for later in network.blocks[k + 1 :]:
                h = max_pool(h)
                for conv in later:
                    h = conv(h)
            logits = network.head(h)
            return (logits[:, 1] - logits[:, 0]).sum()

        wanted = np.asarray(jax.grad(scaled)(jnp.ones(block.channels, jnp.float32)))
        largest = np.abs(wanted).max()
        assert largest > 0
        np.testing.assert_allclose(block.weights, wanted, atol=1e-3 * largest)


def test_shown_are_the_largest_weights_with_their_sign() -> None:
    model = Classifier.of(random_network(input_size=64, pooling="context", seed=5))
    inside = look_inside(segment(picture(rusty=True), model), model, channels=3)
    signs = set()
    for block in inside.blocks:
        ranked = sorted(range(block.channels), key=lambda c, w=block.weights: -abs(float(w[c])))
        assert [c.index for c in block.shown] == ranked[:3]
        assert all(c.weight == block.weights[c.index] for c in block.shown)
        whole = float(np.abs(block.weights).sum())
        for c in block.shown:
            activation = np.asarray(inside.output.blocks[block.number - 1][0, ..., c.index])
            np.testing.assert_allclose(c.picture * c.scale, activation, rtol=1e-5, atol=1e-6)
            assert c.share == pytest.approx(abs(c.weight) / whole, rel=1e-4)
            signs.add(c.weight > 0)
    assert signs == {True, False}


def test_a_silent_channel_is_black_and_weighs_nothing() -> None:
    model = red_model()
    inside = look_inside(segment(picture(rusty=False), model), model)
    for channel in inside.blocks[4].shown:
        assert (channel.weight, channel.share, channel.scale) == (0, 0, 0)
        assert not channel.picture.any()


def test_scores_by_hand() -> None:
    model = replace(red_model(), temperature=2.0)
    seg = segment(picture(rusty=True, size=(64, 64)), model, Config(decision_threshold=0.5))
    scores = look_inside(seg, model).scores
    wanted = 8 * REDNESS * 4 / 16 - 1  # rust from 16 to 48: 2 x 2 of 4 x 4 positions
    assert scores.logits == pytest.approx((-wanted / 2, wanted / 2), rel=1e-4)
    assert scores.margins == pytest.approx((wanted,), rel=1e-4)
    assert scores.sizes == (64,)
    assert scores.probability == pytest.approx(1 / (1 + np.exp(-wanted / 2)), rel=1e-4)
    assert scores.tipping == 0
    assert scores.windows is None
    assert (scores.final, scores.corroded) == (scores.margin, True)


def test_the_margin_at_each_size_and_their_mean() -> None:
    one = Classifier.of(random_network(input_size=64, seed=2))
    model = replace(one, config=replace(one.config, verdict_scales=(0.5, 1.0)))
    seg = segment(picture(rusty=True), model)
    inside = look_inside(seg, model)
    scores = inside.scores
    assert scores.sizes == (32, 64)
    assert scores.margins[0] != scores.margins[1]
    assert scores.margins[1] == pytest.approx(float(margin(one(inside.x).logits)[0]))
    assert scores.margin == pytest.approx(sum(scores.margins) / 2)
    assert 1 / (1 + np.exp(-scores.margin)) == pytest.approx(seg.probability, rel=1e-4)


def test_the_windows_of_a_large_photo_have_their_say() -> None:
    model = Classifier.of(random_network(input_size=64, seed=2))
    tiles = TileConfig(mode="tiles", window=64)
    seg = segment(patch((96, 128), slice(0, 24), slice(0, 64)), model, Config(tiles=tiles))
    scores = look_inside(seg, model).scores
    assert scores.windows is not None
    assert scores.windows != pytest.approx(scores.margin, rel=1e-3)
    assert scores.final == pytest.approx((scores.margin + scores.windows) / 2)
    assert 1 / (1 + np.exp(-scores.final)) == pytest.approx(seg.probability, rel=1e-4)


def test_what_is_seen_is_what_was_judged() -> None:
    model = red_model()
    photo = picture(rusty=True)
    seg = segment(photo, model)
    inside = look_inside(seg, model)
    assert inside.seen.shape == (64, 64, 3)
    assert inside.seen.dtype == np.uint8
    found = model.probability(model(inside.x).logits)[0]
    assert found == pytest.approx(seg.probability, rel=1e-6)


def test_refusals() -> None:
    model = red_model()
    seg = segment(picture(rusty=True), model)
    with pytest.raises(ConfigError, match="channels is 0"):
        look_inside(seg, model, channels=0)
    with pytest.raises(ConfigError, match="use the model that computed the result"):
        look_inside(seg, replace(model, temperature=3.0))
