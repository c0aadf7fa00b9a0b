"""The app as a whole: it opens, sends nothing outside, and lists all its pages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[1]


def _config() -> dict[str, dict[str, object]]:
    return tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())


def test_the_app_opens_without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSTSEG_MODEL", str(tmp_path / "absent.safetensors"))
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert not at.exception
    assert not at.error
    assert at.title[0].value == "Find rust in a photo"


def test_visitors_see_no_tracebacks_and_nothing_is_reported_outside() -> None:
    config = _config()
    assert config["client"]["showErrorDetails"] == "none"
    assert config["client"]["showErrorLinks"] is False
    assert config["client"]["showSidebarNavigation"] is False
    assert config["browser"]["gatherUsageStats"] is False
    assert "://" not in (ROOT / ".streamlit" / "config.toml").read_text()  # no fonts from outside


def test_the_upload_limit_is_the_librarys() -> None:
    from rustseg_jax.images import Limits

    assert _config()["server"]["maxUploadSize"] == Limits().max_bytes / 1e6


def test_caching_is_in_few_places() -> None:
    for path in (ROOT / "pages").rglob("*.py"):
        if path.parent.name not in ("server", "shared"):
            assert "st.cache" not in path.read_text(), path


def test_beside_the_pages_lie_only_folders() -> None:
    listed = set(re.findall(r'"pages/(\w+)\.py"', (ROOT / "app.py").read_text()))
    assert {path.stem for path in (ROOT / "pages").glob("*.py")} == listed
