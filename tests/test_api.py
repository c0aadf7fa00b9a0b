"""The public API: docstrings, keyword-only options, imports that point downwards."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import rustseg_jax as rs

PACKAGE = Path(rs.__file__).parent
LEADING = {"config", "params", "path", "captions"}  # what the contracts allow by place, too
FUNCTIONS = [n for n in rs.__all__ if inspect.isfunction(getattr(rs, n))]
CLASSES = [n for n in rs.__all__ if inspect.isclass(getattr(rs, n))]


def test_the_contract_is_all_there() -> None:
    contract = {"load_model", "segment", "resegment", "segment_batch", "Config", "Segmentation"}
    contract |= {"grad_cam", "grad_cam_pp", "crf_refine"}
    assert contract <= set(rs.__all__)
    assert all(hasattr(rs, name) for name in rs.__all__)
    assert len(set(rs.__all__)) == len(rs.__all__)


@pytest.mark.parametrize("name", FUNCTIONS + CLASSES)
def test_every_public_name_is_described(name: str) -> None:
    thing = getattr(rs, name)
    assert thing.__doc__
    # A dataclass without a docstring gets its signature as one.
    assert not thing.__doc__.startswith(f"{name}(")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_and_result_is_described(name: str) -> None:
    function = getattr(rs, name)
    text = inspect.getdoc(function) or ""
    for parameter in inspect.signature(function).parameters:
        assert re.search(rf"\b{parameter}\b", text), f"{name} does not describe {parameter}"
    assert re.search(r"^(Returns|Yields)$", text, re.MULTILINE)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_options_are_keyword_only(name: str) -> None:
    for parameter in inspect.signature(getattr(rs, name)).parameters.values():
        if parameter.default is not inspect.Parameter.empty and parameter.name not in LEADING:
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, f"{name}: {parameter.name}"


def test_what_a_user_can_cause_has_one_base() -> None:
    for name in ("ConfigError", "DataError", "ImageError", "WeightsError"):
        assert issubclass(getattr(rs, name), rs.RustsegError)
        assert issubclass(getattr(rs, name), ValueError)
