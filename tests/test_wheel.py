"""The wheel: what is in it, and that what is installed from it works away from the checkout.

It is built without the network, by the setuptools of requirements-dev.txt. Its dependencies
are those of the environment that runs the tests; the project itself is in the wheel alone.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

import rustseg_jax
from rustseg_jax.samples import list_samples

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ("rustseg_jax", "data/model", "data/samples")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "THIRD_PARTY.md")
INSTALL_SECONDS, SEGMENT_SECONDS = 120, 240  # a cold machine compiles the network for a minute

pytestmark = [
    pytest.mark.skipif(
        Version(version("setuptools")) < Version("77"),
        reason="the wheel needs setuptools 77 or newer: pip install -r requirements-dev.txt",
    ),
    pytest.mark.timeout(INSTALL_SECONDS + SEGMENT_SECONDS),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the source, with labels and tests in it, which must stay behind."""
    source = tmp_path_factory.mktemp("source")
    for folder in SOURCE:
        hidden = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, source / folder, ignore=hidden)
    for name in FILES:
        shutil.copy(ROOT / name, source)
    for name in ("data/labels/labels.sqlite", "tests/test_x.py", "pages/x.py"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).touch()
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "-w", source / "wheel"]
    _run([*pip, "wheel", source, *options], INSTALL_SECONDS)
    [built] = (source / "wheel").iterdir()
    return built


@dataclass(frozen=True)
class Installed:
    """A fresh environment with the wheel, and a folder away from the checkout to work in."""

    bin: Path
    place: Path
    work: Path

    def run(self, program: str, *words: str | Path, seconds: float = INSTALL_SECONDS) -> str:
        """Run a program of the environment; what it said on stdout."""
        return _run([self.bin / program, *words], seconds, cwd=self.work)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("environment")
    context = venv.EnvBuilder(symlinks=True).ensure_directories(folder)
    venv.create(folder, symlinks=True)
    scripts = Path(context.bin_path)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python"]
    _run([*pip, scripts / "python", "install", "--no-deps", "--no-index", wheel], INSTALL_SECONDS)
    [packages] = folder.glob("lib/python*/site-packages")
    # The dependencies: `addsitedir` follows the .pth files of their folder, a plain line would not.
    theirs = [path for path in sys.path if Path(path).name == "site-packages"]
    lines = [f"import site; site.addsitedir({path!r})\n" for path in theirs]
    (packages / "dependencies.pth").write_text("".join(lines), encoding="utf-8")
    yield Installed(scripts, packages / "rustseg_jax", tmp_path_factory.mktemp("elsewhere"))
    shutil.rmtree(folder)


def _run(words: list[str | Path], seconds: float, cwd: Path | None = None) -> str:
    """Run a command without what this process's environment says of the project."""
    ours = ("RUSTSEG_", "PYTHON", "XLA_FLAGS")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    done = subprocess.run(
        list(map(str, words)),
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_holds_what_the_library_reads(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = ROOT / "rustseg_jax"
    code = {p for p in package.rglob("*") if p.suffix in (".py", ".pyi", ".cpp", ".h")}
    wanted = {path.relative_to(ROOT).as_posix() for path in {*code, package / "py.typed"}}
    data = [p for folder in ("model", "samples") for p in (ROOT / "data" / folder).iterdir()]
    wanted |= {f"rustseg_jax/{path.relative_to(ROOT).as_posix()}" for path in data}
    info = f"rustseg_jax-{rustseg_jax.__version__}.dist-info"
    assert {name for name in names if not name.startswith(info)} == wanted
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/THIRD_PARTY.md"} <= names
    for name in ("model/rustseg.safetensors", "model/area.json", "samples/steel_beam.jpg"):
        assert f"rustseg_jax/data/{name}" in wanted


def test_the_script_segments_a_sample_elsewhere(installed: Installed) -> None:
    photo = installed.place / "data" / "samples" / "steel_beam.jpg"
    said = installed.run("rustseg", "segment", photo, "--out", "out", seconds=SEGMENT_SECONDS)
    assert "1 done, 0 skipped, 0 failed" in said
    found = json.loads((installed.work / "out" / "steel_beam.json").read_text(encoding="utf-8"))
    assert found["corroded"] is True


def test_the_exit_status_comes_through(installed: Installed) -> None:
    words = [installed.bin / "rustseg", "segment", "nowhere.jpg", "--out", "none"]
    done = subprocess.run(words, cwd=installed.work, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nowhere.jpg" in done.stderr


def _imports() -> dict[str, set[str]]:
    """Module of the library -> names that the app takes from it."""
    found: dict[str, set[str]] = {}
    for path in [ROOT / "app.py", *(ROOT / "pages").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    found.setdefault(alias.name, set())
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.setdefault(node.module, set()).update(a.name for a in node.names)
    return {name: parts for name, parts in found.items() if name.split(".")[0] == "rustseg_jax"}


def test_what_the_app_imports_is_there(installed: Installed) -> None:
    imports = _imports()
    assert len(imports) > 20
    lines = [
        f"from {module} import {', '.join(sorted(parts))}" if parts else f"import {module}"
        for module, parts in imports.items()
    ]
    installed.run("python", "-c", "\n".join(lines))


def test_it_says_where_it_is(installed: Installed) -> None:
    code = """
import importlib.metadata, json, rustseg_jax
from rustseg_jax.classify import weights
from rustseg_jax.labels import labels_folder
from rustseg_jax.resources import checkout
from rustseg_jax.samples import list_samples
from rustseg_jax.uncertainty.interval import load_area
print(json.dumps({
    "file": rustseg_jax.__file__,
    "versions": [rustseg_jax.__version__, importlib.metadata.version("rustseg-jax")],
    "weights": str(weights.DEFAULT),
    "area": load_area() is not None,
    "checkout": checkout(),
    "labels": str(labels_folder()),
    "samples": [s.name for s in list_samples()],
}))
"""
    said = json.loads(installed.run("python", "-c", code))
    assert Path(said["file"]) == installed.place / "__init__.py"
    assert said["versions"] == [rustseg_jax.__version__] * 2
    assert Path(said["weights"]) == installed.place / "data" / "model" / "rustseg.safetensors"
    assert said["area"]
    assert said["checkout"] is None
    assert Path(said["labels"]).parts[-2:] == ("rustseg_jax", "labels")
    assert not Path(said["labels"]).is_relative_to(installed.place)
    assert said["samples"] == [s.name for s in list_samples()]
