"""Options of the method on the teaching pages, and their form in a link.

A link holds only the options that differ from the default, `?cam=grad_cam&rule=otsu`, and only the
names below are accepted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, cast

from rustseg_jax import refine
from rustseg_jax.config import Config, LocaliseConfig, Rule
from rustseg_jax.errors import ConfigError
from rustseg_jax.pipeline import resegment
from rustseg_jax.result import Segmentation
from rustseg_jax.teaching.alternatives import CRF_PRESETS, HEAT_MAPS, OURS, RULES, crf_preset

__all__ = ["DEFAULTS", "OPTIONS", "Choice", "read_choice", "refine_as"]

OPTIONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "cam": MappingProxyType({name: title for name, (title, _) in HEAT_MAPS.items()}),
        "rule": RULES,
        "crf": CRF_PRESETS,
    }
)
"""Field of `Choice`, as in a link -> allowed value -> label."""

DEFAULTS: Mapping[str, str] = MappingProxyType({"cam": "score_map", "rule": "dynamic", "crf": OURS})
"""Values for options that are not in a link: the shipped configuration."""

LEAST_CUT, MOST_CUT = 0.01, 0.99
"""Range of a threshold set by hand, in steps of 0.01."""


@dataclass(frozen=True)
class Choice:
    """One configuration of the method.

    Attributes
    ----------
    cam : kind of heat map, one of `alternatives.HEAT_MAPS`
    rule : threshold rule, one of `alternatives.RULES`
    crf : CRF parameters, one of `alternatives.CRF_PRESETS`
    cut : threshold set by hand, 0.01 to 0.99; None to use the rule

    Raises
    ------
    ConfigError
        A value is invalid.
    """

    cam: str = DEFAULTS["cam"]
    rule: str = DEFAULTS["rule"]
    crf: str = DEFAULTS["crf"]
    cut: float | None = None

    def __post_init__(self) -> None:
        for name, allowed in OPTIONS.items():
            value = getattr(self, name)
            if value not in allowed:
                raise ConfigError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}")
        if self.cut is not None and not LEAST_CUT <= self.cut <= MOST_CUT:
            raise ConfigError(f"cut is {self.cut}; it must be between {LEAST_CUT} and {MOST_CUT}")

    @property
    def seen(self) -> Choice:
        """The part that affects the network's output: only the kind of heat map."""
        return Choice(cam=self.cam)

    def config(self, base: Config | None = None) -> Config:
        """Return `base` with this kind of heat map."""
        base = base or Config()
        if self.cam == DEFAULTS["cam"]:
            return base  # keeps the views that gave the best results
        options: dict[str, Any] = {**HEAT_MAPS[self.cam][1]}
        return base.with_heat_map(LocaliseConfig(**options))

    def link(self) -> dict[str, str]:
        """Return the options that differ from the default, for the address of a page."""
        named = {k: getattr(self, k) for k, v in DEFAULTS.items() if getattr(self, k) != v}
        return named if self.cut is None else {**named, "cut": f"{self.cut:.2f}"}


def read_choice(link: Mapping[str, str]) -> tuple[Choice, tuple[str, ...]]:
    """Read a choice from an address; invalid values are replaced by the default.

    Parameters
    ----------
    link : names and values of an address; names that are not fields of `Choice` are ignored

    Returns
    -------
    The choice, and a message for each invalid value
    """
    good: dict[str, str] = {}
    complaints = []
    for name, allowed in OPTIONS.items():
        value = link.get(name, DEFAULTS[name])
        if value in allowed:
            good[name] = value
        else:
            complaints.append(f"{name}={value[:40]!r} is not known: use {', '.join(allowed)}")
    cut, complaint = _read_cut(link.get("cut", ""))
    if complaint:
        complaints.append(complaint)
    return Choice(**good, cut=cut), tuple(complaints)


def _read_cut(text: str) -> tuple[float | None, str]:
    """Read a threshold, rounded to 0.01; return it and an error message, or ""."""
    if not text:
        return None, ""
    try:
        value = round(float(text), 2)
    except (ValueError, OverflowError):
        value = math.nan
    if LEAST_CUT <= value <= MOST_CUT:
        return value, ""
    return None, f"cut={text[:40]!r} is not known: use a number from {LEAST_CUT} to {MOST_CUT}"


def refine_as(choice: Choice, seg: Segmentation) -> Segmentation:
    """Apply the threshold and CRF of a choice to an existing heat map; the network does not run.

    Parameters
    ----------
    choice : its `rule`, `crf` and `cut` are used; its `cam` is assumed to be that of the result
    seg : a result with the default threshold and CRF

    Returns
    -------
    A new result, or `seg` if nothing differs
    """
    if choice == choice.seen:
        return seg
    how = replace(seg.config.threshold, rule=cast(Rule, choice.rule))
    seg = replace(seg, config=replace(seg.config, threshold=how))
    cut = choice.cut if choice.cut is not None else refine.find_threshold(seg.heat, how)
    crf = None if choice.crf == OURS else crf_preset(choice.crf, seg)
    return resegment(seg, threshold=min(cut, math.nextafter(1.0, 0.0)), crf=crf)
