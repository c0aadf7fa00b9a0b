"""Percentages as text, written the same way in reports, lessons, pages and commands."""

from __future__ import annotations

__all__ = ["percent", "setting"]


def percent(share: float, *, digits: int = 1, sure: bool = True) -> str:
    """Format a measured share as a percentage that is never rounded to 0 or 100 %.

    Parameters
    ----------
    share : in [0, 1]
    digits : decimal places
    sure : whether the share may be exactly 0 or 1, as a counted area may; a probability may not,
        and is written "over 99 %" even if its floating-point value is 1

    Returns
    -------
    "12.3 %", "over 99.9 %", "under 0.1 %"
    """
    rounded, step = f"{100 * share:.{digits}f}", 10.0**-digits
    if float(rounded) >= 100 and not (sure and share >= 1):
        return f"over {100 - step:.{digits}f} %"
    if float(rounded) <= 0 and not (sure and share <= 0):
        return f"under {step:.{digits}f} %"
    return f"{rounded} %"


def setting(share: float) -> str:
    """Format a chosen share, such as a threshold or a level, with the digits given: "12.5 %"."""
    return f"{100 * share:g} %"
