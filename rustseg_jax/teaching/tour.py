"""The guided tour: what segmentation is, how it is learnt without masks, and where it fails.

Words for somebody who hears of it for the first time. What they say of a photo is filled in from
its own result, so that they stay true when the weights change; the pictures of failures are
rendered here, with known masks.
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
    title : a heading
    short : the title in a word or two
    text : Markdown, a template; the names in braces are those of `facts` of the first subject
    show : what is drawn: "mask", "labels", "truth", "looks", "scores", "heatmap", "refine",
        "outcomes" or "links"
    subjects : names of samples, or of `SCENES`, that are shown
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
"""Scenes that only the tour has, by name -> what a person reads."""

_PIPE = "pipe"

FIRST_ALL_RUST = 0.428
"""Share of the rusted area that the first weights marked: docs/decisions/0010, photos before."""

TOUR: tuple[TourStop, ...] = (
    TourStop(
        "segmentation",
        "A label for every pixel",
        "Segmentation",
        "You can ask a computer three questions about this photo, each harder than the last. "
        "*Is there rust?* One word is the answer. *Roughly where?* A box is. *Which pixels, "
        "exactly?* Now each of the {pixels} pixels needs an answer of its own. That is **semantic "
        "segmentation**: a picture goes in, and a picture of meanings comes out, the **mask**.\n\n"
        "Here there are two meanings, rust and everything else. The method marks {area} of this "
        "picture as rust. Inspectors need that number: how badly a bridge or a ship is corroded "
        "is graded by the share of the surface that has rusted.\n\n"
        "Move the divider to see what was marked.",
        "mask",
        ("steel_beam",),
    ),
    TourStop(
        "weak",
        "Learning from one word a picture",
        "Weak labels",
        "The usual way to teach this to a network is to show it thousands of photos *with* their "
        "masks. This one never learnt from a mask. All it was told of a training picture was one "
        "word: *corrosion*, or *no corrosion*.\n\n"
        "That is **weak supervision**: the lesson is weaker than the exam. It sounds impossible, "
        "and the trick is simple. To tell the two kinds of pictures apart, the network has to find "
        "out what makes the difference. Pictures with a word each are enough to learn what rust "
        "looks like; afterwards we ask *where* it saw that.",
        "labels",
        ("steel_beam", "leaves", "post_base", "graffiti", "clean_pipe", "tank_manhole"),
    ),
    TourStop(
        "masks",
        "Why nobody has a million rust masks",
        "Rare masks",
        "A word takes a second to write. A mask means following the edge of every patch of rust, "
        "and rust is not polite: it comes in spots, pin-holes and ragged edges, and it fades into "
        "stain. In this small scene there are **{patches} separate patches**.\n\n"
        "And whoever draws has to decide: is the brown run-off below a bolt rust, or only a stain? "
        "Two experts will not draw the same mask. Masks of cats and cars can be drawn by anybody; "
        "for corrosion you need people who inspect steel, and they have other work.\n\n"
        "We know this mask to the pixel for one reason only: the scene is not a photo. A program "
        "painted it, and it knows where it put the rust.",
        "truth",
        ("painted_steel",),
    ),
    TourStop(
        "data",
        "How the data set was made",
        "Data set",
        "The shipped network learnt from **5908 pictures and as many words**. 1408 show corrosion: "
        "ships, pipes, cars, bolts, bridges. 4500 do not, and those matter as much: clean steel, "
        "copper and gold, red doors, brick walls, graffiti, animals, food. With easy opposites "
        "only, a network would learn that *reddish* means rust.\n\n"
        "763 other pictures never trained it. They set how sure it may claim to be, so that of "
        "the photos it gives 80 % about 80 in 100 are corroded.\n\n"
        "Masks drawn by people exist for 622 photos, and the network learnt from none of them. One "
        "half chose settings such as the threshold and the CRF; the other half is the exam.\n\n"
        "Those pictures belong to others and cannot be shown here. These are rendered ones of the "
        "same kinds.",
        "looks",
        ("plate", "corrugated", "brick", "red_paint", "leaves", "clean_pipe"),
    ),
    TourStop(
        "classify",
        "Stage 1: is there rust at all?",
        "Classify",
        "Ten layers of small filters look at the photo, each at what the one before has found. "
        "The first know edges and colours, the last whole textures. Two scores come out, one for "
        "*clean* and one for *corrosion*, and their difference is the **margin**.\n\n"
        "The curve turns the margin into a probability. For this photo it says **{p}**. From "
        "{limit} on the photo counts as corroded: so low, because rust that is missed costs more "
        "than a second look.\n\n"
        "If this stage says no, the story ends here, without a mask.",
        "scores",
        (_PIPE,),
    ),
    TourStop(
        "localise",
        "Stage 2: where does the verdict come from?",
        "Localise",
        "Before its last step the network holds a small grid of {grid} positions. Nobody asked it "
        "for a map, but its own scoring rule can be put to each position by itself: *would you, "
        "alone, say rust?* Colour the answers, and you have a **heat map**.\n\n"
        "This is why one word a picture was enough. To get the words right the network had to "
        "collect its evidence somewhere, and here we look where.\n\n"
        "It is coarse: one square is about {cell} pixels of the photo.",
        "heatmap",
        (_PIPE,),
    ),
    TourStop(
        "refine",
        "Stage 3: from squares to an outline",
        "Refine",
        "First a **threshold**: heat of {threshold} or more counts. That gives the rough mask, on "
        "the left. It is blurred where the squares were.\n\n"
        "Then a **conditional random field**, CRF for short. Think of it as a vote: each pixel "
        "listens to pixels that are near and look alike. If all its alikes say rust, it is "
        "persuaded. After a few rounds the border has moved to where the colour changes, on the "
        "right.{gain}",
        "refine",
        (_PIPE,),
    ),
    TourStop(
        "lookalikes",
        "Where it fails: look-alikes",
        "Look-alikes",
        "Brick is reddish, rough and patchy. So is rust. Weathered boards have the browns and "
        "the streaks. The network knows textures, not steel: it cannot *know* that walls do not "
        "rust.\n\nHere is what it says today, computed just now.",
        "outcomes",
        ("brick", "timber"),
    ),
    TourStop(
        "small",
        "Where it fails: a little rust",
        "Small rust",
        "The first rust is the rust you want to find. But a few spots on a wide clean wall are "
        "few votes against many: in a verdict on the whole picture they can drown, and then "
        "there is no mask at all.\n\nThe cure is to go closer. Large photos are looked at in "
        "windows for this reason.",
        "outcomes",
        ("small",),
    ),
    TourStop(
        "shadow",
        "Where it gets unsure: shadow",
        "Shadow",
        "In shadow, rust loses what gives it away: its colour. Here is one pipe twice, once in the "
        "light and once with a shadow painted across; everything else is the same. Compare how "
        "sure it is.{shadow_photos}",
        "outcomes",
        ("light", "shadow"),
    ),
    TourStop(
        "all_rust",
        "Where it failed before: nothing but rust",
        "All rust",
        "If all is rust, what should it be told from? The authors of the method list this as a "
        "failure: with no clean part in the picture, the threshold cuts the rust itself in two.\n\n"
        "Rendered sheets are no trouble any more, as you can see.{all_rust_photos}",
        "outcomes",
        ("all_rust",),
    ),
    TourStop(
        "onward",
        "Now you",
        "Now you",
        "You know the whole way now. Some things to try:\n\n"
        "- Take a photo apart **stage by stage**. Move the threshold down to 0.20: what comes in "
        "that is not rust? Which stage loses most?\n"
        "- Put **Grad-CAM++** beside the score map. Two recipes for one question: which of them "
        "does the network really rely on? Measure how faithful they are.\n"
        "- Find a photo of your own that **fools** it. What did it take for rust, and why?",
        "links",
    ),
)
"""The stops in order; a link carries their number, from 1."""


def tour_scene(name: str) -> Scene:
    """Render a scene of the tour.

    Parameters
    ----------
    name : of `SCENES`

    Returns
    -------
    `Scene`, 448 by 448 pixels; about a second

    Raises
    ------
    ConfigError
        There is no such scene.
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
    raise ConfigError(f"name is {name!r}; allowed are {', '.join(SCENES)}")


