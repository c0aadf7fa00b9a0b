"""Heat maps over several views: hand-worked numbers and invariants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from rustseg_jax.config import LocaliseConfig
from rustseg_jax.errors import ConfigError
from rustseg_jax.localise import localise
from rustseg_jax.localise.cam import grad_cam, grad_cam_pp, normalise, score_map

METHODS = [
    pytest.param(LocaliseConfig(method="score_map"), id="score_map"),
    pytest.param(LocaliseConfig(method="grad_cam"), id="grad_cam"),
    pytest.param(LocaliseConfig("grad_cam_pp", variant="eq19"), id="eq19"),
    pytest.param(LocaliseConfig("grad_cam_pp", variant="author"), id="author"),
]


def explain(config, model, activations, class_index=1):
    if config.method == "score_map":
        return score_map(model.scores, activations, class_index)
    if config.method == "grad_cam":
        return grad_cam(model.head, activations, class_index)
    return grad_cam_pp(model.head, activations, class_index, variant=config.variant)


def finish(config, maps):
    """What `localise` makes of the mean map: score maps are left as they are."""
    return (maps, maps.max(axis=(1, 2))) if config.method == "score_map" else normalise(maps)


# --- localise ------------------------------------------------------------------


class Tiny(nnx.Module):
    """Mean colours of 16x16 blocks, two ReLU features each, global pooling, dense."""

    def __init__(self):
        self.features = nnx.Param(jnp.asarray([[1.0, 0.2], [-1.0, 0.3], [0.1, -0.5]]))
        self.dense = nnx.Param(jnp.asarray([[-1.0, 2.0], [0.5, 0.4]]))

    def __call__(self, x):
        b, h, w, _ = x.shape
        blocks = x.reshape(b, h // 16, 16, w // 16, 16, 3).mean(axis=(2, 4))
        activations = jax.nn.relu(blocks @ self.features[...])
        return SimpleNamespace(activations=activations, logits=self.head(activations))

    def head(self, activations):
        return jnp.mean(activations, axis=(1, 2)) @ self.dense[...]

    def scores(self, activations):
        return activations @ self.dense[...]


@dataclass
class Spy:
    """A model that remembers the shapes it was called with."""

    model: Tiny
    shapes: list

    def __call__(self, x):
        self.shapes.append(x.shape[1:3])
        return self.model(x)

    def head(self, activations):
        return self.model.head(activations)

    def scores(self, activations):
        return self.model.scores(activations)


def picture(seed, shape=(2, 48, 80, 3)):
    return jnp.asarray(np.random.default_rng(seed).random(shape), jnp.float32)


@pytest.mark.parametrize("config", METHODS)
def test_localise_is_the_normalised_map(config):
    model, x = Tiny(), picture(0)
    heatmap, maximum = localise(model, x, config=config)
    expected, peak = finish(config, explain(config, model, model(x).activations))
    assert heatmap.shape == (2, 3, 5)
    assert heatmap.dtype == maximum.dtype == jnp.float32
    np.testing.assert_allclose(heatmap, expected, rtol=1e-6)
    np.testing.assert_allclose(maximum, peak, rtol=1e-6)
    highest = peak if config.method == "score_map" else 1
    np.testing.assert_allclose(heatmap.max(axis=(1, 2)), highest, rtol=1e-6)


def test_a_given_output_is_not_computed_again():
    spy = Spy(Tiny(), [])
    x = picture(1)

    def shapes(output, **views):
        spy.shapes.clear()
        config = LocaliseConfig(**views)
        jax.eval_shape(lambda x: localise(spy, x, output, config=config), x)
        return list(spy.shapes)

    output, scales = spy.model(x), (0.5, 1.0, 1.5)
    assert shapes(output) == []
    assert shapes(None) == [(48, 80)]
    assert shapes(output, mirror=True) == [(48, 80)]
    # 24, 40, 72 and 120 are rounded to the next multiples of 16, halves up
    assert shapes(output, scales=scales) == [(32, 48), (80, 128)]
    assert shapes(None, scales=scales) == [(32, 48), (48, 80), (80, 128)]
    # 49 and 81 pixels round to the size of the picture itself
    assert shapes(output, scales=(1.02,)) == []


def test_a_given_output_is_what_is_explained():
    model, x = Tiny(), picture(1)
    expected = localise(model, x)
    given = localise(model, jnp.zeros_like(x), model(x))
    np.testing.assert_array_equal(given[0], expected[0])
    np.testing.assert_array_equal(given[1], expected[1])


@pytest.mark.parametrize("scale", [0.01, 0.3, 0.77, 1.01, 1.31, 2.0, 4.0])
def test_views_stay_multiples_of_16(scale):
    spy = Spy(Tiny(), [])
    config = LocaliseConfig(scales=(scale,))
    heatmap, _ = jax.eval_shape(lambda x: localise(spy, x, config=config), picture(2))
    assert all(side >= 16 and side % 16 == 0 for side in spy.shapes[0])
    assert heatmap.shape == (2, 3, 5)


@pytest.mark.parametrize("config", METHODS)
def test_views_of_an_even_picture_agree(config):
    # Any size of an evenly coloured picture shows the same: the maximum must not move.
    x = jnp.broadcast_to(jnp.asarray([0.8, 0.3, 0.1], jnp.float32), (1, 64, 96, 3))
    views = replace(config, scales=(0.5, 1.5), mirror=True)
    one, many = (jax.jit(lambda x, c=c: localise(Tiny(), x, config=c))(x) for c in (config, views))
    assert one[1][0] > 0
    np.testing.assert_allclose(many[1], one[1], rtol=1e-5)
    np.testing.assert_allclose(many[0], one[0], rtol=1e-5)


def test_views_are_averaged_before_normalising():
    model, x = Tiny(), picture(3)
    small = jax.image.resize(x, (2, 32, 48, 3), "bilinear")
    maps = [
        grad_cam_pp(model.head, model(x).activations, 1),
        jax.image.resize(
            grad_cam_pp(model.head, model(small).activations, 1), (2, 3, 5), "bilinear"
        ),
    ]
    expected, peak = normalise((maps[0] + maps[1]) / 2)
    heatmap, maximum = localise(model, x, config=LocaliseConfig("grad_cam_pp", scales=(1.0, 0.5)))
    np.testing.assert_allclose(heatmap, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(maximum, peak, rtol=1e-5)


class Lopsided(Tiny):
    """A head that favours the right side, and not linearly: not equivariant by itself."""

    def head(self, activations):
        ramp = jnp.linspace(0.0, 1.0, activations.shape[2])[None, None, :, None]
        pooled = jnp.mean(activations * ramp, axis=(1, 2))
        score = jnp.sum(jnp.square(pooled), axis=1)
        return jnp.stack([-score, score], axis=1)


@pytest.mark.parametrize("config", METHODS[1:])  # a lopsided head leaves the score map alone
def test_mirrored_views_make_the_map_mirror_with_the_picture(config):
    side = jnp.asarray([[0.9, 0.1, 0.1], [0.9, 0.9, 0.1]], jnp.float32)  # red, yellow
    x = picture(4) * jnp.repeat(side, 40, axis=0)[None, None]

    def spread(mirror):
        views = replace(config, mirror=mirror)
        pair = jnp.concatenate([x, x[:, :, ::-1]])
        both = jax.jit(lambda pair: localise(Lopsided(), pair, config=views)[0])(pair)
        return np.abs(both[2:, :, ::-1] - both[:2]).max()

    assert spread(mirror=True) < 1e-5
    assert spread(mirror=False) > 1e-3


def test_localise_compiles():
    model, x = Tiny(), picture(5)
    views = LocaliseConfig("grad_cam_pp", scales=(0.5, 1.0), mirror=True)

    @nnx.jit
    def compiled(model, x):
        output = model(x)
        return localise(model, x, SimpleNamespace(activations=output.activations), config=views)

    for ours, expected in zip(compiled(model, x), localise(model, x, config=views), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)


def test_numpy_pictures_are_welcome():
    x = picture(5)
    views = LocaliseConfig("grad_cam_pp", scales=(1.0, 0.5), mirror=True)
    ours, expected = (localise(Tiny(), p, config=views)[0] for p in (np.asarray(x), x))
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


def test_either_class_can_be_localised():
    model, x = Tiny(), picture(6)
    clean, _ = localise(model, x, class_index=0)
    corroded, _ = localise(model, x, class_index=1)
    assert np.abs(clean - corroded).max() > 0.01


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("method", "gradcam"),
        ("variant", "mean"),
        ("scales", ()),
        ("scales", (0.0,)),
        ("scales", (-1.0, 1.0)),
        ("scales", (5.0,)),
        ("scales", (float("nan"),)),
        ("scales", 1.0),
        ("scales", ("large",)),
    ],
)
def test_config_refuses(option, value):
    with pytest.raises(ConfigError, match=f"^{option} is "):
        LocaliseConfig(**{option: value})


def test_config_from_json_is_hashable():
    assert hash(LocaliseConfig(scales=[0.5, 1])) == hash(LocaliseConfig(scales=(0.5, 1.0)))


@pytest.mark.parametrize("class_index", [-1, 2])
def test_a_class_that_does_not_exist_is_refused(class_index):
    with pytest.raises(ConfigError, match=r"class_index is .*between 0 and 1"):
        localise(Tiny(), picture(7), class_index=class_index)


@pytest.mark.parametrize("shape", [(48, 80, 3), (1, 40, 80, 3), (1, 0, 16, 3)])
def test_an_input_of_the_wrong_shape_is_refused(shape):
    with pytest.raises(ConfigError, match=r"^x has the shape"):
        localise(Tiny(), jnp.zeros(shape), config=LocaliseConfig())


def test_an_output_of_another_picture_is_refused():
    model = Tiny()
    with pytest.raises(ConfigError, match=r"^output\.activations has the shape"):
        localise(model, picture(8), model(picture(8, (2, 64, 80, 3))))
