"""A result in words, as JSON, as files, and as previews.

Everything here reads one `Segmentation` and recomputes no stage. The pages, the command line and
the labels store use these functions, so that their texts agree.
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

_whole = partial(percent, digits=0, sure=False)  # for all numbers in a verdict

PREVIEW_SIDE = 1400  # Streamlit shows images at most 1460 pixels wide


@dataclass(frozen=True, eq=False)
class Report:
    """The parts of a result to show and download; a few megabytes for any photo size.

    Attributes
    ----------
    headline : see `headline`
    verdict : see `verdict`
    meaning : see `meaning`
    facts : see `to_json`
    image : (h, w, 3) uint8, the photo, its longer side at most 1400 pixels
    mask : (h, w) bool, the mask reduced in the same way; for display, not for measuring
    heatmap : (h, w) float32 in [0, 1], the one the mask was computed from: (28, 28), or finer if a
        large photo was analysed in windows
    mask_png : the mask at full resolution, as a PNG file
    doubt : (h, w) float32 in [0, 1], the uncertainty map reduced in the same way, or None if the
        uncertainty was not measured
    grading : grades of the rusted area: of `part` if a part was marked, otherwise of the photo,
        assuming that all of it is the surface
    part : result on the marked part of the photo, or None if none was marked
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
    """Reduce a result to the parts to show and download.

    Parameters
    ----------
    seg : a result
    sure : its uncertainty, if measured
    side : longest side of the previews in pixels; nothing is enlarged
    surface : the part of the photo that is steel, or None for all of it

    Returns
    -------
    `Report`

    Raises
    ------
    ConfigError
        `side` is below 1, or the surface covers no pixel.
    """
    if side < 1:
        raise ConfigError(f"side is {side}; it must be at least 1")
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
    """Return the verdict in two or three words, without figures."""
    if not seg.corroded:
        return "No corrosion found"
    return "Corrosion found" if seg.probability >= 0.5 else "Possible corrosion"


def verdict(seg: Segmentation, sure: Uncertainty | None = None, part: Part | None = None) -> str:
    """Return the verdict in one line.

    Parameters
    ----------
    seg, sure : a result and its uncertainty, if measured
    part : result on the marked part; the verdict is then about that part, not the photo

    Returns
    -------
    For example "Corrosion found, 96 % confidence, about 12 % of the photo" or "No corrosion
    found, 91 % confidence". No figure is rounded to certainty: from 99.5 % it is "over 99 %".
    If the uncertainty was measured, the interval follows: "(10 to 15 %)", or "(more likely 5 to
    9 %)" if the area of the mask is outside it.
    """
    words = headline(seg)
    if not seg.corroded:
        if seg.probability > 0.5:  # only with a decision threshold above one half
            return f"{words}: {_below(seg)}"
        return f"{words}, {_sure(1 - seg.probability)}"
    if seg.probability < 0.5:
        if_so = "; if present," if seg.mask.any() else ","
        return f"{words} ({_whole(seg.probability)} probability){if_so} {_where(seg, sure, part)}"
    return f"{words}, {_sure(seg.probability)}, {_where(seg, sure, part)}"


def meaning(seg: Segmentation) -> str:
    """Explain in two or three sentences what the verdict does and does not mean."""
    if not seg.corroded:
        return (
            f"No area is marked: {_below(seg)}. Small or shaded spots can be missed; check the "
            "photo yourself if it matters."
        )
    if not seg.mask.any():
        return (
            "The photo as a whole indicates corrosion, but no area stands out, so nothing is "
            "marked. Try a closer photo."
        )
    if seg.probability < 0.5:
        return (
            "The photo is more likely clean than corroded, but corrosion is reported at "
            f"{setting(seg.config.decision_threshold)} or above. The mask shows where the rust "
            "would be; check it yourself."
        )
    return (
        "This is an estimate from the photo alone. Red paint, brick and leaves can cause false "
        "alarms; small or shaded spots can be missed."
    )


def to_json(
    seg: Segmentation, sure: Uncertainty | None = None, part: Part | None = None
) -> dict[str, Any]:
    """Return everything about a result except its arrays, as plain values for JSON.

    Returns
    -------
    width, height : of the photo in pixels
    verdict : see `verdict`
    probability, corroded, reason, threshold, heat_maximum : as in `Segmentation`
    area : masked share of the photo, in [0, 1]
    grades : ISO 4628-3 and ASTM D610 grades of this area, assuming that the whole photo shows
        steel; each with the grades of both ends of the interval
    uncertainty : see `Uncertainty.to_json`; None if it was not measured
    surface : the marked part, see `Part.to_json`; None if none was marked
    tiling : the windows in which a large photo was analysed, see `Tiling`; None if it was analysed
        as a whole
    timings : seconds by stage
    config : the configuration
    model : identifies the weights
    version : version of this library
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
    """Draw a stored mask on its photo at full resolution.

    Parameters
    ----------
    photo : bytes of the photo file
    mask_png : `Report.mask_png` of that photo
    opacity : opacity of the tint, 0 to 1
    fill : whether to tint the mask; otherwise only its outline is drawn, in the tint's colour
    surface : the marked part of the photo, to draw its outline too; None for none

    Returns
    -------
    bytes of a PNG file

    Raises
    ------
    ImageError
        The photo cannot be read, or the mask has another size.
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
    """Draw a mask and the marked part on a photo, for pages and files.

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
    """Say how much of the photo, or of the marked part, is masked."""
    if not seg.mask.any():
        return "but no area stands out"
    if part and not part.area:
        return "but none on the marked steel"
    area, what = (part.area, "marked steel") if part else (seg.area, "photo")
    interval = part.interval if part else None if sure is None else sure.interval
    span = "" if interval is None else f" ({_span(area, *interval)})"
    if area == 1:
        return f"all of the {what}{span}"
    share = _whole(area)
    return f"{'about ' if share[0].isdigit() else ''}{share} of the {what}{span}"


def _span(area: float, low: float, high: float) -> str:
    """Write an interval, "10 to 15 %", and say if the area is outside it."""
    least, most = (_whole(bound) for bound in (low, high))
    if least == most:
        words = most
    else:
        words = f"{least.removesuffix(' %') if least[0].isdigit() else least} to {most}"
    return words if low <= area <= high else f"more likely {words}"


def _sure(share: float) -> str:
    return f"{_whole(share)} confidence"


def _below(seg: Segmentation) -> str:
    return (
        f"the probability of corrosion is {_whole(seg.probability)}; "
        f"corrosion is reported at {setting(seg.config.decision_threshold)} or above"
    )
