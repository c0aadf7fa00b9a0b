"""A result in words, as JSON, as files, and small enough to show.

Everything here reads one `Segmentation` and computes no stage again. The page, the
command line and the labels store all say the same because they all ask here.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from rustseg_jax import images
from rustseg_jax.drawing.encode import png
from rustseg_jax.drawing.overlay import mask_outline, mask_overlay
from rustseg_jax.errors import ConfigError
from rustseg_jax.images.resample import shrink_map, shrink_mask
from rustseg_jax.pipeline import Segmentation
from rustseg_jax.report.grading import Grading, grade
from rustseg_jax.report.surface import Part, Surface, measure_part, surface_overlay
from rustseg_jax.uncertainty.doubt import Uncertainty
from rustseg_jax.wording import percent, setting

__all__ = [
    "Report",
    "draw",
    "full_overlay",
    "headline",
    "make_report",
    "meaning",
    "to_json",
    "verdict",
]

_whole = partial(percent, digits=0, sure=False)  # of every verdict

PREVIEW_SIDE = 1400  # Streamlit shows pictures at most 1460 pixels wide


@dataclass(frozen=True, eq=False)
class Report:
    """What is shown and downloaded of one result; a few megabytes whatever the photo's size.

    Attributes
    ----------
    headline : see `headline`
    verdict : see `verdict`
    meaning : see `meaning`
    facts : see `to_json`
    image : (h, w, 3) uint8, the photo, its longer side at most 1400 pixels
    mask : (h, w) bool, the mask shrunk in the same way; for looking at, not for measuring
    heatmap : (h, w) float32 in [0, 1], the one the mask was made from: (28, 28), or finer
        where a large photo was looked at in windows
    mask_png : the mask at the photo's own size, as a PNG file
    doubt : (h, w) float32 in [0, 1], `Uncertainty.map` shrunk in the same way, or None where
        the uncertainty was not measured
    grading : what the rusted area implies: that of `part` where one was marked, else that of
        the picture, if all of it is the surface
    part : what was found on the marked part of the photo, or None where none was marked
    """

    headline: str
    verdict: str
    meaning: str
    facts: dict[str, Any]
    image: np.ndarray = field(repr=False)
    mask: np.ndarray = field(repr=False)
    heatmap: np.ndarray = field(repr=False)
    mask_png: bytes = field(repr=False)
    grading: Grading
    doubt: np.ndarray | None = field(repr=False, default=None)
    part: Part | None = None


def make_report(
    seg: Segmentation,
    sure: Uncertainty | None = None,
    *,
    side: int = PREVIEW_SIDE,
    surface: Surface | None = None,
) -> Report:
    """Boil a result down to what a page shows and offers.

    Parameters
    ----------
    seg : a result
    sure : how sure it is, where that was measured
    side : longest side of the previews in pixels; nothing is enlarged
    surface : the part of the photo that is steel, or None for all of it

    Returns
    -------
    `Report`

    Raises
    ------
    ConfigError
        side is below 1, or the surface marks no pixel.
    """
    if side < 1:
        raise ConfigError(f"side is {side}; it must be at least 1 pixel")
    height, width = seg.mask.shape
    scale = min(1.0, side / max(height, width))
    shape = max(1, round(height * scale)), max(1, round(width * scale))
    interval = None if sure is None else sure.interval
    part = None if surface is None else measure_part(seg.mask, surface, interval=interval)
    return Report(
        headline=headline(seg),
        verdict=verdict(seg, sure, part),
        meaning=meaning(seg),
        facts=to_json(seg, sure, part),
        image=images.resize(seg.image, shape),
        mask=shrink_mask(seg.mask, shape).copy(),
        heatmap=np.asarray(seg.heat),
        mask_png=png(seg.mask),
        grading=part.grading if part else _grade(seg, sure),
        doubt=None if sure is None or sure.map is None else shrink_map(sure.map, shape),
        part=part,
    )


def headline(seg: Segmentation) -> str:
    """Say in two or three words what was found, for where the figures stand beside it."""
    if not seg.corroded:
        return "No corrosion found"
    return "Corrosion found" if seg.probability >= 0.5 else "Possibly corrosion"


def verdict(seg: Segmentation, sure: Uncertainty | None = None, part: Part | None = None) -> str:
    """Say in one line what was found.

    Parameters
    ----------
    seg, sure : a result, and how sure it is, where that was measured
    part : what was found on the marked part, which is then spoken of instead of the picture

    Returns
    -------
    For example "Corrosion found, 96 % sure, about 12 % of the picture" or "No corrosion
    found, 91 % sure". No figure is rounded to certainty: from 99.5 % it is "over 99 %".
    Where the uncertainty was measured the interval follows: "(10 to 15 %)", or, where the
    mask itself lies outside of it, "(more likely 5 to 9 %)".
    """
    words = headline(seg)
    if not seg.corroded:
        if seg.probability > 0.5:  # only with a decision threshold above one half
            return f"{words}: {_below(seg)}"
        return f"{words}, {_sure(1 - seg.probability)}"
    if seg.probability < 0.5:
        so = ", if so" if seg.mask.any() else ","
        return f"{words} ({_whole(seg.probability)} likely){so} {_where(seg, sure, part)}"
    return f"{words}, {_sure(seg.probability)}, {_where(seg, sure, part)}"


def meaning(seg: Segmentation) -> str:
    """Say in two or three sentences what the verdict does and does not mean."""
    if not seg.corroded:
        return (
            f"The picture as a whole looks free of rust to the model: {_below(seg)}. So nothing "
            "is marked. Small or shaded spots can be missed: where it matters, look for yourself."
        )
    if not seg.mask.any():
        return (
            "The picture as a whole speaks for corrosion to the model, but no part of it stands "
            "out, so nothing is marked. Try a closer photo."
        )
    if seg.probability < 0.5:
        return (
            "To the model this is more likely clean than corroded, but not clearly enough to pass "
            f"over: corrosion is reported from {setting(seg.config.decision_threshold)}. Marked is "
            "where it would be; look for yourself."
        )
    return (
        "An estimate from the picture alone: red paint, brick and leaves can mislead it, "
        "and small or shaded spots can be missed."
    )


def to_json(
    seg: Segmentation, sure: Uncertainty | None = None, part: Part | None = None
) -> dict[str, Any]:
    """Everything about a result but its arrays, as plain values for JSON.

    Returns
    -------
    width, height : of the photo in pixels
    verdict : see `verdict`
    probability, corroded, reason, threshold, heat_maximum : as in `Segmentation`
    area : share of the picture that is masked, in [0, 1]
    grades : ISO 4628-3 and ASTM D610 that this area implies, were all of the picture steel; each
        with the grades of both ends of the interval
    uncertainty : see `Uncertainty.to_json`; None where it was not measured
    surface : the marked part, see `Part.to_json`; None where none was marked
    tiling : the windows in which a large photo was looked at, see `Tiling`; None where it
        was looked at whole
    timings : seconds by stage
    config : what was chosen
    model : what identifies the weights
    version : of this library
    """
    from rustseg_jax import __version__  # the package is still being imported above

    height, width = seg.mask.shape
    graded = _grade(seg, sure)
    return {
        "width": int(width),
        "height": int(height),
        "verdict": verdict(seg, sure, part),
        "probability": float(seg.probability),
        "corroded": bool(seg.corroded),
        "reason": seg.reason,
        "area": float(seg.area),
        "grades": {"iso_4628_3": asdict(graded.iso), "astm_d610": asdict(graded.astm)},
        "uncertainty": None if sure is None else sure.to_json(),
        "surface": part.to_json() if part else None,
        "threshold": float(seg.threshold),
        "heat_maximum": float(seg.heat_maximum),
        "tiling": seg.tiling.to_json() if seg.tiling else None,
        "timings": {name: float(seconds) for name, seconds in seg.timings.items()},
        "config": asdict(seg.config),
        "model": dict(seg.model),
        "version": __version__,
    }


def full_overlay(
    photo: bytes,
    mask_png: bytes,
    *,
    opacity: float = 0.5,
    fill: bool = True,
    surface: Surface | None = None,
) -> bytes:
    """Draw a stored mask on its photo at full size.

    Parameters
    ----------
    photo : bytes of the photo's file
    mask_png : `Report.mask_png` of that photo
    opacity : of the tint, 0 to 1
    fill : whether to tint at all; else there is only the outline, in the tint's colour
    surface : the marked part of the photo, whose outline is then drawn, too

    Returns
    -------
    bytes of a PNG file

    Raises
    ------
    ImageError
        The photo cannot be read, or the mask is of another size.
    """
    mask = np.asarray(Image.open(io.BytesIO(mask_png)).convert("L")) > 127
    return png(draw(images.read(photo), mask, opacity=opacity, fill=fill, surface=surface))


def draw(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    opacity: float = 0.5,
    fill: bool = True,
    surface: Surface | None = None,
) -> np.ndarray:
    """Draw a mask and the marked part on a photo: what pages show and files hold.

    Parameters
    ----------
    image : (H, W, 3) uint8
    mask : (H, W) bool
    opacity, fill, surface : as for `full_overlay`

    Returns
    -------
    (H, W, 3) uint8, a new array
    """
    drawn = mask_overlay(image, mask, opacity=opacity) if fill else mask_outline(image, mask)
    return drawn if surface is None else surface_overlay(drawn, surface)


def _grade(seg: Segmentation, sure: Uncertainty | None) -> Grading:
    return grade(seg.area, None if sure is None else sure.interval)


def _where(seg: Segmentation, sure: Uncertainty | None, part: Part | None) -> str:
    """How much of the picture, or of the marked part, is masked, in words."""
    if not seg.mask.any():
        return "but no part of the picture stands out"
    if part and not part.area:
        return "but none on the marked steel"
    area, what = (part.area, "marked steel") if part else (seg.area, "picture")
    interval = part.interval if part else None if sure is None else sure.interval
    span = "" if interval is None else f" ({_span(area, *interval)})"
    if area == 1:
        return f"all of the {what}{span}"
    share = _whole(area)
    return f"{'about ' if share[0].isdigit() else ''}{share} of the {what}{span}"


def _span(area: float, low: float, high: float) -> str:
    """Say "10 to 15 %", and whether the area itself lies in between."""
    least, most = (_whole(bound) for bound in (low, high))
    if least == most:
        words = most
    else:
        words = f"{least.removesuffix(' %') if least[0].isdigit() else least} to {most}"
    return words if low <= area <= high else f"more likely {words}"


def _sure(share: float) -> str:
    return f"{_whole(share)} sure"


def _below(seg: Segmentation) -> str:
    return (
        f"the probability of corrosion is {_whole(seg.probability)}, "
        f"and it is reported from {setting(seg.config.decision_threshold)}"
    )
