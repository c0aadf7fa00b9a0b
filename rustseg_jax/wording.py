"""How a share is written for a person: one answer for reports, lessons, pages and commands."""

from __future__ import annotations

__all__ = ["percent", "setting"]


def percent(share: float, *, digits: int = 1, sure: bool = True) -> str:
    """Write a measured share as percent that rounding never turns into all or nothing.

    Parameters
    ----------
    share : in [0, 1]
    digits : decimals
    sure : whether the share may be exactly 0 or 1, as a counted area may; a probability may not,
        and stays "over 99 %" where its floating point number is 1

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
    """Write a share that somebody chose, a threshold or a level, as it was chosen: "12.5 %"."""
    return f"{100 * share:g} %"
