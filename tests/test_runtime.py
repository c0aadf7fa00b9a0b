"""The compilation cache, and atomic file writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from rustseg_jax import ConfigError
from rustseg_jax.runtime import cache_folder, enable_compilation_cache, replacing, write_whole

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import sys
from rustseg_jax.runtime import enable_compilation_cache
assert str(enable_compilation_cache(sys.argv[1])) == sys.argv[1]
import jax
import jax.monitoring
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name))
print(float(jax.jit(lambda x: x * 3 + 1)(2.0)))
print("hit" if "/jax/compilation_cache/cache_hits" in hits else "miss")
"""


def _run(folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_a_second_process_finds_what_the_first_compiled(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "xla"
    assert _run(folder) == ["7.0", "miss"]
    assert any(folder.iterdir())
    assert _run(folder) == ["7.0", "hit"]


def test_a_place_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    before = jax.config.jax_compilation_cache_dir
    assert enable_compilation_cache(blocked / "xla") is None
    assert jax.config.jax_compilation_cache_dir == before


def test_the_cache_folder_is_the_chosen_one_else_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUSTSEG_CACHE", str(tmp_path / "chosen"))
    assert cache_folder("photos") == tmp_path / "chosen" / "photos"
    monkeypatch.delenv("RUSTSEG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder("a/b") == tmp_path / "xdg" / "rustseg_jax" / "a" / "b"
    assert (tmp_path / "xdg" / "rustseg_jax" / "a" / "b").is_dir()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder("c") == tmp_path / "home" / ".cache" / "rustseg_jax" / "c"


def test_no_cache_folder_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("RUSTSEG_CACHE", str(tmp_path / "file"))
    assert cache_folder("photos") is None
    assert enable_compilation_cache() is None


MEMORY = """
import sys, resource
import numpy as np
from rustseg_jax.runtime import keep_memory
if sys.argv[1] == "keep":
    assert keep_memory()
np.ones(2**24, np.float64)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(2**24, np.float64)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_kept_memory_is_not_cleared_again() -> None:
    # Each fresh block is faulted in page by page (few pages where they are huge ones).
    faults = {
        mode: int(
            subprocess.run(
                [sys.executable, "-c", MEMORY, mode],
                cwd=ROOT,
                env=os.environ | {"JAX_PLATFORMS": "cpu", "NUMPY_MADVISE_HUGEPAGE": "0"},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for mode in ("keep", "give")
    }
    assert faults["keep"] < faults["give"] / 5


def test_writing_files_does_not_load_jax() -> None:
    code = "import sys, rustseg_jax.runtime\nprint('jax' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_when_the_new_one_is_whole(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    for text in ("one", "two"):
        with replacing(path, durable=durable) as partial:
            assert partial.parent == path.parent  # on one disk, or it could not be renamed
            assert partial.name.startswith("a.txt.")
            partial.write_text(text)
            assert not path.exists() or path.read_text() == "one"
        assert path.read_text() == text
        assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("durable", [False, True])
def test_what_fails_midway_leaves_the_file_as_it_was(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")

    def fail() -> None:
        with replacing(path, durable=durable) as partial:
            partial.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "before"
    with pytest.raises(FileNotFoundError), replacing(path, durable=durable):
        pass  # nothing was written
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.bin"
    write_whole(path, b"\0\1")
    assert path.read_bytes() == b"\0\1"
    for wrong in (path / "below-a-file", path.parent):
        with pytest.raises(ConfigError, match=r"cannot be written \(.+\); name another"):
            write_whole(wrong, b"", hint="name another")
    assert list(tmp_path.rglob("*.tmp")) == []
