"""What an expert said, in words: the same on the page of corrections and on that of labels."""

from __future__ import annotations

from pages.shared.page import keep_together, percent
from rustseg_jax import labels
from rustseg_jax.drawing.difference import DIFFERENCE_COLOURS
from rustseg_jax.labels.records import Correction
from rustseg_jax.report.grading import grade

__all__ = ["STATUS_ICONS", "VERDICTS", "area", "changed", "legend", "status", "time", "words"]

STATUS_ICONS = {
    "open": "schedule", "approved": "check_circle", "rejected": "cancel", "flagged": "flag",
    "withdrawn": "undo",
}  # fmt: skip
VERDICTS = {"corrosion": "Corrosion", "none": "No corrosion", "can't tell": "Can't tell"}


def status(name: str) -> str:
    """A status with its icon."""
    return f":material/{STATUS_ICONS[name]}: {name}"


def time(made: str) -> str:
    """A stored time to the minute."""
    return f"{made[:10]} {made[11:16]} UTC"


def area(share: float) -> str:
    """A share of a photo with the grade that it implies."""
    return f"{percent(share)} · {grade(share).iso.words('Ri ')}"


def words(correction: Correction) -> str:
    """All that a correction says, but for its note."""
    parts = [VERDICTS[correction.verdict]]
    if correction.mask is not None:
        pixels = correction.mask.height * correction.mask.width - (correction.ignored or 0)
        parts.append(area((correction.area or 0) / max(1, pixels)))
    if correction.ignored:
        parts.append(f"{correction.ignored} pixels can't be told")
    parts += correction.reasons
    if correction.wrong_reason:
        parts.append("right answer, wrong reason")
    if correction.seconds and correction.seconds >= 1:
        parts.append(f"{correction.seconds:.0f} s")
    return keep_together(" · ".join(parts))


def changed(change: labels.Change) -> str:
    """What became of a mask."""
    said = f"{percent(change.added)} of the photo added, "
    return f"{said}{percent(change.dropped)} taken away, IoU {change.iou:.2f}"


def legend(hit: str = "kept", missed: str = "added", extra: str = "taken away") -> str:
    """HTML that tells the colours of a difference."""
    names = {"hit": hit, "missed": missed, "extra": extra}
    marks = "".join(
        f'<span><i style="background: rgb{tuple(DIFFERENCE_COLOURS[k])}"></i>{name}</span>'
        for k, name in names.items()
    )
    style = (
        "<style>.difference span { margin-right: 1.25em } .difference i { display: inline-block; "
        "width: .8em; height: .8em; margin-right: .4em; border-radius: 2px }</style>"
    )
    return f'{style}<div class="difference">{marks}</div>'
