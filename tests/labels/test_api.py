"""The flat face of `rustseg_jax.labels`: there, described, options by name, nothing slow."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rustseg_jax import LabelsError, labels

FUNCTIONS = [n for n in labels.__all__ if inspect.isfunction(getattr(labels, n))]
METHODS = [n for n, _ in inspect.getmembers(labels.Store, inspect.isfunction) if n[0] != "_"]
BY_PLACE = {"filters", "weights", "ignores"}  # what is given by place, though it may be left out


def test_all_names_are_there() -> None:
    assert len(set(labels.__all__)) == len(labels.__all__)
    assert all(getattr(labels, name).__doc__ for name in labels.__all__)
    assert set(labels.__all__) <= set(dir(labels))
    with pytest.raises(AttributeError):
        labels.no_such_name  # noqa: B018


def test_a_function_is_never_hidden_by_a_module_of_its_name() -> None:
    modules = {p.stem for p in Path(labels.__file__).parent.glob("*.py")}
    assert not modules & set(labels.__all__)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_is_described_and_options_go_by_name(name: str) -> None:
    function = getattr(labels, name)
    text = inspect.getdoc(function) or ""
    for parameter in inspect.signature(function).parameters.values():
        if "Parameters\n" in text:
            assert re.search(rf"\b{parameter.name}\b", text), f"{name}: {parameter.name}"
        if parameter.default is not inspect.Parameter.empty and parameter.name not in BY_PLACE:
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, f"{name}: {parameter.name}"


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_described(name: str) -> None:
    method = getattr(labels.Store, name)
    assert inspect.getdoc(method)
    for parameter in inspect.signature(method).parameters.values():
        if parameter.default is not inspect.Parameter.empty:
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, f"{name}: {parameter.name}"


def test_what_a_user_can_cause_has_one_base() -> None:
    errors = [getattr(labels, n) for n in labels.__all__ if n.endswith("Error")]
    assert len(errors) == 9
    assert all(issubclass(error, LabelsError) for error in errors)


def test_saving_and_listing_load_neither_jax_nor_pandas(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom rustseg_jax import labels\n"
        f"store = labels.Store({str(tmp_path)!r}, create=False)\n"
        "labels.list_corrections(store), labels.next_cases(store)\n"
        "print([m for m in ('jax', 'pandas', 'skimage', 'streamlit') if m in sys.modules])"
    )
    labels.Store(tmp_path)
    root = Path(labels.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert done.stdout.splitlines() == ["[]"], done.stderr
