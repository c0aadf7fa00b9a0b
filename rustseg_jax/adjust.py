"""Interactive adjustment of a result: more or less rust, tighter or looser edges.

The large arrays of the result need not be stored. `Adjustable` holds the expensive parts (the
output of the network and the lattice of the CRF) and nothing of the photo's size. Given the photo,
it repeats threshold and CRF and returns exactly the same pixels as `resegment` on the full result.
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
"""Maximum steps in either direction; five move a threshold of 0.5 to 0.12 or 0.88."""

EDGES_MOST = 3
"""Maximum steps in either direction; see `Adjustment.crf`."""

_RUST_STEP = 0.4  # log odds of the threshold: about a tenth of the heat map's range at 0.5
_EDGE_STEP = 2.0  # factor on the weight of the appearance kernel

Pixels = np.ndarray


@dataclass(frozen=True)
class Adjustment:
    """Changed settings, in steps; 0 is the value chosen by the method.

    Attributes
    ----------
    rust : more (above 0) or less rust, -5 to 5: shifts the threshold of the heat map
    edges : tighter (above 0) or looser edges, -3 to 3: scales the weight of the CRF's appearance
        kernel
    """

    rust: int = 0
    edges: int = 0

    def __post_init__(self) -> None:
        for name, most in (("rust", RUST_MOST), ("edges", EDGES_MOST)):
            value = getattr(self, name)
            if not isinstance(value, int) or not -most <= value <= most:
                raise ConfigError(
                    f"{name} is {value!r}; must be a whole number from -{most} to {most}"
                )

    def threshold(self, found: float) -> float:
        """Return the adjusted threshold for `found`, in (0, 1]: lower for more rust."""
        return refine.moved_threshold(found, -_RUST_STEP * self.rust)

    def crf(self, params: CRFParams) -> CRFParams:
        """Return the CRF parameters with the appearance kernel's weight doubled for each step.

        The larger the weight, the more closely borders follow colour edges. On the five rusty
        samples, at one eighth of the default weight, the default and eight times the default, the
        mean step in brightness across the mask's border was 2.1, 3.2 and 3.3 mean steps of the
        image and the length of the border 0.7, 1 and 1.2 times the default, while the area changed
        by at most 2 % of itself (`python -m benchmarks.live --edges`). The widths of the kernels
        do not change, so that a stored lattice can be reused.
        """
        weight = params.bilateral_compat * _EDGE_STEP**self.edges
        return replace(params, bilateral_compat=weight)


@dataclass(frozen=True, eq=False)
class Adjustable:
    """The expensive parts of a result, without arrays of the photo's size: 15 MB at 448 pixels.

    Attributes
    ----------
    shape : (H, W) of the photo
    evidence : output of the network for the photo
    threshold : threshold found for the heat map
    config : options of the result
    model : identification of the weights
    lattice : lattice of the CRF, or None if it was not built
    sure : uncertainty of the result, without the map, or None
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
        """Refine the result with changed settings.

        Parameters
        ----------
        photo : (H, W, 3) uint8, the same photo as for the result, from `images.read`
        adjustment : changed settings
        doubt : whether to compute the uncertainty map too, which takes five times as long

        Returns
        -------
        The same as `resegment` and `carry_uncertainty` or, with the map, `update_uncertainty` on
        the result itself; without changes the interval stays as measured

        Raises
        ------
        ConfigError
            The size of the photo differs.
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
        """Refine the result with an expert's strokes.

        Parameters
        ----------
        photo : (H, W, 3) uint8, the same photo as for the result
        rust, clean, settled : (H, W) bool, see `resegment`

        Returns
        -------
        The same as `resegment` on the result itself

        Raises
        ------
        ConfigError
            The size of the photo differs, or the strokes are invalid.
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
                f"photo has the shape {photo.shape[:2]}; must be the photo of this result, "
                f"{self.shape}"
            )
        return conclude(
            photo, self.evidence, config, self.model,
            threshold=threshold, lattice=self.lattice, rust=rust, clean=clean, settled=settled,
        )  # fmt: skip

    def _sure(self, seg: Segmentation, adjustment: Adjustment, doubt: bool) -> Uncertainty | None:
        if self.sure is None:
            return None
        if adjustment == Adjustment():  # unchanged, and so is its interval
            again = update_uncertainty(self.sure, seg).map if doubt else None
            return replace(self.sure, map=again)
        return (update_uncertainty if doubt else carry_uncertainty)(self.sure, seg)


def adjustable(seg: Segmentation, *, sure: Uncertainty | None = None) -> Adjustable:
    """Return the parts of a result that its adjustment needs.

    Parameters
    ----------
    seg : result of `segment`
    sure : its result of `measure_uncertainty`, or None

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
