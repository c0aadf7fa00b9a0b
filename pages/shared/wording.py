"""Corrections in words, the same on the pages Correct and Labels."""

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
    """Return a status with its icon."""
    return f":material/{STATUS_ICONS[name]}: {name}"


def time(made: str) -> str:
    """Format a stored time to the minute."""
    return f"{made[:10]} {made[11:16]} UTC"


def area(share: float) -> str:
    """Format a rusted share with the grade that it implies."""
    return f"{percent(share)} · {grade(share).iso.words('Ri ')}"


def words(correction: Correction) -> str:
    """Describe a correction, without its note."""
    parts = [VERDICTS[correction.verdict]]
    if correction.mask is not None:
        pixels = correction.mask.height * correction.mask.width - (correction.ignored or 0)
        parts.append(area((correction.area or 0) / max(1, pixels)))
    if correction.ignored:
        parts.append(f"{correction.ignored} pixels marked can't tell")
    parts += correction.reasons
    if correction.wrong_reason:
        parts.append("right answer, wrong reason")
    if correction.seconds and correction.seconds >= 1:
        parts.append(f"{correction.seconds:.0f} s")
    return keep_together(" · ".join(parts))


def changed(change: labels.Change) -> str:
    """Describe the change of a mask."""
    said = f"{percent(change.added)} of the photo added, "
    return f"{said}{percent(change.dropped)} removed, IoU {change.iou:.2f}"


def legend(hit: str = "unchanged", missed: str = "added", extra: str = "removed") -> str:
    """Return HTML with the colours of a difference image."""
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
