"""Controls that a person turns: more or less rust, tighter or looser edges, on a kept result.

A result's large arrays need not be kept for that. `Adjustable` holds what was expensive (what the
network said, the CRF's lattice) and nothing of the photo's size; with the photo it goes
through threshold and CRF again, to the pixel as `resegment` on the whole result would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rustseg_jax import refine
from rustseg_jax.config import Config, CRFParams
from rustseg_jax.errors import ConfigError
from rustseg_jax.pipeline import conclude
from rustseg_jax.refine import Lattice
from rustseg_jax.result import Segmentation
from rustseg_jax.tiling.evidence import Evidence
from rustseg_jax.uncertainty.doubt import Uncertainty, carry_uncertainty, update_uncertainty

__all__ = ["EDGES_MOST", "RUST_MOST", "Adjustable", "Adjustment", "adjustable"]

RUST_MOST = 5
"""Steps to either side; five take a threshold of 0.5 to 0.12 and to 0.88."""

EDGES_MOST = 3
"""Steps to either side; see `Adjustment.crf`."""

_RUST_STEP = 0.4  # log odds of the threshold: about a tenth of the heat's range at 0.5
_EDGE_STEP = 2.0  # factor of the appearance kernel's weight

Pixels = np.ndarray


@dataclass(frozen=True)
class Adjustment:
    """What was turned, in steps; 0 is what the method chose.

    Attributes
    ----------
    rust : more (above 0) or less rust: moves the threshold of the heat map, -5 to 5
    edges : tighter (above 0) or looser edges: weighs the CRF's appearance kernel, -3 to 3
    """

    rust: int = 0
    edges: int = 0

    def __post_init__(self) -> None:
        for name, most in (("rust", RUST_MOST), ("edges", EDGES_MOST)):
            value = getattr(self, name)
            if not isinstance(value, int) or not -most <= value <= most:
                raise ConfigError(
                    f"{name} is {value!r}; allowed are whole steps from -{most} to {most}"
                )

    def threshold(self, found: float) -> float:
        """Return the threshold for one that was found, in (0, 1]: lower for more rust."""
        return refine.moved_threshold(found, -_RUST_STEP * self.rust)

    def crf(self, params: CRFParams) -> CRFParams:
        """Return the CRF with the appearance kernel twice as heavy for each step.

        The heavier, the more borders follow colours. On the five rusty samples, from an eighth
        of the default weight over the default to eight times it, the mean step in brightness
        under the mask's border was 2.1, 3.2 and 3.3 mean steps of the picture, the border's
        length 0.7, 1 and 1.2 of the default's, while the area changed by 2 % of itself at most
        (`python -m benchmarks.live --edges`). The kernels' reach stays, so that a kept lattice
        serves.
        """
        weight = params.bilateral_compat * _EDGE_STEP**self.edges
        return replace(params, bilateral_compat=weight)


@dataclass(frozen=True, eq=False)
class Adjustable:
    """What was expensive about a result, and nothing of the photo's size: 15 MB at 448 pixels.

    Attributes
    ----------
    shape : (H, W) of the photo
    evidence : what the network says of the photo
    threshold : of the heat map, as it was found
    config : what was chosen
    model : what identifies the weights
    lattice : of the CRF, or None where it was not built
    sure : how sure the result was, without the map, or None
    """

    shape: tuple[int, int]
    evidence: Evidence
    threshold: float
    config: Config
    model: Mapping[str, Any] = field(repr=False)
    lattice: Lattice | None = field(repr=False)
    sure: Uncertainty | None

    def again(
        self, photo: Pixels, adjustment: Adjustment, *, doubt: bool = False
    ) -> tuple[Segmentation, Uncertainty | None]:
        """Refine the result again.

        Parameters
        ----------
        photo : (H, W, 3) uint8, the very photo of the result, `images.read`
        adjustment : what was turned
        doubt : whether the map of doubt is wanted, too: five times the time

        Returns
        -------
        As `resegment` and `carry_uncertainty` or, with the map, `update_uncertainty` on the
        result itself; where nothing was turned the interval is as it was measured

        Raises
        ------
        ConfigError
            The photo is of another size.
        """
        config = replace(self.config, crf=adjustment.crf(self.config.crf))
        seg = self._conclude(photo, config, adjustment.threshold(self.threshold))
        return seg, self._sure(seg, adjustment, doubt)

    def with_strokes(
        self,
        photo: Pixels,
        *,
        rust: np.ndarray,
        clean: np.ndarray,
        settled: np.ndarray | None = None,
    ) -> Segmentation:
        """Refine the result again with an expert's strokes.

        Parameters
        ----------
        photo : (H, W, 3) uint8, the very photo of the result
        rust, clean, settled : (H, W) bool, see `resegment`

        Returns
        -------
        As `resegment` on the result itself

        Raises
        ------
        ConfigError
            The photo is of another size, or the strokes are not allowed.
        """
        return self._conclude(
            photo, self.config, self.threshold, rust=rust, clean=clean, settled=settled
        )

    def _conclude(
        self,
        photo: Pixels,
        config: Config,
        threshold: float,
        *,
        rust: np.ndarray | None = None,
        clean: np.ndarray | None = None,
        settled: np.ndarray | None = None,
    ) -> Segmentation:
        if photo.shape[:2] != self.shape:
            raise ConfigError(
                f"photo is {photo.shape[:2]}; give the photo of this result, {self.shape}"
            )
        return conclude(
            photo, self.evidence, config, self.model,
            threshold=threshold, lattice=self.lattice, rust=rust, clean=clean, settled=settled,
        )  # fmt: skip

    def _sure(self, seg: Segmentation, adjustment: Adjustment, doubt: bool) -> Uncertainty | None:
        if self.sure is None:
            return None
        if adjustment == Adjustment():  # the very result: its interval stands
            again = update_uncertainty(self.sure, seg).map if doubt else None
            return replace(self.sure, map=again)
        return (update_uncertainty if doubt else carry_uncertainty)(self.sure, seg)


def adjustable(seg: Segmentation, *, sure: Uncertainty | None = None) -> Adjustable:
    """Keep of a result what its controls need.

    Parameters
    ----------
    seg : what `segment` found
    sure : what `measure_uncertainty` said of it, or None

    Returns
    -------
    `Adjustable`
    """
    return Adjustable(
        shape=(seg.image.shape[0], seg.image.shape[1]),
        evidence=seg.evidence,
        threshold=seg.threshold,
        config=seg.config,
        model=seg.model,
        lattice=seg.lattice,
        sure=None if sure is None else replace(sure, map=None),
    )
