"""A short form of benchmarks/store_crash.py; only what was acknowledged is asserted."""

from __future__ import annotations

import os
import time

import pytest

from benchmarks.store_crash import lost, running
from rustseg_jax.labels import Store, verify_labels

KILLS, BETWEEN, MOST_SECONDS = 6, 8, 90


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_acknowledged_saves_survive_kill_9(tmp_path):
    """Three processes; one is killed whenever eight more saves were acknowledged."""
    folder, killed = tmp_path / "labels", 0
    end = time.monotonic() + MOST_SECONDS
    with running(folder, tmp_path / "notes", 3, seed=1) as crowd:
        while killed < KILLS and time.monotonic() < end:
            time.sleep(0.01)  # leave them the processor; nothing is timed by it
            if len(crowd.noted()) >= BETWEEN * (killed + 1):
                crowd.kill(killed % 3, again=True)
                killed += 1
    noted = crowd.noted()
    assert len(noted) >= BETWEEN, crowd.errors()
    assert lost(folder, noted) == []
    assert crowd.errors() == []
    found = verify_labels(Store(folder))
    assert found.good, found.problems
    assert sum(found.counts.values()) >= len(noted)


def test_a_lost_save_would_be_noticed(tmp_path):
    noted = [["photo", "0" * 64], ["correction", "nonce", "0" * 64, "x"], ["review", "nonce"]]
    Store(tmp_path)
    assert len(lost(tmp_path, noted)) == 3
