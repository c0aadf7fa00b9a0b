"""The files that travel with the code, in a checkout; installed they are in test_wheel.py."""

from __future__ import annotations

from pathlib import Path

from rustseg_jax.resources import checkout, data_path

ROOT = Path(__file__).resolve().parents[1]


def test_a_checkout_has_its_data_beside_the_code() -> None:
    assert checkout() == ROOT
    assert data_path("model/area.json") == ROOT / "data" / "model" / "area.json"
    assert data_path("model/area.json").is_file()
