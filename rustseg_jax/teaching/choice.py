"""What a visitor of the teaching view can choose of the method, and how a link carries it.

A link names only what differs from the default, `?cam=grad_cam&rule=otsu`, and only by the
names below; nothing else is taken from it.
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
"""Field of `Choice`, as a link names it -> allowed value -> what a person reads."""

DEFAULTS: Mapping[str, str] = MappingProxyType({"cam": "score_map", "rule": "dynamic", "crf": OURS})
"""What is used where a link says nothing: the shipped choice."""

LEAST_CUT, MOST_CUT = 0.01, 0.99
"""Between these a threshold may be set by hand, in hundredths."""


@dataclass(frozen=True)
class Choice:
    """One way through the method.

    Attributes
    ----------
    cam : how the heat map is made, of `alternatives.HEAT_MAPS`
    rule : for the threshold, of `alternatives.RULES`
    crf : its parameters, of `alternatives.CRF_PRESETS`
    cut : a threshold set by hand instead of the rule's, 0.01 to 0.99; None for the rule's

    Raises
    ------
    ConfigError
        A value is not allowed.
    """

    cam: str = DEFAULTS["cam"]
    rule: str = DEFAULTS["rule"]
    crf: str = DEFAULTS["crf"]
    cut: float | None = None

    def __post_init__(self) -> None:
        for name, allowed in OPTIONS.items():
            value = getattr(self, name)
            if value not in allowed:
                raise ConfigError(f"{name} is {value!r}; allowed are {', '.join(allowed)}")
        if self.cut is not None and not LEAST_CUT <= self.cut <= MOST_CUT:
            raise ConfigError(f"cut is {self.cut}; allowed is {LEAST_CUT} to {MOST_CUT}")

    @property
    def seen(self) -> Choice:
        """The same as far as the network is concerned: only the heat map's kind is left."""
        return Choice(cam=self.cam)

    def config(self, base: Config | None = None) -> Config:
        """Return the configuration that makes this kind of heat map, otherwise `base`."""
        base = base or Config()
        if self.cam == DEFAULTS["cam"]:
            return base  # with the views it was measured best with
        options: dict[str, Any] = {**HEAT_MAPS[self.cam][1]}
        return base.with_heat_map(LocaliseConfig(**options))

    def link(self) -> dict[str, str]:
        """Name what differs from the default, for the address of a page."""
        named = {k: getattr(self, k) for k, v in DEFAULTS.items() if getattr(self, k) != v}
        return named if self.cut is None else {**named, "cut": f"{self.cut:.2f}"}


def read_choice(link: Mapping[str, str]) -> tuple[Choice, tuple[str, ...]]:
    """Read a choice from an address; what is not allowed is left at its default.

    Parameters
    ----------
    link : names and values of an address; others than those of `Choice` are passed over

    Returns
    -------
    The choice, and a message for each value that was not allowed
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
    """A threshold in hundredths, and what is wrong with it."""
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
    """Cut and refine a heat map again as a choice says; the network does not run.

    Parameters
    ----------
    choice : its `rule`, `crf` and `cut` count; its `cam` is taken to be that of the result
    seg : a result whose threshold and CRF are the default ones

    Returns
    -------
    A new result, or the same where nothing differs
    """
    if choice == choice.seen:
        return seg
    how = replace(seg.config.threshold, rule=cast(Rule, choice.rule))
    seg = replace(seg, config=replace(seg.config, threshold=how))
    cut = choice.cut if choice.cut is not None else refine.find_threshold(seg.heat, how)
    crf = None if choice.crf == OURS else crf_preset(choice.crf, seg)
    return resegment(seg, threshold=min(cut, math.nextafter(1.0, 0.0)), crf=crf)
