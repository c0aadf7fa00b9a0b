"""The network: sizes, errors, the head by hand, folded batch norm, training."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hand_made import close, margin, pictures, random_network

from rustseg_jax.classify import Classifier
from rustseg_jax.classify.kernels.convolution import conv3x3
from rustseg_jax.classify.network import Network, fold, head_logits, local_evidence, to_input
from rustseg_jax.config import NetworkConfig
from rustseg_jax.errors import ConfigError


@nnx.jit
def run(made: Network, x: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """Logits and blocks; compiled whole, which is far quicker than step by step."""
    out = made(x)
    return out.logits, out.blocks


@nnx.jit
def learn(made: Network, x: jax.Array) -> jax.Array:
    """Logits in training; moves the running statistics."""
    return made.learn(x)[0]


# Refusals


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
        ({"verdict_scales": ()}, r"verdict_scales is \(\); .* between 0.25 and 2"),
        ({"verdict_scales": (1.0, 0.1)}, r"verdict_scales is \(1.0, 0.1\)"),
        ({"verdict_scales": (float("nan"),)}, "verdict_scales is"),
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
    made = random_network(pooling=pooling)
    made.eval()
    classifier = Classifier.of(made)
    out = classifier(pictures(1, 16, 48))
    scores = np.asarray(classifier.scores(out.activations))
    assert scores.shape == (1, 1, 3, 2)
    alone = {n: v for n, v in classifier.params["head"].items() if n in ("kernel", "bias")}
    wanted = local_evidence(alone, out.activations)
    np.testing.assert_allclose(scores[..., 1] - scores[..., 0], wanted, atol=1e-5)


def test_a_fresh_network_is_at_even_odds() -> None:
    made = nnx.jit(lambda: Network(NetworkConfig(width=1), rngs=nnx.Rngs(3)))()
    np.testing.assert_array_equal(learn(made, jnp.asarray(pictures(4, 16, 16))), np.zeros((4, 2)))


def test_input_is_centred() -> None:
    np.testing.assert_array_equal(to_input(jnp.asarray([0.0, 0.5, 1.0])), [-2, 0, 2])


# Folding


@pytest.mark.parametrize(("width", "size"), [(2, (32, 48)), (8, (32, 32))])
def test_folded_batch_norm_gives_the_same_logits(width: int, size: tuple[int, int]) -> None:
    made = random_network(width)
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
    made = random_network(1)
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
    made, larger = random_network(2), random_network(2)
    kernel = larger.blocks[0][0].kernel
    kernel.set_value(kernel[...] * 1000)
    x = jnp.asarray(pictures(4, 16, 16))
    close(learn(larger, x), learn(made, x), 1e-3)
    a, b = (np.asarray(n.blocks[0][0].norm.mean[...]) for n in (made, larger))
    np.testing.assert_allclose(b, 1000 * a, rtol=1e-3)
    wanted = np.asarray(conv3x3(to_input(x), made.blocks[0][0].kernel[...])).mean((0, 1, 2))
    np.testing.assert_allclose(a, 0.1 * wanted, rtol=1e-4, atol=1e-5)
