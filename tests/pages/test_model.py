"""The Model page without a browser, and its helpers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hand_made import save_measurements, save_redness
from streamlit.testing.v1 import AppTest

from pages.parts.model import charts
from pages.shared.markdown import for_page
from rustseg_jax.evaluate import measurements
from rustseg_jax.images import sha256

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: AppTest) -> tuple[AppTest, Path]:
    """The app, and its weights in a folder of their own."""
    weights = save_redness(tmp_path / "tiny.safetensors")
    monkeypatch.setenv("RUSTSEG_MODEL", str(weights))
    return app, weights


def _open(app: AppTest) -> AppTest:
    app.run()
    app.switch_page("pages/model.py").run()
    assert not app.exception
    assert not app.error
    assert app.title[0].value == "The model"
    return app


def _texts(app: AppTest) -> str:
    return "\n".join(e.value for kind in (app.markdown, app.caption) for e in kind)


def _tables(app: AppTest) -> list[Any]:
    return [table.value for table in app.table]


def test_without_measurements_it_says_so(own: tuple[AppTest, Path]) -> None:
    app, _ = own
    assert "No measurements for this model version" in _open(app).warning[0].value
    assert not app.get("vega_lite_chart")


def test_measurements_of_other_weights_are_not_shown(own: tuple[AppTest, Path]) -> None:
    app, weights = own
    path = save_measurements(weights)
    found = json.loads(path.read_text())
    found["weights"] = "f" * 64
    path.write_text(json.dumps(found))
    text = _open(app).warning[0].value
    assert "belong to model version ffffffff" in text
    assert sha256(weights.read_bytes())[:8] in text
    assert not app.get("vega_lite_chart")
    assert not app.metric


def test_damaged_measurements_give_a_warning(own: tuple[AppTest, Path]) -> None:
    app, weights = own
    weights.with_name("metrics.json").write_text("{")
    assert "is not a file of measurements" in _open(app).warning[0].value


def test_all_numbers_are_those_of_the_file(own: tuple[AppTest, Path]) -> None:
    app, weights = own
    save_measurements(weights)
    _open(app)
    run = measurements.read(weights.with_name("metrics.json")).find("val", "B")
    assert run is not None
    val = run.report["classification"]["val"]
    assert app.metric[0].label == "Accuracy, val"
    assert app.metric[0].value == f"{100 * val['accuracy']:.1f}\N{NO-BREAK SPACE}%"
    verdicts, *others = _tables(app)
    first = verdicts.iloc[0].to_dict()
    assert (first["split"], first["n"]) == ("val", str(val["n"]))
    assert (first["F1"], first["calibration error"]) == (f"{val['f1']:.3f}", f"{val['ece']:.3f}")
    by_name = verdicts.set_index("split")
    assert list(by_name.index[1:3]) == ["seg-web, half B", "seg-site, half B"]
    assert by_name.loc["seg-web, half B", "AUC"] == "\N{EN DASH}"
    masks = next(t for t in others if "Colour rule" in t.columns).set_index("split")
    site = run.report["segmentation"]["seg-site"]
    assert masks.loc["seg-site, half B", "Mask"] == f"{site['mask']['pooled_iou']:.3f}"
    assert masks.loc["seg-site, half B", "n"] == str(site["n"])
    sources = next(t for t in others if "source" in t.columns)
    assert len(sources) == len(run.curves["val"]["sources"])
    assert run.command in [code.value for code in app.code]


def test_every_chart_has_a_name(own: tuple[AppTest, Path]) -> None:
    app, weights = own
    save_measurements(weights)
    drawn = _open(app).get("vega_lite_chart")
    assert len(drawn) == 7  # two of sources, two curves, three of masks
    for chart in drawn:
        assert re.search(r"\d", chart.proto.alt), chart.proto.alt
        assert "http" not in re.sub(r'"\$schema": "[^"]*"', "", chart.proto.spec)


def test_the_other_curve(own: tuple[AppTest, Path]) -> None:
    app, weights = own
    save_measurements(weights)
    _open(app)
    app.get("button_group")[0].set_value("ROC").run()
    assert not app.exception
    assert not app.error
    assert any("false_alarms" in c.proto.spec for c in app.get("vega_lite_chart"))


def test_versions_and_training_record(own: tuple[AppTest, Path]) -> None:
    import jax

    app, weights = own
    facts = {row["what"]: row["value"] for t in _tables(_open(app)) for _, row in t.iterrows()}
    assert facts["jax"] == jax.__version__
    assert facts["SHA-256"] == sha256(weights.read_bytes())
    assert facts["note"] == "redness, for tests"
    assert facts["verdict scales"] == "1.0"


def test_the_card_of_other_weights_says_so(own: tuple[AppTest, Path]) -> None:
    app, _ = own
    _open(app)
    assert any("card describes the shipped weights" in w.value for w in app.warning)
    assert "# Model card" not in _texts(app)
    assert "](../" not in _texts(app)


def test_a_document_for_the_page_by_hand() -> None:
    text = """# Title

Costs $5, see [why](../../docs/decisions/0011-seeds.md#end) and [`x.md`](x.md), [site](https://a.b).

![A plate](plate.png) and `$HOME [a](b.md)`
"""
    assert for_page(text, "data/model") == (
        "\nCosts \\$5, see why: `docs/decisions/0011-seeds.md` and "
        "`x.md`: `data/model/x.md`, [site](https://a.b).\n\nA plate and `$HOME [a](b.md)`\n"
    )


def test_rates_by_hand() -> None:
    points = {"corroded": 2, "clean": 4, "threshold": [0.9, 0.3], "tp": [1, 2], "fp": [0, 2]}
    data = charts.rates(points)
    assert list(data["recall"]) == [0.5, 1.0]
    assert list(data["precision"]) == [1.0, 0.5]
    assert list(data["false_alarms"]) == [0.0, 0.5]
    assert list(charts.at_threshold(data, 0.5)["threshold"]) == [0.9]
    assert list(charts.at_threshold(data, 0.3)["threshold"]) == [0.3]
    assert charts.at_threshold(data, 0.95).empty
