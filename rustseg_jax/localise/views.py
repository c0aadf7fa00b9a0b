"""Heat maps averaged over several views of an image.

A view is the image at another scale or mirrored. Layout is NHWC everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from numpy.typing import NDArray

from rustseg_jax.classify import rescale
from rustseg_jax.config import STRIDE, LocaliseConfig
from rustseg_jax.errors import ConfigError
from rustseg_jax.localise.cam import Head, grad_cam, grad_cam_pp, normalise, score_map

__all__ = ["LocaliseConfig", "grad_cam", "grad_cam_pp", "localise", "normalise", "score_map"]


Pixels = Array | NDArray[np.float32]


class _Model(Protocol):
    def __call__(self, x: Any, /) -> Any: ...

    @property
    def head(self) -> Head: ...

    @property
    def scores(self) -> Head: ...


def localise(
    model: _Model,
    x: Pixels,
    output: Any | None = None,
    *,
    class_index: ArrayLike = 1,
    config: LocaliseConfig | None = None,
) -> tuple[Array, Array]:
    """Compute the heat map of a class for a batch of images.

    Each view (scales, mirror) gives an unnormalised map; these are mirrored back,
    resized to the map of the input and averaged. Score maps are probabilities and are not
    normalised; other maps are then divided by their maximum. Grad-CAM and ``author``
    average gradients over positions, so that values decrease as views grow: each map is
    multiplied by its number of positions relative to that of the input.

    Parameters
    ----------
    model
        ``model(x).activations`` is ``(B, H/16, W/16, C)``; ``model.head`` scores all positions
        together, ``model.scores`` each position (needed for score maps only).
    x
        ``(B, H, W, 3)`` float32 in [0, 1], sRGB; H and W are multiples of 16.
    output
        ``model(x)``, if available, so that the view at scale 1 is not computed again.
    class_index, config
        Class to explain (0 clean, 1 corrosion); method and views.

    Returns
    -------
    heatmap : Array
        ``(B, H/16, W/16)`` float32 in [0, 1].
    maximum : Array
        ``(B,)`` float32, maximum before normalisation, in the unit of the map. For score
        maps, which are not normalised, the maximum of the heat map.

    Raises
    ------
    ConfigError
        ``x`` or ``output`` has the wrong shape, or the class does not exist.
    """
    config = LocaliseConfig() if config is None else config
    base = _base_shape(x, output)
    maps = []
    for pixels, known, mirrored in _views(x, output, config):
        activations = (model(pixels) if known is None else known).activations
        head = model.scores if config.method == "score_map" else model.head
        cam = _explainer(head, class_index)(head, activations, class_index, config)
        maps.append(_to_base(cam, mirrored, base, config))
    mean = jnp.mean(jnp.stack(maps), axis=0)
    if config.method == "score_map":
        return jnp.clip(mean, 0, 1), jnp.max(mean, axis=(-2, -1))
    return normalise(mean)


def _views(x: Pixels, output: Any, config: LocaliseConfig) -> Iterator[tuple[Pixels, Any, bool]]:
    """Yield the pixels of each view, their output if known, and whether it is mirrored."""
    for scale in config.scales:
        pixels = rescale(x, scale)
        yield pixels, output if pixels is x else None, False
        if config.mirror:
            yield pixels[:, :, ::-1], None, True


def _to_base(cam: Array, mirrored: bool, base: tuple[int, int], config: LocaliseConfig) -> Array:
    """Convert the map of a view to the input: mirror it back, resize it, make it comparable."""
    cam = cam[:, :, ::-1] if mirrored else cam
    if cam.shape[1:] == base:
        return cam
    resized = jax.image.resize(cam, (cam.shape[0], *base), "bilinear", antialias=True)
    averages_gradients = config.method == "grad_cam" or (
        config.method == "grad_cam_pp" and config.variant == "author"
    )
    gain = math.prod(cam.shape[1:]) / math.prod(base) if averages_gradients else 1.0  # `localise`
    return resized * gain


def _explainer(head: Head, class_index: ArrayLike) -> Callable[..., Array]:
    """Return `_explain` for a head, compiled if the head is a pytree: eager steps cost 20 ms."""
    fixed = isinstance(head, jax.tree_util.Partial) and isinstance(class_index, int)
    return _compiled_explain if fixed else _explain


def _explain(head: Head, activations: Array, index: ArrayLike, config: LocaliseConfig) -> Array:
    if config.method == "score_map":
        return score_map(head, activations, index)
    if config.method == "grad_cam":
        return grad_cam(head, activations, index)
    return grad_cam_pp(head, activations, index, variant=config.variant)


_compiled_explain = jax.jit(_explain, static_argnames=("index", "config"))


def _base_shape(x: Pixels, output: Any) -> tuple[int, int]:
    if x.ndim != 4 or not all(side and side % STRIDE == 0 for side in x.shape[1:3]):
        raise ConfigError(
            f"x has the shape {x.shape}; must be (B, H, W, 3) with H and W "
            f"multiples of {STRIDE}: resize the image first"
        )
    base = (x.shape[1] // STRIDE, x.shape[2] // STRIDE)
    if output is not None and output.activations.shape[:3] != (x.shape[0], *base):
        raise ConfigError(
            f"output.activations has the shape {output.activations.shape}, which does not match "
            f"x of shape {x.shape}; give model(x) for the same x, or omit output"
        )
    return base
