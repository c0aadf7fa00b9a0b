"""Shared fixtures: strict JAX promotion, the place of the real photos."""

from __future__ import annotations

import os
from pathlib import Path

# Four host devices, so that sharding over several devices is tested on any machine.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=4")

import jax
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "corrosion"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photos; tests that ask for it skip where it is absent."""
    if not (SHARED / "manifest.csv").is_file():
        pytest.skip(f"the real photos are not at {SHARED}")
    return SHARED
