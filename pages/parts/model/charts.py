"""Charts of measurements; each takes the rows that it draws, so that a table can repeat them.

The browser draws the charts from the data sent, without outside requests. Series differ in shape
or position, never in colour alone; the colours come from the theme.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import altair as alt
import pandas as pd

__all__ = ["by_source", "calibration", "precision_recall", "rates", "roc", "stages"]

REFERENCE = "#7f8a96"  # contrast over 3 with the background of both themes
Drawn: TypeAlias = alt.LayerChart | alt.FacetChart
AXIS = 50  # pixels below a chart for its axis
STAGES = {
    "heatmap": "Heat map above 0.5",
    "rough": "Rough mask",
    "mask": "Mask",
    "hsv_rule": "Colour rule",
}
_SHARE = alt.Axis(format=".0%", tickCount=5)
_WHOLE = alt.Scale(domain=[0, 1], nice=False)


def by_source(rows: list[dict[str, Any]], measure: str, target: float) -> Drawn:
    """Draw one dot with its 95 % interval per source, and a dashed line at the target."""
    data = pd.DataFrame([r for r in rows if r["measure"] == measure])
    data["name"] = [f"{s} ({n})" for s, n in zip(data["source"], data["n"], strict=True)]
    data["state"] = ["reached" if v >= target else "missed" for v in data["value"]]
    y = alt.Y("name:N", title=None, sort=alt.EncodingSortField("value", order="descending"))
    x = alt.X("value:Q", title=None, axis=_SHARE, scale=_WHOLE)
    base = alt.Chart(data).encode(y=y)
    tooltip = [
        alt.Tooltip("source:N", title="source"),
        alt.Tooltip("right:Q", title="right"),
        alt.Tooltip("n:Q", title="of"),
        alt.Tooltip("value:Q", title="share", format=".1%"),
    ]
    spans = base.mark_rule(color=REFERENCE, strokeWidth=2).encode(
        x=alt.X("low:Q", title=None, axis=_SHARE, scale=_WHOLE), x2="high:Q", tooltip=tooltip
    )
    states = ["reached", "missed"]
    dots = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=x,
        color=alt.Color("state:N", scale=alt.Scale(domain=states), legend=None),
        shape=alt.Shape(
            "state:N", scale=alt.Scale(domain=states, range=["circle", "diamond"]), legend=None
        ),
        tooltip=tooltip,
    )
    return (_rule("x", target) + spans + dots).properties(height=24 * len(data) + AXIS)


def rates(points: dict[str, Any]) -> pd.DataFrame:
    """Return recall, false-alarm rate and precision at each decision threshold, highest first."""
    data = pd.DataFrame({k: points[k] for k in ("threshold", "tp", "fp")})
    data["recall"] = data["tp"] / points["corroded"]
    data["false_alarms"] = data["fp"] / points["clean"]
    data["precision"] = data["tp"] / (data["tp"] + data["fp"])
    return data


def precision_recall(data: pd.DataFrame, chosen: float) -> Drawn:
    """Draw precision over recall, with the decision threshold marked."""
    x = ("recall", "Corroded photos found (recall)")
    return _curve(data, chosen, x, ("precision", "Correct among those flagged (precision)"))


def roc(data: pd.DataFrame, chosen: float) -> Drawn:
    """Draw the ROC curve, with the decision threshold marked and chance level as a diagonal."""
    start = pd.DataFrame({"false_alarms": [0.0], "recall": [0.0]})
    x = ("false_alarms", "Clean photos flagged (false alarms)")
    y = ("recall", "Corroded photos found (recall)")
    line = _curve(pd.concat([start, data]), chosen, x, y)
    return _diagonal("false_alarms", "recall") + line


def _curve(data: pd.DataFrame, chosen: float, x: tuple[str, str], y: tuple[str, str]) -> Drawn:
    def axes(chart: alt.Chart) -> alt.Chart:
        return chart.encode(
            x=alt.X(f"{x[0]}:Q", title=x[1], axis=_SHARE, scale=_WHOLE),
            y=alt.Y(f"{y[0]}:Q", title=y[1], axis=_SHARE, scale=_WHOLE),
        )

    here = at_threshold(data, chosen)
    here["text"] = f"P = {chosen:g}"
    tooltip = [alt.Tooltip("threshold:Q", title="threshold", format=".3f")]
    tooltip += [
        alt.Tooltip(f"{n}:Q", title=n.replace("_", " "), format=".1%") for n in (x[0], y[0])
    ]
    # In the order of the thresholds, not of x: precision can vary at the same recall.
    line = axes(alt.Chart(data.reset_index())).mark_line(strokeWidth=2)
    dot = axes(alt.Chart(here)).mark_point(filled=True, size=160, opacity=1, shape="diamond")
    name_of = axes(alt.Chart(here)).mark_text(align="right", dx=-10, dy=14, fontWeight="bold")
    return alt.layer(
        _series(line.encode(order="index:Q", tooltip=tooltip), 0),
        _series(dot.encode(tooltip=tooltip), 1),
        _series(name_of.encode(text="text:N"), 1),
    ).properties(height=320)


def _series(chart: alt.Chart, number: int) -> alt.Chart:
    """In the colour of the theme with this number."""
    scale = alt.Scale(domain=[0, 1])
    return chart.transform_calculate(series=f"{number}").encode(
        color=alt.Color("series:N", scale=scale, legend=None)
    )


def at_threshold(data: pd.DataFrame, chosen: float) -> pd.DataFrame:
    """Return the row that applies at the decision threshold `chosen`."""
    return data[data["threshold"] >= chosen].tail(1).copy()


def calibration(bins: list[dict[str, Any]]) -> Drawn:
    """Draw the reliability diagram; a larger dot stands for more photos."""
    data = pd.DataFrame([b for b in bins if b["n"]])
    x = alt.X("probability:Q", title="Predicted probability", axis=_SHARE, scale=_WHOLE)
    y = alt.Y("share:Q", title="Share of corroded photos", axis=_SHARE, scale=_WHOLE)
    tooltip = [
        alt.Tooltip("n:Q", title="photos"),
        alt.Tooltip("probability:Q", title="predicted", format=".1%"),
        alt.Tooltip("share:Q", title="corroded", format=".1%"),
    ]
    base = alt.Chart(data).encode(x=x, y=y)
    dots = base.mark_point(filled=True, opacity=1).encode(
        size=alt.Size("n:Q", scale=alt.Scale(type="sqrt", range=[40, 700]), legend=None),
        tooltip=tooltip,
    )
    line = base.mark_line(strokeWidth=2)
    return (_diagonal("probability", "share") + line + dots).properties(height=320)


def stages(scores: dict[str, Any], wanted: float) -> Drawn:
    """Draw the pooled IoU of each stage and the colour rule; the dashed line is the target."""
    data = pd.DataFrame(
        [
            {"stage": name, "iou": scores[key]["pooled_iou"], "kind": key == "hsv_rule"}
            for key, name in STAGES.items()
        ]
    )
    data["text"] = [f"{v:.3f}" for v in data["iou"]]
    y = alt.Y("stage:N", title=None, sort=list(STAGES.values()))
    x = alt.X("iou:Q", title="Pooled IoU", axis=alt.Axis(tickCount=5), scale=_WHOLE)
    # Numbers have the colour of their bar: charts get no text colour from the theme.
    colour = alt.Color("kind:N", scale=alt.Scale(domain=[False, True]), legend=None)
    base = alt.Chart(data).encode(y=y, x=x, color=colour)
    bars = base.mark_bar(height=18).encode(
        tooltip=[alt.Tooltip("stage:N"), alt.Tooltip("iou:Q", title="pooled IoU", format=".3f")],
    )
    # In a column at the right edge: next to its bar, a number would hide the dashed line.
    numbers = base.mark_text(align="right", fontWeight="bold").encode(
        text="text:N", x=alt.value("width")
    )
    layers = [bars, numbers] + ([_rule("x", wanted)] if wanted < 1 else [])
    return alt.layer(*layers).properties(height=34 * len(data) + AXIS)


def lost(values: dict[str, float]) -> Drawn:
    """Draw the mean IoU lost by each stage; a negative loss is a gain."""
    data = pd.DataFrame([{"stage": name, "lost": value} for name, value in values.items()])
    y = alt.Y("stage:N", title=None, sort=list(values), axis=alt.Axis(labelLimit=240))
    x = alt.X("lost:Q", title="IoU lost", axis=alt.Axis(tickCount=5))
    bars = (
        alt.Chart(data)
        .mark_bar(height=18)
        .encode(y=y, x=x, tooltip=[alt.Tooltip("stage:N"), alt.Tooltip("lost:Q", format="+.3f")])
    )
    return alt.layer(bars).properties(height=34 * len(data) + AXIS)


def _rule(axis: str, place: float) -> alt.Chart:
    chart = alt.Chart(pd.DataFrame({"place": [place]}))
    return chart.mark_rule(color=REFERENCE, strokeDash=[5, 4]).encode(**{axis: "place:Q"})


def _diagonal(x: str, y: str) -> alt.Chart:
    data = pd.DataFrame({x: [0, 1], y: [0, 1]})
    line = alt.Chart(data).mark_line(color=REFERENCE, strokeDash=[5, 4], strokeWidth=1.5)
    return line.encode(x=f"{x}:Q", y=f"{y}:Q")
