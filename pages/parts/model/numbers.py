"""Performance tab of the Model page: measurements as charts, tables and sentences."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from pages.parts.model import charts
from pages.shared.page import percent
from rustseg_jax.config import RULE_TARGET, SOURCE_TARGET
from rustseg_jax.evaluate.measurements import Measurements, Run
from rustseg_jax.evaluate.run import HALVED

_whole = partial(percent, digits=0)

NOTHING = "\N{EN DASH}"  # a hyphen would begin a list
WHAT = {
    "val": "same sources as the training data, but other scenes (used to choose calibration and "
    "decision threshold)",
    "seg-web": "photos from the web, with rust polygons",
    "seg-site": "site photos of gates, stairs, plates and poles, with rust masks",
    "sample": "rendered samples of this app, with exact masks",
}
HEADS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "auc": "AUC",
    "ece": "calibration error",
}


def draw(measured: Measurements) -> None:
    """Draw all measurements of one model version."""
    _in_short(measured)
    _verdicts(measured)
    _masks(measured)
    _origin(measured)


def _in_short(measured: Measurements) -> None:
    """Draw the most important results as a few large numbers."""
    with st.container(horizontal=True, gap="medium", key="in-short"):
        if (chosen := _both_kinds(measured)) is not None:
            run, split = chosen
            report = run.report["classification"][split]
            for key in ("accuracy", "recall", "precision"):
                label = f"{HEADS[key].capitalize()}, {_name(run, split)}"
                st.metric(label, percent(report[key]), width="content")
        for run, split in [pair for pair in _held_out(measured) if pair[0].half]:
            iou = run.report["segmentation"][split]["mask"]["pooled_iou"]
            st.metric(f"Mask IoU, {_name(run, split)}", _number(iou), width="content")


def _verdicts(measured: Measurements) -> None:
    st.header("Verdicts", anchor=False)
    st.markdown("Is there corrosion in the photo? Each photo counts once.")
    rows = [
        {"split": _name(run, split), "n": f"{report['n']}"}
        | {head: _verdict_number(report, key) for key, head in HEADS.items()}
        for run, split in _all(measured)
        for report in [run.report["classification"][split]]
    ]
    _table(rows, "Verdicts by split")
    _explain(measured)
    if (chosen := _both_kinds(measured)) is None:
        return
    run, split = chosen
    curves, threshold = run.curves[split], run.config["decision_threshold"]
    _by_source(curves["sources"], _name(run, split))
    left, right = st.columns(2, gap="medium")
    with left:
        _reliability(curves["reliability"], run.report["classification"][split]["ece"])
    with right:
        _threshold(charts.rates(curves["points"]), threshold)


def _explain(measured: Measurements) -> None:
    names = {split: WHAT[split] for _, split in _all(measured) if split in WHAT}
    lines = "; ".join(f"**{name}**: {text}" for name, text in names.items())
    st.caption(
        f"{lines}. Half A of the scenes in {HALVED}… was used in development: its labels for "
        "training, its masks to choose the threshold and the CRF parameters. Half B was used only "
        "for testing. A dash: not defined, because all photos are corroded."
    )


def _verdict_number(report: dict[str, Any], key: str) -> str:
    if report["auc"] is None and key in ("balanced_accuracy", "precision", "ece"):
        return NOTHING  # only one class
    return _number(report[key])


def _by_source(rows: list[dict[str, Any]], name: str) -> None:
    st.subheader(f"By source, {name}", anchor=False)
    st.markdown(
        "One row for each source of photos, with the number of photos in brackets. The line is a "
        f"95\N{NO-BREAK SPACE}% interval; it is wide for sources with few photos. The dashed line "
        f"is the target, {_whole(SOURCE_TARGET)}; diamonds are below it."
    )
    titles = {"recall": "Corroded photos found", "specificity": "Clean photos correctly passed"}
    for column, (measure, title) in zip(st.columns(2, gap="medium"), titles.items(), strict=True):
        part = [r for r in rows if r["measure"] == measure]
        if part:
            with column:
                st.markdown(f"**{title}** ({measure})")
                least = min(part, key=lambda r: r["value"])
                st.altair_chart(
                    charts.by_source(rows, measure, SOURCE_TARGET),
                    alt=f"{title}, by source; lowest for {least['source']}: "
                    f"{_whole(least['value'])}",
                )
    _as_table(
        [
            {
                "source": r["source"],
                "measure": r["measure"],
                "correct": f"{r['right']} of {r['n']}",
                "share": _number(r["value"]),
                "95 % interval": f"{r['low']:.2f} to {r['high']:.2f}",
            }
            for r in rows
        ],
        "Verdicts by source",
    )


def _reliability(bins: list[dict[str, Any]], error: float) -> None:
    st.subheader("Calibration", anchor=False)
    st.markdown(
        "Predicted probability against the actual share of corroded photos; on the dashed line "
        "they agree. Larger dots stand for more photos. The average difference is "
        f"{100 * error:.1f} percentage points."
    )
    st.altair_chart(
        charts.calibration(bins),
        alt=f"Reliability diagram: predicted probability and actual share differ by "
        f"{100 * error:.1f} percentage points on average",
    )
    _as_table(
        [
            {
                "from": f"{b['low']:.2f}",
                "to": f"{b['high']:.2f}",
                "photos": f"{b['n']}",
                "predicted": _number(b["probability"]),
                "corroded": _number(b["share"]),
            }
            for b in bins
        ],
        "Reliability by bin",
    )


def _threshold(data: pd.DataFrame, chosen: float) -> None:
    st.subheader("Decision threshold", anchor=False)
    here = charts.at_threshold(data, chosen).iloc[0]
    text = (
        f"A photo is flagged as corroded from P = {chosen:g}. This finds {_whole(here['recall'])} "
        f"of the corroded photos; {_whole(here['precision'])} of the flagged photos are corroded, "
        f"and {_whole(here['false_alarms'])} of the clean photos are flagged."
    )
    st.markdown(f"{text} The curve shows all other thresholds.")
    kinds = {"Precision and recall": charts.precision_recall, "ROC": charts.roc}
    names = list(kinds)
    kind = st.segmented_control(
        "Curve", names, default=names[0], required=True, key="curve", label_visibility="collapsed"
    )
    st.altair_chart(kinds[kind or names[0]](data, chosen), alt=text)
    steps = [charts.at_threshold(data, t / 10) for t in range(9, 0, -1)]
    _as_table(
        [
            {
                "threshold": f"{t / 10:.1f}",
                "recall": _number(row["recall"].iloc[0]),
                "precision": _number(row["precision"].iloc[0]),
                "false alarms": _number(row["false_alarms"].iloc[0]),
            }
            for t, row in zip(range(9, 0, -1), steps, strict=True)
            if len(row)
        ],
        "Recall, precision and false alarms by decision threshold",
    )


def _masks(measured: Measurements) -> None:
    pairs = [(run, split) for run, split in _all(measured) if split in run.report["segmentation"]]
    if not pairs:
        return
    st.header("Masks", anchor=False)
    st.markdown(
        "Where is the corrosion? Pooled IoU is the intersection of marked and true rust divided by "
        "their union, counted over the pixels of all photos together. The colour rule is a fixed "
        "range of hue, saturation and value, without learning. The dashed line is the target for "
        f"the mask: {RULE_TARGET:g} times the IoU of the colour rule. The mask is empty if the "
        "verdict is “no corrosion”."
    )
    drawn = list(_held_out(measured))
    for column, (run, split) in zip(st.columns(len(drawn) or 1), drawn, strict=False):
        scores = run.report["segmentation"][split]
        with column:
            st.markdown(f"**{_name(run, split)}** ({scores['n']} photos)")
            st.altair_chart(
                charts.stages(scores, RULE_TARGET * scores["hsv_rule"]["pooled_iou"]),
                alt=f"{_name(run, split)}: pooled IoU of the mask "
                f"{scores['mask']['pooled_iou']:.3f}, of the colour rule "
                f"{scores['hsv_rule']['pooled_iou']:.3f}",
            )
    _table([_mask_row(run, split) for run, split in pairs], "Pooled IoU by split and stage")


def _mask_row(run: Run, split: str) -> dict[str, str]:
    scores = run.report["segmentation"][split]
    gate = run.report["verdict_gate"][split]
    stages = {name: _number(scores[key]["pooled_iou"]) for key, name in charts.STAGES.items()}
    return {
        "split": _name(run, split),
        "n": f"{scores['n']}",
        **stages,
        "Mask / colour rule": _number(run.report["over_hsv_rule"][split]["mask"], 2),
        "Mask, verdict ignored": _number(gate["mask_any_verdict"]["pooled_iou"]),
    }


def _origin(measured: Measurements) -> None:
    st.header("How this was measured", anchor=False)
    for run in measured.runs:
        part = f", at most {run.limit} photos per split" if run.limit else ""
        failed = run.report["failed"]
        left_out = f", {failed} photos could not be scored" if failed else ""
        made = ", ".join(f"{name} {number}" for name, number in run.versions.items())
        st.code(run.command, language=None, wrap_lines=True)
        st.caption(f"{run.made}{part}{left_out} · {made}")


def _all(measured: Measurements) -> Iterator[tuple[Run, str]]:
    """Yield every split of every run; data used to choose nothing comes first."""
    for run in sorted(measured.runs, key=lambda r: (r.half == "A", r.half is None)):
        yield from ((run, split) for split in run.splits)


def _held_out(measured: Measurements) -> Iterator[tuple[Run, str]]:
    """Yield the splits with masks, without half A, which was used to choose threshold and CRF."""
    for run, split in _all(measured):
        if split in run.report["segmentation"] and run.half != "A":
            yield run, split


def _both_kinds(measured: Measurements) -> tuple[Run, str] | None:
    """Return the largest split with both classes, the only kind with all curves defined."""
    mixed = [
        (run.report["classification"][split]["n"], run, split)
        for run, split in _all(measured)
        if run.report["classification"][split]["auc"] is not None
    ]
    return max(mixed, key=lambda m: m[0])[1:] if mixed else None


def _name(run: Run, split: str) -> str:
    half = f", half {run.half}" if run.half and split.startswith(HALVED) else ""
    return f"{split}{half}"


def _number(value: float | None, digits: int = 3) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"


def _table(rows: list[dict[str, str]], alt: str) -> None:
    """Draw a table of text, which screen readers read cell by cell."""
    st.table(pd.DataFrame(rows), hide_index=True, border="horizontal", alt=alt)


def _as_table(rows: list[dict[str, str]], alt: str) -> None:
    with st.expander("Show as a table"):
        _table(rows, alt)
