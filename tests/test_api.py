"""The public face: described, keyword-only options, imports that point downwards."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
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


# Imports


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(p): p for p in PACKAGE.rglob("*.py")}


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or within a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module_name(path).split(".")
            if path.name != "__init__.py":
                package = package[:-1]
            near = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*near, *([node.module] if node.module else [])])
            inner = [f"{source}.{a.name}" for a in node.names if f"{source}.{a.name}" in MODULES]
            yield from inner
            if len(inner) < len(node.names):
                yield source


USES = {name: {m for m in imported(path) if m in MODULES} for name, path in MODULES.items()}


def reach(name: str) -> set[str]:
    """All modules that come along when one is imported, itself not counted."""
    seen: set[str] = set()
    todo = list(USES[name])
    while todo:
        if (one := todo.pop()) not in seen:
            seen.add(one)
            todo += USES[one]
    return seen


def test_nothing_in_the_library_imports_streamlit() -> None:
    for path in MODULES.values():
        assert not any(m.split(".")[0] == "streamlit" for m in imported(path)), path


def test_no_module_reaches_itself() -> None:
    assert not [name for name in MODULES if name in reach(name)]


CHAIN = ["errors", "images", "convolution", "classify", "localise", "refine"]
CHAIN += ["result", "pipeline"]


@pytest.mark.parametrize("place", range(len(CHAIN)))
def test_imports_point_downwards(place: int) -> None:
    above = {f"rustseg_jax.{name}" for name in CHAIN[place:]}
    others = {"cli", "commands", "evaluate", "report", "learning", "labels", "overlay", "metrics"}
    for name in reach(f"rustseg_jax.{CHAIN[place]}"):
        assert name not in above
        assert name.split(".")[1] not in others


@pytest.mark.parametrize("name", ["overlay", "metrics", "scenes"])
def test_tools_beside_the_pipeline_know_only_pictures(name: str) -> None:
    allowed = {"errors", "images", "_decode", "faithfulness", name}
    found = {m.split(".")[1] for m in reach(f"rustseg_jax.{name}")}
    assert found <= allowed
