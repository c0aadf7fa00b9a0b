"""The guided tour: what segmentation is, how it is learnt without masks, and where it fails.

Written for readers who are new to the subject. Statements about a photo are filled in from its own
result, so that they stay true when the weights change. The images of failures are rendered here,
with known masks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import skimage.measure

from rustseg_jax.classify.weights import DEFAULT
from rustseg_jax.errors import ConfigError, DataError
from rustseg_jax.evaluate.failure_record import NAME, read_failures
from rustseg_jax.evaluate.failures import FIRST_SEED, with_small_rust
from rustseg_jax.metrics import confusion, iou
from rustseg_jax.scenes import Scene, render
from rustseg_jax.scenes.shadows import cast_shadow
from rustseg_jax.teaching.lesson import Lesson
from rustseg_jax.wording import percent, setting

__all__ = ["SCENES", "TOUR", "TourStop", "facts", "outcome", "tour_scene"]


@dataclass(frozen=True)
class TourStop:
    """One stop of the tour.

    Attributes
    ----------
    name : short and stable
    title : heading
    short : the title in a word or two
    text : Markdown template; the names in braces are keys of `facts` of the first subject
    show : what to draw: "mask", "labels", "truth", "looks", "scores", "heatmap", "refine",
        "outcomes" or "links"
    subjects : names of the samples, or of `SCENES`, to show
    """

    name: str
    title: str
    short: str
    text: str
    show: str
    subjects: tuple[str, ...] = ()


SCENES: Mapping[str, str] = MappingProxyType(
    {
        "timber": "Timber boards, no rust",
        "small": "Small rust on a painted wall",
        "light": "A rusting pipe in the light",
        "shadow": "The same pipe in shadow",
        "all_rust": "A sheet that is nearly all rust",
    }
)
"""Scenes that only the tour uses: name -> title."""

_PIPE = "pipe"

FIRST_ALL_RUST = 0.428
"""Share of the rusted area that the first weights marked: docs/decisions/0010, photos, before."""

TOUR: tuple[TourStop, ...] = (
    TourStop(
        "segmentation",
        "A label for every pixel",
        "Segmentation",
        "You can ask a computer three questions about this photo, each harder than the last. "
        "*Is there rust?* The answer is one word. *Roughly where?* The answer is a box. *Which "
        "pixels, exactly?* Now each of the {pixels} pixels needs a label of its own. This is "
        "**semantic segmentation**: the input is an image, the output is a label for every pixel, "
        "the **mask**.\n\n"
        "Here there are two labels, rust and everything else. The method marks {area} of this "
        "photo as rust. Inspectors need this number: corrosion of a bridge or a ship is graded by "
        "the share of the surface that has rusted.\n\n"
        "Move the divider to see the mask.",
        "mask",
        ("steel_beam",),
    ),
    TourStop(
        "weak",
        "Learning from one word per image",
        "Weak labels",
        "The usual way to train such a network is to show it thousands of photos *with* their "
        "masks. This network was trained without masks. For each training image it was given one "
        "label: *corrosion* or *no corrosion*.\n\n"
        "This is **weak supervision**: the labels say less than the network is later asked for. "
        "The idea behind it is simple. To tell the two kinds of images apart, the network has to "
        "find out what makes the difference. Image labels are enough to learn what rust looks "
        "like; afterwards we ask *where* the network saw it.",
        "labels",
        ("steel_beam", "leaves", "post_base", "graffiti", "clean_pipe", "tank_manhole"),
    ),
    TourStop(
        "masks",
        "Why masks of rust are rare",
        "Rare masks",
        "An image label takes a second. A mask means tracing the edge of every patch of rust, and "
        "rust makes this hard: it forms spots, pinholes and ragged edges, and it fades into "
        "stains. This small scene has **{patches} separate patches**.\n\n"
        "The person who draws it also has to decide: is the brown run-off below a bolt rust, or "
        "only a stain? Two experts will not draw the same mask. Anyone can draw masks of cats and "
        "cars; corrosion takes people who inspect steel, and their time is scarce.\n\n"
        "We know this mask to the pixel only because the scene is not a photo: it was rendered by "
        "a program that knows where it placed the rust.",
        "truth",
        ("painted_steel",),
    ),
    TourStop(
        "data",
        "How the data set was made",
        "Data set",
        "The network was trained on **5908 images with one label each**. 1408 show corrosion: "
        "ships, pipes, cars, bolts, bridges. 4500 do not, and they matter as much: clean steel, "
        "copper and gold, red doors, brick walls, graffiti, animals, food. With easy negatives "
        "only, a network would learn that *reddish* means rust.\n\n"
        "763 other images were used to calibrate its probabilities: of the photos that it gives "
        "80 %, about 80 in 100 are corroded.\n\n"
        "Masks drawn by people exist for 622 photos. The network was not trained on these masks. "
        "Half of them were used to choose settings such as the threshold and the CRF, the other "
        "half to test the method.\n\n"
        "The training images belong to others and cannot be shown here. The images shown are "
        "rendered scenes of the same kinds.",
        "looks",
        ("plate", "corrugated", "brick", "red_paint", "leaves", "clean_pipe"),
    ),
    TourStop(
        "classify",
        "Stage 1: is there any rust?",
        "Classify",
        "Ten layers of small filters process the photo, each using the output of the one before. "
        "The first layers detect edges and colours, the last ones whole textures. The output is "
        "two scores, one for *clean* and one for *corrosion*. Their difference is the "
        "**margin**.\n\n"
        "The curve converts the margin to a probability, here **{p}**. A photo with {limit} or "
        "more counts as corroded. This threshold is low because missed rust costs more than a "
        "false alarm.\n\n"
        "If this stage finds no corrosion, the method stops here and there is no mask.",
        "scores",
        (_PIPE,),
    ),
    TourStop(
        "localise",
        "Stage 2: where is the evidence?",
        "Localise",
        "Before its last step the network computes a grid of {grid} positions. It was not trained "
        "to output a map, but its scoring rule can be applied to each position separately: *would "
        "this position alone count as rust?* Shown in colour, the answers are a **heat map**.\n\n"
        "This is why image labels are enough: to get them right, the network had to find evidence "
        "at some positions, and the heat map shows which.\n\n"
        "The map is coarse: one square is about {cell} pixels of the photo wide.",
        "heatmap",
        (_PIPE,),
    ),
    TourStop(
        "refine",
        "Stage 3: from squares to an outline",
        "Refine",
        "First a **threshold**: a heat of {threshold} or more counts as rust. This gives the rough "
        "mask, on the left, which is as coarse as the heat map.\n\n"
        "Then a **conditional random field** (CRF). It works like a vote: each pixel is "
        "influenced by pixels that are near and similar in colour. If most of them are rust, the "
        "pixel becomes rust. After a few updates the outline has moved to where the colour "
        "changes, on the right.{gain}",
        "refine",
        (_PIPE,),
    ),
    TourStop(
        "lookalikes",
        "Where it fails: look-alikes",
        "Look-alikes",
        "Brick is reddish, rough and patchy, and so is rust. Weathered boards have similar browns "
        "and streaks. The network has learnt textures, not materials: it does not *know* that "
        "walls do not rust.\n\nThe results shown were computed just now.",
        "outcomes",
        ("brick", "timber"),
    ),
    TourStop(
        "small",
        "Where it fails: small rust",
        "Small rust",
        "Early rust is what inspectors want to find. But a few spots on a large clean wall "
        "contribute little to a verdict on the whole photo. They can be missed, and then there is "
        "no mask at all.\n\nThe remedy is a closer view. For this reason, large photos are "
        "analysed in tiles.",
        "outcomes",
        ("small",),
    ),
    TourStop(
        "shadow",
        "Where it is less certain: shadow",
        "Shadow",
        "In shadow, rust loses its most typical feature: its colour. The same pipe is shown "
        "twice, once in the light and once with a shadow across it; everything else is the same. "
        "Compare the probabilities.{shadow_photos}",
        "outcomes",
        ("light", "shadow"),
    ),
    TourStop(
        "all_rust",
        "Where it failed before: nothing but rust",
        "All rust",
        "If everything is rust, there is nothing to compare it with. The authors of the method "
        "list this as a failure: without a clean area in the photo, the threshold splits the rust "
        "itself.\n\n"
        "Rendered sheets are no longer a problem, as you can see.{all_rust_photos}",
        "outcomes",
        ("all_rust",),
    ),
    TourStop(
        "onward",
        "Try it yourself",
        "Try it",
        "You now know the whole method. Some things to try:\n\n"
        "- Go through a photo **stage by stage**. Lower the threshold to 0.20: what is marked "
        "that is not rust? Which stage causes the largest loss?\n"
        "- Compare **Grad-CAM++** with the score map. They answer the same question in two ways: "
        "which one shows what the network relies on? Measure their faithfulness.\n"
        "- Find a photo of your own that **fools** the method. What was taken for rust, and why?",
        "links",
    ),
)
"""The stops in order; a link holds their number, from 1."""


def tour_scene(name: str) -> Scene:
    """Render a scene of the tour.

    Parameters
    ----------
    name : one of `SCENES`

    Returns
    -------
    `Scene`, 448 by 448 pixels; takes about a second

    Raises
    ------
    ConfigError
        `name` is not one of `SCENES`.
    """
    if name == "timber":
        return render("timber", 12)
    if name == "small":
        return with_small_rust("painted_steel", FIRST_SEED + 1)
    if name == "light":
        return render("pipe", FIRST_SEED)
    if name == "shadow":
        lit = render("pipe", FIRST_SEED)
        image, _ = cast_shadow(lit.image, "foliage", FIRST_SEED)
        return Scene(image, lit.mask, lit.kind, lit.corroded)
    if name == "all_rust":
        return render("rusted_sheet", 18)
    raise ConfigError(f"name is {name!r}; it must be one of {', '.join(SCENES)}")


def facts(lesson: Lesson) -> dict[str, str]:
    """Return the values for the template of a stop, about a photo and the weights used.

    Returns
    -------
    Name in braces -> formatted value. Statements on real photos are empty for weights without a
    failure record beside the shipped weights.
    """
    seg, rows, columns = lesson.seg, *lesson.seg.heat.shape
    height, width = seg.image.shape[:2]
    words = {
        "pixels": f"{height * width:,}",
        "area": percent(seg.area),
        "p": percent(seg.probability, digits=0, sure=False),
        "limit": setting(seg.config.decision_threshold),
        "grid": f"{rows} x {columns}",
        "cell": f"{max(height / rows, width / columns):.0f}",
        "threshold": f"{seg.threshold:.2f}",
        "patches": "many",
        "gain": "",
        **_on_photos(str(seg.model.get("digest", ""))),
    }
    if lesson.truth:
        words["patches"] = str(skimage.measure.label(lesson.truth.mask, connectivity=2).max())
        before, after = (lesson.truth.stages[name].iou for name in ("threshold", "crf"))
        words["gain"] = (
            f"\n\nCompared with the true mask, the intersection over union (IoU; 1 is perfect) is "
            f"{before:.2f} for the rough mask and {after:.2f} after the CRF."
        )
    return words


def _on_photos(digest: str) -> dict[str, str]:
    """Return sentences on the same failures in real photos; empty if not measured."""
    empty = {"shadow_photos": "", "all_rust_photos": ""}
    try:
        record = read_failures(DEFAULT.with_name(NAME))
    except DataError:
        return empty
    dark, sound, marked = (
        record.photos(*measure)
        for measure in (
            ("shadow", "recall_shadow"), ("shadow", "fp_shadow"), ("all_rust", "recall")
        )
    )  # fmt: skip
    if record.weights != digest or dark is None or sound is None or marked is None:
        return empty
    in_dark, on_sound, now, before = (
        percent(share, digits=0) for share in (dark, sound, marked, FIRST_ALL_RUST)
    )
    return {
        "shadow_photos": (
            f"\n\nReal photos are harder than rendered scenes. In photos with much shadow, "
            f"{in_dark} of the rust in the shadow was found, and {on_sound} of the clean surface "
            "there was also marked."
        ),
        "all_rust_photos": (
            f" In real photos that are mostly rust, {now} of it was marked; the first version "
            f"of this network marked {before}."
        ),
    }


def outcome(lesson: Lesson, rusty: bool) -> str:
    """Say in Markdown whether the verdict on a photo with a known answer is right.

    Parameters
    ----------
    lesson : the photo's lesson, with the true mask if there is rust
    rusty : whether the photo shows rust
    """
    seg = lesson.seg
    p = percent(seg.probability, digits=0, sure=False)
    limit = setting(seg.config.decision_threshold)
    if not rusty:
        if not seg.corroded:
            return f"**Correct.** There is no rust, and P(corrosion) is {p}, below {limit}."
        return (
            f"**False alarm.** There is no rust, but P(corrosion) is {p} and "
            f"{percent(seg.area)} of the photo is marked."
        )
    if lesson.truth is None:
        return f"P(corrosion) is {p}; {percent(seg.area)} of the photo is marked."
    true = lesson.truth.mask
    share = percent(float(true.mean()))
    if not seg.corroded:
        hinted = float(seg.rough[true].mean())
        return (
            f"**Missed rust.** {share} of the photo is rust, but P(corrosion) is {p}, below "
            f"{limit}, so there is no mask. The discarded rough mask covers "
            f"{percent(hinted, digits=0)} of the rust."
        )
    marked = percent(float(seg.mask[true].mean()), digits=0)
    overlap = iou(confusion(seg.mask, true))
    return (
        f"**Found.** P(corrosion) is {p}. {share} of the photo is rust, and {marked} of it is "
        f"marked; the IoU is {overlap:.2f}."
    )
