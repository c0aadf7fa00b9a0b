"""pyproject.toml's ranges and requirements.txt's pins are of the same packages and agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def pins(name: str) -> dict[str, str]:
    """Package -> version, of the lines `package==version`."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w-]+)==([\w.]+)", text, re.MULTILINE))


WANTED = [*PROJECT["dependencies"], *EXTRAS["app"], *EXTRAS["train"]]


@pytest.mark.parametrize("line", WANTED)
def test_the_pin_is_in_the_range(line: str) -> None:
    wanted, pinned = Requirement(line), pins("requirements.txt")
    assert wanted.name in pinned
    assert wanted.specifier  # a lower bound at least
    assert pinned[wanted.name] in wanted.specifier


def test_nothing_is_pinned_that_nobody_asks_for() -> None:
    assert set(pins("requirements.txt")) == {Requirement(line).name for line in WANTED}
