"""The network: sizes, refusals, the head by hand, folded batch norm, calibration."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hand_made import PAINT, REDNESS, RUST, red_model
from scipy.special import expit

from rustseg_jax.classify import (
    CLASSES,
    CLEAN,
    CORROSION,
    Classifier,
    Network,
    NetworkConfig,
    fold,
    head_logits,
    local_evidence,
    to_input,
)
from rustseg_jax.convolution import conv3x3
from rustseg_jax.errors import ConfigError


def network(width: int = 2, seed: int = 0, **options: object) -> Network:
    """A network whose every weight is random, the head and the scales too."""
    config = NetworkConfig(width=width, **options)  # type: ignore[arg-type]
    made = nnx.eval_shape(lambda: Network(config, rngs=nnx.Rngs(0)))
    rng = np.random.default_rng(seed)

    def fill(variable: nnx.Variable | None, low: float, high: float) -> None:
        assert variable is not None
        variable.set_value(jnp.asarray(rng.uniform(low, high, variable.shape).astype(np.float32)))

    for block in made.blocks:
        for conv in block:
            bound = np.sqrt(6 / (9 * conv.kernel.shape[2]))  # variance 2 / fan-in, He et al. 2015
            fill(conv.kernel, -bound, bound)
            fill(conv.norm.scale, 0.5, 2)
            fill(conv.norm.bias, -0.5, 0.5)
            fill(conv.norm.mean, 0, 0)
            fill(conv.norm.var, 1, 1)
    fill(made.head_kernel, -1, 1)
    fill(made.head_bias, -1, 1)
    if made.config.pooling == "context":
        fill(made.head_context, -1, 1)
        fill(made.head_offset, -1, 1)
    return made


def pictures(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((*shape, 3), dtype=np.float32)


def close(found: jax.Array, wanted: jax.Array, tolerance: float) -> None:
    """Equal up to a share of the largest value, as float32 sums are."""
    largest = max(1.0, float(jnp.abs(wanted).max()))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * largest)


@nnx.jit
def run(made: Network, x: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """Logits and blocks; compiled whole, which is far quicker than step by step."""
    out = made(x)
    return out.logits, out.blocks


@nnx.jit
def learn(made: Network, x: jax.Array) -> jax.Array:
    """Logits in training; moves the running statistics."""
    return made.learn(x)[0]


@pytest.fixture(scope="module")
def tiny() -> Classifier:
    made = network()
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
        (np.zeros((1, 32, 40, 3), np.float32), "32 by 40"),
        (np.zeros((1, 31, 32, 3), np.float32), "31 by 32"),
        (np.zeros((1, 0, 32, 3), np.float32), "0 by 32"),
    ],
)
def test_wrong_input_is_refused_by_name(tiny: Classifier, x: np.ndarray, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        tiny(x)
    with pytest.raises(ConfigError, match=words):
        network()(x)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 0}, "width is 0"),
        ({"width": 129}, "width is 129"),
        ({"width": 2.5}, "width is 2.5"),
        ({"input_size": 100}, "input_size is 100"),
        ({"input_size": 0}, "input_size is 0"),
        ({"input_size": 448.0}, "input_size is 448.0"),
        ({"pooling": "max"}, "'max'.*mean, lse"),
        ({"sharpness": 0.0}, "sharpness is 0"),
        ({"sharpness": float("nan")}, "sharpness is nan"),
        ({"sharpness": float("inf")}, "sharpness is inf"),
    ],
)
def test_wrong_options_are_refused_by_name(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        NetworkConfig(**options)  # type: ignore[arg-type]


def test_unknown_options_in_a_file_are_refused() -> None:
    assert NetworkConfig.from_dict({"width": 4}) == NetworkConfig(width=4)
    with pytest.raises(ConfigError, match="depth"):
        NetworkConfig.from_dict({"width": 4, "depth": 3})


# The head, by hand


MEAN = NetworkConfig(width=1, pooling="mean")
LSE = NetworkConfig(width=1, pooling="lse", sharpness=2.0)


def head_of(kernel: list[list[float]], bias: list[float]) -> dict[str, jax.Array]:
    return {
        "kernel": jnp.asarray(kernel, jnp.float32),
        "bias": jnp.asarray(bias, jnp.float32),
    }


def margin(logits: jax.Array) -> np.ndarray:
    return np.asarray(logits[:, CORROSION] - logits[:, CLEAN])


def test_the_mean_head_by_hand() -> None:
    # Channel means 2.5 and 1; 2.5 * (1, 2) + 1 * (-1, 3) + (0.5, -0.5) = (2, 7.5).
    activations = jnp.asarray([[[[1.0, 0], [2, 0]], [[3, 0], [4, 4]]]])
    logits = head_logits(head_of([[1, 2], [-1, 3]], [0.5, -0.5]), activations, MEAN)
    np.testing.assert_allclose(logits, [[2.0, 7.5]], rtol=1e-6)


def test_the_lse_head_by_hand() -> None:
    # One hot position of four with z = 3, three with z = 0, r = 2:
    # log((exp(6) + 3) / 4) / 2 = 2.3106, shared evenly between the two logits.
    activations = jnp.zeros((1, 2, 2, 1)).at[0, 1, 0, 0].set(3.0)
    logits = head_logits(head_of([[0, 1]], [0, 0]), activations, LSE)
    pooled = np.log((np.exp(6.0) + 3) / 4) / 2
    np.testing.assert_allclose(logits, [[-pooled / 2, pooled / 2]], rtol=1e-6)
    # The mean would see 3 / 4 of evidence, the maximum 3.
    assert 0.75 < pooled < 3


def test_lse_of_a_constant_map_is_the_mean() -> None:
    head = head_of([[-0.3, 0.7], [0.2, -0.1]], [0.4, -0.2])
    activations = jnp.broadcast_to(jnp.asarray([1.5, 0.25]), (2, 3, 5, 2))
    found, wanted = (margin(head_logits(head, activations, c)) for c in (LSE, MEAN))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_lse_lies_between_the_mean_and_the_maximum() -> None:
    activations = jnp.asarray(np.random.default_rng(1).random((8, 4, 6, 3), dtype=np.float32))
    head = head_of([[-1, 2], [1, -1], [0.5, 0]], [0.1, 0])
    lse, mean = (margin(head_logits(head, activations, c)) for c in (LSE, MEAN))
    each = activations @ head["kernel"] + head["bias"][None, None, None]
    largest = np.asarray((each[..., 1] - each[..., 0]).max((1, 2)))
    assert (lse > mean).all()
    assert (lse < largest).all()


def test_lse_does_not_overflow() -> None:
    activations = jnp.full((1, 2, 2, 1), 1e4, jnp.float32)
    logits = head_logits(head_of([[0, 1]], [0, 0]), activations, LSE)
    np.testing.assert_allclose(margin(logits), [1e4], rtol=1e-6)


def test_the_context_head_by_hand() -> None:
    # As the lse head above, plus the mean activation 3 / 4 times 2, plus 0.5.
    activations = jnp.zeros((1, 2, 2, 1)).at[0, 1, 0, 0].set(3.0)
    head = head_of([[0, 1]], [0, 0])
    head |= {"context": jnp.asarray([2.0]), "offset": jnp.asarray([0.5])}
    config = NetworkConfig(pooling="context", sharpness=2.0)
    wanted = np.log((np.exp(6.0) + 3) / 4) / 2 + 1.5 + 0.5
    np.testing.assert_allclose(margin(head_logits(head, activations, config)), [wanted], rtol=1e-6)


def test_local_evidence_by_hand() -> None:
    head = head_of([[-1, 2], [1, 0]], [0.5, -0.5])
    activations = jnp.asarray([[[[1.0, 0], [0, 2]]]])
    # Logits (-0.5, 1.5) and (2.5, -0.5): corrosion minus clean is 2 and -3.
    np.testing.assert_allclose(local_evidence(head, activations), [[[2.0, -3.0]]], rtol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "lse", "context"])
def test_context_moves_the_verdict_but_not_the_scores(pooling: str) -> None:
    made = network(pooling=pooling)
    made.eval()
    classifier = Classifier.of(made)
    out = classifier(pictures(1, 16, 48))
    scores = np.asarray(classifier.scores(out.activations))
    assert scores.shape == (1, 1, 3, 2)
    alone = {n: v for n, v in classifier.params["head"].items() if n in ("kernel", "bias")}
    wanted = local_evidence(alone, out.activations)
    np.testing.assert_allclose(scores[..., 1] - scores[..., 0], wanted, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "lse", "context"])
def test_the_head_of_the_activations_is_the_verdict(pooling: str) -> None:
    made = network(pooling=pooling)
    made.eval()
    classifier = Classifier.of(made)
    out = classifier(pictures(1, 16, 48))
    np.testing.assert_allclose(classifier.head(out.activations), out.logits, atol=1e-5)
    np.testing.assert_allclose(made.head(out.activations), out.logits, atol=1e-5)


def test_a_fresh_network_is_at_even_odds() -> None:
    made = nnx.jit(lambda: Network(NetworkConfig(width=1), rngs=nnx.Rngs(3)))()
    np.testing.assert_array_equal(learn(made, jnp.asarray(pictures(4, 16, 16))), np.zeros((4, 2)))


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


def test_input_is_centred() -> None:
    np.testing.assert_array_equal(to_input(jnp.asarray([0.0, 0.5, 1.0])), [-2, 0, 2])


# Folding


@pytest.mark.parametrize(("width", "size"), [(2, (32, 48)), (8, (32, 32))])
def test_folded_batch_norm_gives_the_same_logits(width: int, size: tuple[int, int]) -> None:
    made = network(width)
    made.train()
    for k in range(12):  # moves the running statistics away from 0 and 1
        learn(made, jnp.asarray(pictures(4, *size, seed=k)))
    assert np.abs(np.asarray(made.blocks[2][1].norm.var[...]) - 1).max() > 0.05
    assert np.abs(np.asarray(made.blocks[2][1].norm.mean[...])).max() > 0.05
    made.eval()
    x = pictures(2, *size, seed=9)
    logits, blocks = run(made, jnp.asarray(x))
    found = Classifier.of(made)(x)
    assert np.abs(np.asarray(logits)).max() > 0.1
    np.testing.assert_allclose(found.logits, logits, rtol=0, atol=1e-4)
    for a, b in zip(found.blocks, blocks, strict=True):
        close(a, b, 1e-4)


def test_folding_by_hand() -> None:
    # gamma 3, var 4 - eps, mean 5, beta 7: s = 3 / 2, bias = 7 - 5 * 1.5 = -0.5.
    made = network(1)
    conv = made.blocks[0][0]
    for variable, value in (
        (conv.norm.scale, 3.0),
        (conv.norm.var, 4.0 - 1e-5),
        (conv.norm.mean, 5.0),
        (conv.norm.bias, 7.0),
    ):
        assert variable is not None
        variable.set_value(jnp.full((1,), value, jnp.float32))
    folded = fold(made)["convs"][0]
    np.testing.assert_allclose(folded["kernel"], conv.kernel[...] * 1.5, rtol=1e-6)
    np.testing.assert_allclose(folded["bias"], [-0.5], rtol=1e-5)


def test_training_normalises_by_the_batch() -> None:
    # A channel's scale and place do not matter to batch statistics: with the first kernel
    # a thousand times larger the logits are the same, and the running statistics move by a tenth.
    made, larger = network(2), network(2)
    kernel = larger.blocks[0][0].kernel
    kernel.set_value(kernel[...] * 1000)
    x = jnp.asarray(pictures(4, 16, 16))
    close(learn(larger, x), learn(made, x), 1e-3)
    a, b = (np.asarray(n.blocks[0][0].norm.mean[...]) for n in (made, larger))
    np.testing.assert_allclose(b, 1000 * a, rtol=1e-3)
    wanted = np.asarray(conv3x3(to_input(x), made.blocks[0][0].kernel[...])).mean((0, 1, 2))
    np.testing.assert_allclose(a, 0.1 * wanted, rtol=1e-4, atol=1e-5)


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
