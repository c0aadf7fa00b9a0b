"""The images of a lesson for a page, as files with captions and alternative texts.

Photos and overlays are JPEG; maps, masks and channels are PNG, enlarged by whole numbers where the
single positions should be visible.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rustseg_jax.drawing.difference import difference_picture, enlarge
from rustseg_jax.drawing.overlay import heat_colours, heat_overlay, mask_overlay
from rustseg_jax.errors import ConfigError
from rustseg_jax.images import resize
from rustseg_jax.images.resample import bilinear, shrink_mask
from rustseg_jax.refine import working_shape
from rustseg_jax.teaching.drawings import STAGE_LABELS
from rustseg_jax.teaching.lesson import Lesson
from rustseg_jax.teaching.texts import STEPS
from rustseg_jax.wording import percent

__all__ = ["SHOWS", "Exhibit", "View", "exhibit", "exhibits_of", "step_views", "thumbnails"]

SIDE = 1024
"""Longer side of an image in pixels: sharp at half the page width on a high-density screen."""

THUMBNAIL = 168
"""Longer side of a thumbnail of the strip, in pixels: twice its displayed size."""

SHOWS: Mapping[str, str] = MappingProxyType(
    {
        "photo": "Photo",
        "heatmap": "Heat map, original grid",
        "heat": "Heat map, enlarged",
        "rough": "Rough mask",
        "unary": "Input of the CRF",
        "mask": "Mask",
        "plain": "Mask, black and white",
        "diff-grid": "Difference, coarse grid",
        "diff-heatmap": "Difference, heat map at its best threshold",
        "diff-threshold": "Difference, rough mask",
        "diff-crf": "Difference, CRF",
        "diff-verdict": "Difference, mask",
    }
)
"""Name of each `exhibit` of a lesson, as in a link -> label; updates of the CRF are named
"update0", "update1" and so on."""

_QUALITY = 88  # JPEG, colour at full resolution: thin outlines keep theirs
_Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class View:
    """One image, ready for the browser.

    Attributes
    ----------
    name : short and stable
    caption : a few words
    alt : alternative text for screen readers
    data : a JPEG or PNG file
    kind : "image/jpeg" or "image/png"
    width, height : in pixels
    group : heading above it, or ""
    """

    name: str
    caption: str
    alt: str
    data: bytes = field(repr=False)
    kind: str
    width: int
    height: int
    group: str = ""


@dataclass(frozen=True, eq=False)
class Exhibit:
    """One item to compare: an image in the shape of the photo, and its numbers.

    Attributes
    ----------
    view : the image
    numbers : label -> formatted value
    """

    view: View
    numbers: Mapping[str, str]


def step_views(lesson: Lesson, step: str, *, side: int = SIDE) -> tuple[View, ...]:
    """Draw the images of one step.

    Parameters
    ----------
    lesson : what `teach` returned
    step : one of `STEPS`
    side : approximate longer side of the images in pixels; the photo is not enlarged

    Returns
    -------
    `View`; empty for a step that was not run or that has only a drawing

    Raises
    ------
    ConfigError
        `step` is not one of `STEPS`.
    """
    if step not in STEPS:
        raise ConfigError(f"step is {step!r}; it must be one of {', '.join(STEPS)}")
    draw = _STEPS.get(step)
    return draw(lesson, side) if draw else ()


def _seen(lesson: Lesson, side: int) -> tuple[View, ...]:
    photo = _photo(lesson, side)
    edge = lesson.inside.seen.shape[0]
    return (
        _photo_view("photo", "The photo", "The original photo", photo),
        _photo_view(
            "seen",
            f"Network input: {edge} x {edge}",
            f"The same photo resized to a square of {edge} by {edge} pixels",
            lesson.inside.seen,
        ),
    )


def _blocks(lesson: Lesson, side: int) -> tuple[View, ...]:
    edge = max(lesson.inside.blocks[0].shape[0], side // 2)
    views = []
    for block in lesson.inside.blocks:
        rows, columns = block.shape
        silent = f", {block.silent} of them inactive" if block.silent else ""
        group = (
            f"Block {block.number}: {rows} x {columns} positions, each sees {block.sees} pixels; "
            f"{block.channels} channels{silent}"
        )
        for channel in block.shown:
            side_of = "for" if channel.weight > 0 else "against"
            if not channel.weight:
                side_of = "neither"
            view = _exact_view(
                f"block{block.number}-{channel.index}",
                f"Channel {channel.index}: {channel.weight:+.2f} {side_of}",
                f"Channel {channel.index} of block {block.number}, {rows} by {columns} "
                f"positions, weight {channel.weight:+.2f}",
                heat_colours(channel.picture),
                edge,
            )
            views.append(replace(view, group=group))
    return tuple(views)


def _heatmap(lesson: Lesson, side: int) -> tuple[View, ...]:
    heat = lesson.seg.heat
    size = f"{heat.shape[0]} x {heat.shape[1]}"
    return (
        _exact_view(
            "true",
            f"Original grid: {size} positions",
            f"The heat map on its original grid of {size} squares",
            heat_colours(heat),
            side,
        ),
        _photo_view(
            "overlay",
            "Enlarged, over the photo",
            "The heat map enlarged to the size of the photo, over the photo",
            heat_overlay(_photo(lesson, side), heat),
        ),
    )


def _threshold(lesson: Lesson, side: int) -> tuple[View, ...]:
    return (_over(lesson, "rough", "The rough mask", lesson.seg.rough, side),)


def _unary(lesson: Lesson, side: int) -> tuple[View, ...]:
    if lesson.crf is None:
        return ()
    shape = _shape(lesson, side)
    evidence = resize(heat_colours(lesson.crf.unary), shape)
    return (
        _exact_view(
            "unary",
            "Evidence for rust, 5 to 95 %",
            "Map of the evidence passed to the CRF, from dark violet (low) to yellow (high)",
            evidence,
            1,
        ),
        _photo_view("photo", "Photo: colours for the CRF", "The photo", _photo(lesson, side)),
    )


def _crf(lesson: Lesson, side: int) -> tuple[View, ...]:
    if lesson.crf is None:
        return ()
    return tuple(_update(lesson, k, side) for k in range(lesson.crf.updates + 1))


def _update(lesson: Lesson, step: int, side: int) -> View:
    assert lesson.crf is not None
    area = percent(lesson.crf.areas[step])
    when = "Before the first update" if step == 0 else f"After update {step}"
    mask = bilinear(lesson.crf.posteriors[step], _shape(lesson, side)) >= 0.5
    return _photo_view(
        f"update{step}",
        f"{when}: {area}",
        f"{when} the mask covers {area} of the photo",
        mask_overlay(_photo(lesson, side), mask),
    )


def _mask(lesson: Lesson, side: int) -> tuple[View, ...]:
    return (
        _photo_view("photo", "Photo", "The photo", _photo(lesson, side)),
        _over(lesson, "overlay", "Mask over the photo", lesson.seg.mask, side),
        _plain(lesson, side),
    )


def _truth(lesson: Lesson, side: int) -> tuple[View, ...]:
    truth = lesson.truth
    return () if truth is None else tuple(_difference(lesson, n, side) for n in truth.stages)


_STEPS: Mapping[str, Callable[[Lesson, int], tuple[View, ...]]] = {
    "seen": _seen,
    "blocks": _blocks,
    "heatmap": _heatmap,
    "threshold": _threshold,
    "unary": _unary,
    "crf": _crf,
    "mask": _mask,
    "truth": _truth,
}


def exhibits_of(lesson: Lesson) -> Mapping[str, str]:
    """Return the exhibits of this lesson, in the order of the method: name -> label."""
    names = ["photo", "heatmap", "heat", "rough"]
    titles = {name: SHOWS[name] for name in names}
    if lesson.crf:
        titles["unary"] = SHOWS["unary"]
        for k in range(lesson.crf.updates):
            titles[f"update{k}"] = f"Mask after update {k}" if k else "Mask before the first update"
    titles |= {name: SHOWS[name] for name in ("mask", "plain")}
    if lesson.truth:
        titles |= {f"diff-{name}": SHOWS[f"diff-{name}"] for name in lesson.truth.stages}
    return MappingProxyType(titles)


def exhibit(lesson: Lesson, show: str, *, side: int = SIDE) -> Exhibit:
    """Draw one exhibit in the shape of the photo, so that any two can be overlaid.

    Parameters
    ----------
    lesson : what `teach` returned
    show : one of `exhibits_of`
    side : approximate longer side in pixels; the photo is not enlarged

    Returns
    -------
    `Exhibit`

    Raises
    ------
    ConfigError
        `show` is not one of `exhibits_of` this lesson.
    """
    allowed = exhibits_of(lesson)
    if show not in allowed:
        raise ConfigError(
            f"show is {show!r}; for this photo it must be one of {', '.join(allowed)}"
        )
    view = replace(_shown(lesson, show, side), name=show, caption=allowed[show])
    return Exhibit(view, MappingProxyType(_numbers(lesson, show)))


def _shown(lesson: Lesson, show: str, side: int) -> View:
    seg, photo = lesson.seg, _photo(lesson, side)
    if show.startswith("update"):
        return _update(lesson, int(show.removeprefix("update")), side)
    if show.startswith("diff-"):
        return _difference(lesson, show.removeprefix("diff-"), side)
    if show == "photo":
        return _photo_view(show, "", "The photo", photo)
    if show == "heatmap":
        rows, columns = (np.arange(n) * m // n for n, m in zip(photo.shape, seg.heat.shape))  # noqa: B905
        colours = heat_colours(seg.heat)[np.ix_(rows, columns)]
        return _photo_view(show, "", "The heat map on its original grid", colours)
    if show == "heat":
        return _photo_view(show, "", "The heat map over the photo", heat_overlay(photo, seg.heat))
    if show == "unary":
        return replace(_unary(lesson, side)[0])
    if show == "plain":
        return _plain(lesson, side)
    return _over(lesson, show, "", seg.rough if show == "rough" else seg.mask, side)


_STAGE_OF = {"grid": "grid", "heat": "heatmap", "heatmap": "heatmap", "rough": "threshold"}
_STAGE_OF |= {"mask": "verdict", "plain": "verdict"}


def _numbers(lesson: Lesson, show: str) -> dict[str, str]:
    """Return the numbers of an exhibit."""
    seg = lesson.seg
    if show == "photo":
        return {"Size": f"{seg.image.shape[1]} x {seg.image.shape[0]}"}
    numbers = {}
    if show in ("heatmap", "heat"):
        numbers["P(corrosion)"] = percent(seg.probability, digits=0, sure=False)
        numbers["Maximum"] = f"{float(seg.heat.max()):.2f}"
        numbers["Threshold"] = f"{seg.threshold:.2f}"
    areas = {"rough": seg.rough, "mask": seg.mask, "plain": seg.mask}
    if show in ("mask", "plain"):
        numbers["P(corrosion)"] = percent(seg.probability, digits=0, sure=False)
    if show in areas:
        numbers["Area"] = percent(float(areas[show].mean()))
    if show.startswith("update") and lesson.crf:
        numbers["Area"] = percent(lesson.crf.areas[int(show.removeprefix("update"))])
    stage = show.removeprefix("diff-") if show.startswith("diff-") else _STAGE_OF.get(show)
    if lesson.truth and stage:
        best = " at the best threshold" if stage == "heatmap" else ""
        numbers[f"IoU{best}"] = f"{lesson.truth.stages[stage].iou:.2f}"
    return numbers


def thumbnails(lesson: Lesson) -> Mapping[str, View]:
    """Draw a thumbnail for each step of a lesson, for the strip: name of the step -> view."""
    seg, inside = lesson.seg, lesson.inside
    photo = _photo(lesson, THUMBNAIL)
    shape = (photo.shape[0], photo.shape[1])
    last = inside.blocks[-1].shown[0].picture
    pictures = {
        "seen": inside.seen,
        "blocks": heat_colours(last),
        "heatmap": heat_colours(seg.heat),
        "threshold": mask_overlay(photo, shrink_mask(seg.rough, shape)),
        "mask": mask_overlay(photo, shrink_mask(seg.mask, shape)),
    }
    if lesson.crf:
        pictures["unary"] = heat_colours(lesson.crf.unary)
        middle = lesson.crf.posteriors[min(1, lesson.crf.updates)] >= 0.5
        pictures["crf"] = mask_overlay(photo, shrink_mask(middle, shape))
    if lesson.truth:
        pictures["truth"] = difference_picture(
            seg.image, lesson.truth.stages["verdict"], side=THUMBNAIL
        )
    return {name: _small(name, picture, shape) for name, picture in pictures.items()}


def _small(name: str, picture: _Picture, shape: tuple[int, int]) -> View:
    exact = name in ("blocks", "heatmap")
    how = Image.Resampling.NEAREST if exact else Image.Resampling.BILINEAR
    fitted = np.asarray(Image.fromarray(picture).resize(shape[::-1], how))
    return _photo_view(name, "", "", fitted)


def _shape(lesson: Lesson, side: int) -> tuple[int, int]:
    return working_shape((lesson.seg.image.shape[0], lesson.seg.image.shape[1]), side)


def _photo(lesson: Lesson, side: int) -> _Picture:
    shape = _shape(lesson, side)
    image: _Picture = lesson.seg.image
    return image if image.shape[:2] == shape else resize(image, shape)


def _over(lesson: Lesson, name: str, caption: str, mask: NDArray[np.bool_], side: int) -> View:
    area = percent(float(mask.mean()))
    what = "rough mask" if name == "rough" else "mask"
    alt = f"The {what} over the photo: {area} of the photo"
    drawn = mask_overlay(_photo(lesson, side), shrink_mask(mask, _shape(lesson, side)))
    return _photo_view(name, caption, alt, drawn)


def _plain(lesson: Lesson, side: int) -> View:
    mask = shrink_mask(lesson.seg.mask, _shape(lesson, side))
    grey = np.repeat((mask * np.uint8(255))[..., None], 3, axis=2)
    return _exact_view(
        "plain", "Mask (white: rust)", "The mask, white where there is rust", grey, 1
    )


def _difference(lesson: Lesson, name: str, side: int) -> View:
    assert lesson.truth is not None
    stage = lesson.truth.stages[name]
    hit, missed, extra = (int(part.sum()) for part in (stage.hit, stage.missed, stage.extra))
    lost = percent(missed / max(1, hit + missed), digits=0)
    none = percent(extra / max(1, hit + extra), digits=0)
    alt = f"{STAGE_LABELS[name]}: {lost} of the true rust missed, {none} of the mask is not rust"
    picture = difference_picture(lesson.seg.image, stage, side=side)
    return _photo_view(f"diff-{name}", f"{STAGE_LABELS[name]}: IoU {stage.iou:.2f}", alt, picture)


def _photo_view(name: str, caption: str, alt: str, picture: _Picture) -> View:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=_QUALITY, subsampling=0)
    height, width = picture.shape[:2]
    return View(name, caption, alt, file.getvalue(), "image/jpeg", width, height)


def _exact_view(name: str, caption: str, alt: str, picture: _Picture, side: int) -> View:
    """Encode as PNG, enlarged by a whole number to about `side`; few colours use a palette."""
    large = Image.fromarray(enlarge(picture, side))
    file = io.BytesIO()
    few = large.getcolors(256)
    (large.convert("P", palette=Image.Palette.ADAPTIVE, colors=256) if few else large).save(
        file, "PNG"
    )
    return View(name, caption, alt, file.getvalue(), "image/png", large.width, large.height)
