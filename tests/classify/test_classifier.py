"""The classifier: sizes, errors, verdicts at several scales, calibrated probability."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from hand_made import PAINT, REDNESS, RUST, close, margin, pictures, random_network, red_model
from scipy.special import expit

from rustseg_jax.classify import Classifier, rescale
from rustseg_jax.config import CLASSES, CLEAN, CORROSION, NetworkConfig
from rustseg_jax.errors import ConfigError


@pytest.fixture(scope="module")
def tiny() -> Classifier:
    made = random_network()
    made.eval()
    return Classifier.of(made)


# Sizes


@pytest.mark.parametrize("size", [(448, 448), (16, 48)])
def test_a_map_is_a_sixteenth_of_the_picture(tiny: Classifier, size: tuple[int, int]) -> None:
    out = tiny(pictures(1, *size))
    assert out.logits.shape == (1, 2)
    assert out.activations.shape == (1, size[0] // 16, size[1] // 16, 32)
    assert [b.shape for b in out.blocks] == [
        (1, size[0] // 2**k, size[1] // 2**k, 2 * 2**k) for k in range(5)
    ]
    assert all(a.dtype == jnp.float32 for a in (out.logits, out.activations, *out.blocks))
    np.testing.assert_array_equal(out.blocks[-1], out.activations)
    assert all(float(b.min()) >= 0 for b in out.blocks)


def test_the_heat_map_of_a_photo_is_28_by_28(tiny: Classifier) -> None:
    assert NetworkConfig().input_size // 16 == 28
    assert NetworkConfig(width=3).widths == (3, 6, 12, 24, 48)
    assert CLASSES[CLEAN] == "clean"
    assert CLASSES[CORROSION] == "corrosion"


def test_a_batch_equals_a_loop(tiny: Classifier) -> None:
    x = pictures(3, 16, 48)
    together = tiny(x)
    for k in range(3):
        alone = tiny(x[k : k + 1])
        close(together.logits[k], alone.logits[0], 1e-5)
        close(together.activations[k], alone.activations[0], 1e-5)


# Refusals


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((32, 32, 3), np.float32), r"\(32, 32, 3\)"),
        (np.zeros((1, 32, 32, 1), np.float32), r"\(1, 32, 32, 1\)"),
        (np.zeros((1, 32, 32, 4), np.float32), r"\(1, 32, 32, 4\)"),
        (np.zeros((1, 3, 32, 32), np.float32), r"\(1, 3, 32, 32\)"),
        (np.zeros((1, 32, 32, 3), np.uint8), "uint8"),
        (np.zeros((1, 32, 32, 3), np.float64), "float64"),
        (np.zeros((1, 32, 40, 3), np.float32), "32 x 40"),
        (np.zeros((1, 31, 32, 3), np.float32), "31 x 32"),
        (np.zeros((1, 0, 32, 3), np.float32), "0 x 32"),
    ],
)
def test_wrong_input_is_refused_by_name(tiny: Classifier, x: np.ndarray, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        tiny(x)
    with pytest.raises(ConfigError, match=words):
        random_network()(x)  # type: ignore[arg-type]


@pytest.mark.parametrize("pooling", ["mean", "lse", "context"])
def test_the_head_of_the_activations_is_the_verdict(pooling: str) -> None:
    made = random_network(pooling=pooling)
    made.eval()
    classifier = Classifier.of(made)
    out = classifier(pictures(1, 16, 48))
    np.testing.assert_allclose(classifier.head(out.activations), out.logits, atol=1e-5)
    np.testing.assert_allclose(made.head(out.activations), out.logits, atol=1e-5)


# The whole network, by hand


def test_the_hand_made_network_sees_red() -> None:
    photo = np.full((1, 64, 64, 3), PAINT, np.uint8)
    photo[:, 16:32, 48:] = RUST
    out = red_model(gain=8, odds=1)(photo.astype(np.float32) / np.float32(255))
    wanted = np.zeros((4, 4))
    wanted[1, 3] = REDNESS
    np.testing.assert_allclose(out.activations[0, ..., 0], wanted, atol=1e-5)
    assert float(jnp.abs(out.activations[..., 1:]).max()) == 0
    np.testing.assert_allclose(margin(out.logits), [8 * REDNESS / 16 - 1], atol=1e-5)


# Several sizes


def corner_of_rust() -> np.ndarray:
    """Paint, 64 by 64, whose first cell is rust: one of 16 at full size, one of 4 at half."""
    photo = np.empty((1, 64, 64, 3), np.float32)
    photo[...] = np.array(PAINT) / 255
    photo[:, :16, :16] = np.array(RUST) / 255
    return photo


def at_scales(model: Classifier, *scales: float) -> Classifier:
    return replace(model, config=replace(model.config, verdict_scales=scales))


def test_the_verdict_is_the_mean_over_the_sizes() -> None:
    model, x = red_model(input_size=64), corner_of_rust()
    wanted = {1.0: 8 * REDNESS / 16 - 1, 0.5: 8 * REDNESS / 4 - 1}
    for scale, value in wanted.items():
        found = at_scales(model, scale).verdict(x)
        np.testing.assert_allclose(margin(found), [value], atol=1e-5)
    both = at_scales(model, 0.5, 1.0)
    value = (wanted[0.5] + wanted[1.0]) / 2
    np.testing.assert_allclose(margin(both.verdict(x)), [value], atol=1e-5)
    np.testing.assert_allclose(margin(both.verdict(x, both(x))), [value], atol=1e-5)


def test_at_its_own_size_alone_the_verdict_is_the_output(tiny: Classifier) -> None:
    x = pictures(2, 32, 32)
    np.testing.assert_array_equal(tiny.verdict(x), tiny(x).logits)
    # A known output is taken as it is, not computed again.
    assert tiny.verdict(x, tiny(x)._replace(logits=jnp.ones((2, 2)))).tolist() == [[1, 1], [1, 1]]


def test_a_batch_of_verdicts_equals_a_loop(tiny: Classifier) -> None:
    model, x = at_scales(tiny, 0.5, 0.7, 1.0), pictures(3, 64, 48)
    alone = jnp.concatenate([model.verdict(one[None]) for one in x])
    close(model.verdict(x), alone, 1e-5)


def test_wrong_input_gets_no_verdict(tiny: Classifier) -> None:
    with pytest.raises(ConfigError, match="32 x 40"):
        at_scales(tiny, 0.5).verdict(np.zeros((1, 32, 40, 3), np.float32))


@pytest.mark.parametrize(
    ("scale", "wanted"), [(0.5, (32, 48)), (0.7, (48, 64)), (1.0, (64, 96)), (0.01, (16, 16))]
)
def test_sizes_are_rounded_to_whole_strides(scale: float, wanted: tuple[int, int]) -> None:
    x = pictures(1, 64, 96)
    found = rescale(x, scale)
    assert found.shape == (1, *wanted, 3)
    assert (found is x) == (scale == 1)


def test_resizing_keeps_a_constant_picture() -> None:
    x = np.full((1, 64, 64, 3), 0.3, np.float32)
    np.testing.assert_allclose(rescale(x, 0.5), 0.3, atol=1e-6)


# Probability


def test_the_probability_is_a_tempered_softmax() -> None:
    classifier = Classifier({}, NetworkConfig(), temperature=2.0)
    logits = np.array([[0, 0], [1, 3], [3, 1]], np.float32)
    found = classifier.probability(logits)
    np.testing.assert_allclose(found, expit([0.0, 1.0, -1.0]), rtol=1e-12)
    assert found.dtype == np.float64


def test_the_probability_of_extreme_logits_is_0_or_1() -> None:
    classifier = Classifier({}, NetworkConfig(), temperature=0.05)
    found = classifier.probability(np.array([[100, -100], [-100, 100]], np.float32))
    np.testing.assert_allclose(found, [0, 1])


def test_describe_identifies_the_weights() -> None:
    about = red_model(input_size=64).describe()
    assert about["digest"] == ""
    assert about["temperature"] == 1.0
    config = NetworkConfig.from_dict(about["network"])
    assert (config.width, config.input_size, config.pooling) == (1, 64, "mean")
