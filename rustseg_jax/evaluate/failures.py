"""Test sets for the four failures of the published RustSEG.

Burton et al. (2022) list: shadows, images that are all rust, CRF collapse, and a good heat map with
bad post-processing. Each has rendered scenes, whose masks are exact, and photos of a data folder,
selected by a rule on photo and mask, never by hand. Kinds, seeds and rules are data in this module;
`failure_measures` has the measures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from rustseg_jax import images
from rustseg_jax.config import CORROSION
from rustseg_jax.evaluate.run import HALVED, choose, evenly
from rustseg_jax.manifest import Record, load_manifest, read_mask
from rustseg_jax.scenes import KINDS, Scene, render
from rustseg_jax.scenes.shadows import SHADOWS, cast_shadow

__all__ = [
    "DARK",
    "FAILURES",
    "FIRST_SEED",
    "Failure",
    "FailureCase",
    "MeasuredPhoto",
    "PhotoRule",
    "chosen",
    "read",
    "scenes",
    "survey",
    "with_small_rust",
]

FIRST_SEED = 900_000
"""Scenes from this seed on are for evaluation: training on rendered scenes must stay below."""

DARK = 64
"""A pixel with brightness (Rec. 601 luma, of 255) below this counts as in shadow: a quarter."""

SMALLER = 4
"""Factor by which the rust of a small-rust set is reduced from the size in its scene."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

RUSTED = ("painted_steel", "plate", "pipe", "corrugated", "railing")
CLEAN = ("clean_steel", "clean_plate", "clean_pipe", "clean_corrugated", "clean_railing")


@dataclass(frozen=True)
class PhotoRule:
    """Rule that selects the photos of a set.

    Attributes
    ----------
    low, high : share of the photo covered by the true mask, from low (included) to high (excluded)
    dark : minimum share of the clean area that is in shadow, see `DARK`
    """

    low: float = 0.0
    high: float = 1.01
    dark: float = 0.0


@dataclass(frozen=True)
class Failure:
    """A test set.

    Attributes
    ----------
    about : short description of the failure
    kinds, seeds : scenes to render: each kind with each seed
    least : minimum share covered by the mask of a scene; other scenes are left out
    shadow : whether each scene also gets a shadow, from the kinds of `SHADOWS` in turn
    small : whether the rust of each scene is reduced to a quarter and put on its clean counterpart
    photos : rule that selects the photos
    """

    about: str
    kinds: tuple[str, ...]
    seeds: tuple[int, ...]
    photos: PhotoRule
    least: float = 0.0
    shadow: bool = False
    small: bool = False


def _seeds(count: int) -> tuple[int, ...]:
    return tuple(range(FIRST_SEED, FIRST_SEED + count))


FAILURES: Mapping[str, Failure] = MappingProxyType(
    {
        # About the darkest quarter of the photos of half A.
        "shadow": Failure(
            "rust seen in shadows",
            RUSTED + CLEAN,
            _seeds(3),
            PhotoRule(dark=0.25),
            shadow=True,
        ),
        # Of the photos of half A, 7 are above 0.8, too few for a result, and 14 above 0.6.
        "all_rust": Failure(
            "pictures that are all rust",
            ("rusted_sheet",),
            _seeds(40),
            PhotoRule(low=0.6),
            least=0.8,
        ),
        "crf_collapse": Failure(
            "the CRF wipes out what was found",
            RUSTED,
            _seeds(5),
            PhotoRule(high=0.02),
            small=True,
        ),
        "post_processing": Failure(
            "good heat map, bad mask",
            (*RUSTED, "rusted_sheet"),
            _seeds(4),
            PhotoRule(low=0.02, high=0.8),
        ),
    }
)
"""Name -> test set, in the authors' order."""


@dataclass(frozen=True, eq=False)
class FailureCase:
    """One picture of a test set.

    Attributes
    ----------
    name : the picture's name in messages
    image : (H, W, 3) uint8
    true, ignore : (H, W) bool, the true rust, and pixels that are not scored
    rusty : whether there is any rust
    shadow : (H, W) bool, the area in shadow
    lit : (H, W, 3) uint8, the same scene without that shadow; None for photos
    """

    name: str
    image: NDArray[np.uint8]
    true: NDArray[np.bool_]
    ignore: NDArray[np.bool_]
    rusty: bool
    shadow: NDArray[np.bool_]
    lit: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class MeasuredPhoto:
    """A photo with a mask, and the values for the rules: `share` and `dark` as in `PhotoRule`."""

    record: Record
    share: float
    dark: float