def facts(lesson: Lesson) -> dict[str, str]:
    """What the words of a stop say of a photo and of the weights that judged it.

    Returns
    -------
    The names in braces -> as a person reads them. What was measured on real photos is there for
    weights with a record of their failures beside the shipped ones, and empty for others.
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
            f"\n\nMeasured against the true mask, as overlap over union (IoU, 1 is perfect), the "
            f"rough mask has {before:.2f} here and the outline {after:.2f}."
        )
    return words


def _on_photos(digest: str) -> dict[str, str]:
    """Sentences on how the failures of the tour's scenes fare on real photos; empty if unknown."""
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
            f"\n\nReal photos are harder than scenes. In those with much shadow, {in_dark} of the "
            f"rust in the dark was found, and {on_sound} of the sound surface there was marked too."
        ),
        "all_rust_photos": (
            f" In real photos that are mostly rust, {now} of it was marked; the first version "
            f"of this network marked {before}."
        ),
    }


def outcome(lesson: Lesson, rusty: bool) -> str:
    """Say whether the method is right about a photo whose truth is known, Markdown.

    Parameters
    ----------
    lesson : with the true mask where there is rust
    rusty : whether there is rust in it
    """
    seg = lesson.seg
    p = percent(seg.probability, digits=0, sure=False)
    limit = setting(seg.config.decision_threshold)
    if not rusty:
        if not seg.corroded:
            return f"**Right.** There is no rust, and P(corrosion) is {p}, below {limit}."
        return (
            f"**False alarm.** There is no rust. It says P(corrosion) = {p} and marks "
            f"{percent(seg.area)} of the picture."
        )
    if lesson.truth is None:
        return f"P(corrosion) is {p}; {percent(seg.area)} of the picture is marked."
    true = lesson.truth.mask
    share = percent(float(true.mean()))
    if not seg.corroded:
        hinted = float(seg.rough[true].mean())
        return (
            f"**Missed.** {share} of the picture is rust. It says P(corrosion) = {p}, and reports "
            f"from {limit}: no mask. The rough mask, which was "
            f"thrown away, has {percent(hinted, digits=0)} of the rust."
        )
    marked = percent(float(seg.mask[true].mean()), digits=0)
    overlap = iou(confusion(seg.mask, true))
    return (
        f"**Found.** P(corrosion) = {p}. {share} of the picture is rust, and {marked} of "
        f"that is marked; the overlap (IoU) is {overlap:.2f}."
    )
