"""Strict JAX promotion, kept compiled programs, what runs in which worker, shared fixtures."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Four host devices, so that sharding over several devices is tested on any machine.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=4")

import jax
import pytest

from rustseg_jax.runtime import _processor, cache_folder, enable_compilation_cache

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

ROOT = Path(__file__).resolve().parents[1]
MOST_PROGRAMS = 500_000_000  # bytes; a run of all tests writes about a tenth of that
SHARED = ROOT.parent / "shared" / "corrosion"


def pytest_configure(config: pytest.Config) -> None:
    """Keep compiled programs: for the other workers, for subprocesses and for the next run."""
    place = cache_folder(f"tests/xla/{_processor()}")
    if place is None:
        return
    if not hasattr(config, "workerinput"):
        _make_room(place.parents[1])
    enable_compilation_cache(place)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(place)
    for name in ("MIN_COMPILE_TIME_SECS", "MIN_ENTRY_SIZE_BYTES"):
        value = getattr(jax.config, f"jax_persistent_cache_{name.lower()}")
        os.environ[f"JAX_PERSISTENT_CACHE_{name}"] = str(value)


def _make_room(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    if sum(path.stat().st_size for path in files) > MOST_PROGRAMS:
        for path in files:
            path.unlink()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of a file share a worker and its fixtures, and so do all browser tests."""
    if config.getoption("dist") != "load":  # another order was asked for
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "browser" if nodeid.startswith("tests/browser/") else nodeid.split("::")[0]

    return ByFile(config, log)


@pytest.fixture(autouse=True)
def _main_stays() -> Iterator[None]:
    """Streamlit's AppTest leaves its script as `__main__`, which spawned processes would run."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photos; tests that ask for it skip where it is absent."""
    if not (SHARED / "manifest.csv").is_file():
        pytest.skip(f"the real photos are not at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network that answers to redness, as a weights file."""
    from hand_made import save_redness

    return save_redness(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture
def app(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The app without a browser: the tiny network, its own photo folder, empty caches."""
    import streamlit as st
    from streamlit.testing.v1 import AppTest

    from pages.shared import models

    monkeypatch.setenv("RUSTSEG_MODEL", str(weights))
    monkeypatch.setenv("RUSTSEG_CACHE", str(tmp_path / "cache"))
    # The folder goes away with the test, and JAX would go on writing to it.
    monkeypatch.setattr(models, "enable_compilation_cache", lambda: None)
    st.cache_resource.clear()
    yield AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    st.cache_resource.clear()