def scenes(failure: Failure, limit: int | None = None) -> Iterator[FailureCase]:
    """Render the scenes of a set; evenly spaced ones if there is a limit.

    Yields
    ------
    `FailureCase`, 448 by 448 pixels; scenes whose mask is too small for the set are left out.
    """
    todo = [(kind, seed) for seed in failure.seeds for kind in failure.kinds]
    if failure.least:
        todo = [(k, s) for k, s in todo if render(k, s).mask.mean() >= failure.least]
    for kind, seed in evenly(todo, limit):
        scene = with_small_rust(kind, seed) if failure.small else render(kind, seed)
        image, shadow, lit = scene.image, _in_shadow(scene.image), None
        if failure.shadow:
            which = SHADOWS[(failure.kinds.index(kind) + seed) % len(SHADOWS)]
            (image, shadow), lit = cast_shadow(scene.image, which, seed), scene.image
        known = np.zeros(scene.mask.shape, bool)
        yield FailureCase(f"{kind}-{seed}", image, scene.mask, known, KINDS[kind], shadow, lit)


def with_small_rust(kind: str, seed: int) -> Scene:
    """Render the clean scene of a kind with the rust of the corroded one at a quarter of its size.

    Rust covers about a hundredth of the scene, in spots of a few pixels.

    Parameters
    ----------
    kind : of `RUSTED`
    seed : 0 or more

    Returns
    -------
    `Scene`, 448 by 448 pixels
    """
    rusty, clean = render(kind, seed), render(CLEAN[RUSTED.index(kind)], seed)
    height, width = (side // SMALLER for side in rusty.mask.shape)
    spots = images.resize(rusty.image, (height, width)).astype(np.float32)
    blocks = rusty.mask[: height * SMALLER, : width * SMALLER]
    cover = blocks.reshape(height, SMALLER, width, SMALLER).mean(axis=(1, 3))
    rng = np.random.default_rng(seed)
    top, left = (
        int(rng.integers(0, side - part + 1))
        for side, part in zip(rusty.mask.shape, (height, width), strict=True)
    )
    place = slice(top, top + height), slice(left, left + width)
    image, mask = clean.image.copy(), np.zeros_like(clean.mask)
    opacity = cover[..., None].astype(np.float32)
    image[place] = np.rint(image[place] * (1 - opacity) + spots * opacity).astype(np.uint8)
    mask[place] = cover > 0.5
    return Scene(image, mask, kind, corroded=True)


def survey(data: Path | str, half: str, *, splits: Sequence[str] = ()) -> list[MeasuredPhoto]:
    """Measure, for the rules, the corroded photos with masks in the halved splits.

    Parameters
    ----------
    data : data folder
    half : "A" or "B"
    splits : of the halved splits, `seg-*`; empty for all

    Returns
    -------
    list of `MeasuredPhoto`; empty if the folder has no such split.

    Raises
    ------
    DataError, ImageError
        The folder, or a picture in it, cannot be used.
    """
    records = load_manifest(data, splits=splits)
    splits = sorted({r.split for r in records if r.split.startswith(HALVED)})
    if not splits:
        return []
    surveyed = []
    for part in choose(data, splits=splits, half=half).values():
        for record in part:
            if record.mask is not None and record.label == CORROSION:
                case = read(record)
                sound = ~case.true & ~case.ignore
                dark = float(case.shadow[sound].mean()) if sound.any() else 0.0
                share = float(case.true[~case.ignore].mean()) if not case.ignore.all() else 0.0
                surveyed.append(MeasuredPhoto(record, share, dark))
    return surveyed


def chosen(
    photos: Sequence[MeasuredPhoto], rule: PhotoRule, limit: int | None = None
) -> list[Record]:
    """Photos selected by a rule, evenly spaced if there is a limit."""
    kept = [p.record for p in photos if rule.low <= p.share < rule.high and p.dark >= rule.dark]
    return evenly(kept, limit)


def read(record: Record) -> FailureCase:
    """A photo of a data folder as a case; raises like `images.read` and `read_mask`."""
    image = images.read(record.image)
    true, ignore = read_mask(record, (image.shape[0], image.shape[1]))
    rusty = record.label == CORROSION
    return FailureCase(record.image.name, image, true, ignore, rusty, _in_shadow(image))


def _in_shadow(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = image @ _LUMA < DARK
    return mask
