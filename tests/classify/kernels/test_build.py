"""The cache of compiled convolutions: private, built once, made of all its sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hand_made import ROOT

from rustseg_jax.classify.kernels import build

needs_native = pytest.mark.skipif(
    not build.available(), reason=f"the compiled convolutions are {build.status()}"
)
needs_owners = pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no such owners")


def built() -> Path:
    """The library that this process uses."""
    return Path(build.status().removeprefix("on: "))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no memory of a build."""
    built()  # what this process uses is built before, and stays registered
    monkeypatch.setattr(build, "_status", None)
    # XLA takes no second function for the same name in one process.
    monkeypatch.setattr(build.jax.ffi, "register_ffi_target", lambda *_, **__: None)
    monkeypatch.delenv("RUSTSEG_NATIVE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "rustseg_jax" / "native"


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiler that notes each call and hands out the library there is, after a while."""
    script = tmp_path / "compiler"
    script.write_text(
        "#!/bin/sh\n"
        f'echo called >> "{tmp_path / "calls"}"\n'
        "sleep 1\n"
        'for word; do output="$word"; done\n'  # the output is the last word
        f'umask 0; rm "$output"; cat "{built()}" > "$output"\n'
    )
    script.chmod(0o700)
    monkeypatch.setenv("CXX", str(script))
    return tmp_path / "calls"


@needs_native
@needs_owners
def test_what_is_built_is_private(compiler: Path, cache: Path) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    cache.parent.chmod(0o777)
    assert build.available()
    assert cache.stat().st_mode & 0o777 == 0o755
    assert cache.parent.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in cache.iterdir()} == {0o600}


@needs_native
@needs_owners
def test_a_new_folder_is_closed_to_others(compiler: Path, cache: Path) -> None:
    assert build.available()
    assert cache.stat().st_mode & 0o777 == 0o700


@needs_native
@needs_owners
def test_a_library_that_others_can_change_is_not_loaded(compiler: Path, cache: Path) -> None:
    assert build.available()
    build._status = None
    next(cache.glob("*.so")).chmod(0o666)
    assert not build.available()
    assert "can be written by other users; delete it" in build.status()


@needs_native
@needs_owners
@pytest.mark.parametrize("what", ["folder", "library"])
def test_what_belongs_to_another_user_is_not_used(
    compiler: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    assert build.available()
    build._status = None
    foreign = cache if what == "folder" else next(cache.glob("*.so"))
    monkeypatch.setattr(build, "_owned", lambda path: path != foreign)
    assert not build.available()
    assert f"{foreign} belongs to another user" in build.status()


@needs_owners
def test_the_owner_is_who_runs_this(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert build._owned(tmp_path)
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    assert not build._owned(tmp_path)


START = """
import sys
from rustseg_jax.classify.kernels import build
print("ready", flush=True)
sys.stdin.readline()
print(build.status(), flush=True)
"""


@needs_native
@pytest.mark.slow
@pytest.mark.skipif(build.fcntl is None, reason="this system has no such locks")
def test_processes_that_begin_at_once_compile_once(compiler: Path, cache: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", START],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # the compiler takes a second: the second one comes while it runs
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert compiler.read_text() == "called\n"
    assert said == [f"on: {next(cache.glob('*.so'))}\n"] * 2


@needs_native
@pytest.mark.parametrize("missing", ["module", "support"])
def test_works_without_locks(
    compiler: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no locks available")

    if missing == "module":
        monkeypatch.setattr(build, "fcntl", None)
    elif build.fcntl is None:
        pytest.skip("this system has no such locks")
    else:
        monkeypatch.setattr(build.fcntl, "flock", refuse)
    assert build.available()
    assert compiler.read_text() == "called\n"


@needs_native
def test_a_change_of_a_header_builds_anew(
    compiler: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [Path(shutil.copy(path, tmp_path)) for path in build.SOURCES]
    monkeypatch.setattr(build, "SOURCES", sources)
    first = build._build()
    assert build._build() == first
    header = next(path for path in sources if path.name == "threads.h")
    header.write_text(header.read_text() + "\n")
    assert build._build() != first
    assert compiler.read_text() == "called\n" * 2


def test_every_source_is_packed_into_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["rustseg_jax.classify.kernels"]
    included = {
        Path(name) for name in build.SOURCE.parent.iterdir() if name.suffix in {".h", ".cpp"}
    }
    assert set(build.SOURCES) == included
    assert all(any(path.match(p) for p in patterns) for path in build.SOURCES)
