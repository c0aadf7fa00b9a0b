"""The numbers of the model page: measurements as charts, tables and sentences."""

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
    "val": "pictures of the training's sources, other scenes; chose calibration and threshold",
    "seg-web": "pictures of the web, with polygons of rust",
    "seg-site": "gates, stairs, plates and poles on site, with masks of rust",
    "sample": "the rendered samples of this app, with exact masks",
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
    """Everything that was measured of one set of weights."""
    _in_short(measured)
    _verdicts(measured)
    _masks(measured)
    _origin(measured)


def _in_short(measured: Measurements) -> None:
    """What most visitors want to know, in a few large numbers."""
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
    st.markdown("Is there corrosion in the picture? Each picture counts once.")
    rows = [
        {"pictures": _name(run, split), "n": f"{report['n']}"}
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
        f"{lines}. Half A of the scenes of {HALVED}… lent its labels to the training, and its "
        "masks chose threshold and CRF; half B chose nothing. A dash: says nothing where all "
        "pictures are corroded."
    )


def _verdict_number(report: dict[str, Any], key: str) -> str:
    if report["auc"] is None and key in ("balanced_accuracy", "precision", "ece"):
        return NOTHING  # one kind of picture only
    return _number(report[key])


def _by_source(rows: list[dict[str, Any]], name: str) -> None:
    st.subheader(f"By source, {name}", anchor=False)
    st.markdown(
        f"Each source of pictures by itself; in brackets how many. The line is a 95 % interval: "
        f"few pictures say little. The dashed line is what we want, {_whole(SOURCE_TARGET)}; "
        "a diamond is below it."
    )
    titles = {"recall": "Corroded pictures that were found", "specificity": "Clean ones let be"}
    for column, (measure, title) in zip(st.columns(2, gap="medium"), titles.items(), strict=True):
        part = [r for r in rows if r["measure"] == measure]
        if part:
            with column:
                st.markdown(f"**{title}** ({measure})")
                least = min(part, key=lambda r: r["value"])
                st.altair_chart(
                    charts.by_source(rows, measure, SOURCE_TARGET),
                    alt=f"{title}, by source; least in {least['source']}: {_whole(least['value'])}",
                )
    _as_table(
        [
            {
                "source": r["source"],
                "measure": r["measure"],
                "right": f"{r['right']} of {r['n']}",
                "share": _number(r["value"]),
                "95 % interval": f"{r['low']:.2f} to {r['high']:.2f}",
            }
            for r in rows
        ],
        "Verdicts by source",
    )


def _reliability(bins: list[dict[str, Any]], error: float) -> None:
    st.subheader("Is 80 % really 80 %?", anchor=False)
    st.markdown(
        f"Stated probability against how often it was true; on the dashed line they agree. Larger "
        f"dots are more pictures. On average they are {100 * error:.1f} points apart."
    )
    st.altair_chart(
        charts.calibration(bins),
        alt=f"Reliability diagram: stated and true share differ by {100 * error:.1f} points on "
        "average",
    )
    _as_table(
        [
            {
                "from": f"{b['low']:.2f}",
                "to": f"{b['high']:.2f}",
                "pictures": f"{b['n']}",
                "stated": _number(b["probability"]),
                "corroded": _number(b["share"]),
            }
            for b in bins
        ],
        "Reliability by bin",
    )


def _threshold(data: pd.DataFrame, chosen: float) -> None:
    st.subheader("From which probability on?", anchor=False)
    here = charts.at_threshold(data, chosen).iloc[0]
    text = (
        f"From P = {chosen:g} on a photo is called corroded: {_whole(here['recall'])} of the "
        f"corroded pictures are found, {_whole(here['precision'])} of those called are right, "
        f"{_whole(here['false_alarms'])} of the clean ones are called."
    )
    st.markdown(f"{text} Every other choice lies on the curve.")
    kinds = {"precision and recall": charts.precision_recall, "ROC": charts.roc}
    names = list(kinds)
    kind = st.segmented_control(
        "Curve", names, default=names[0], required=True, key="curve", label_visibility="collapsed"
    )
    st.altair_chart(kinds[kind or names[0]](data, chosen), alt=text)
    steps = [charts.at_threshold(data, t / 10) for t in range(9, 0, -1)]
    _as_table(
        [
            {
                "from P": f"{t / 10:.1f}",
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
        "Where is it? Pooled IoU: of all pixels that are rust or were marked, the share that is "
        "both, over all pictures together. The colour rule is a fixed range of hue, saturation and "
        f"value, without learning; the dashed line is {RULE_TARGET:g} times its IoU, which is what "
        "we want of the mask. The mask is empty where the verdict is “no corrosion”."
    )
    drawn = list(_held_out(measured))
    for column, (run, split) in zip(st.columns(len(drawn) or 1), drawn, strict=False):
        scores = run.report["segmentation"][split]
        with column:
            st.markdown(f"**{_name(run, split)}** ({scores['n']} pictures)")
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
        "pictures": _name(run, split),
        "n": f"{scores['n']}",
        **stages,
        "mask over rule": _number(run.report["over_hsv_rule"][split]["mask"], 2),
        "mask had every verdict been yes": _number(gate["mask_any_verdict"]["pooled_iou"]),
    }


def _origin(measured: Measurements) -> None:
    st.header("Where the numbers come from", anchor=False)
    for run in measured.runs:
        part = f", {run.limit} pictures of each split at most" if run.limit else ""
        failed = run.report["failed"]
        left_out = f", {failed} pictures could not be scored" if failed else ""
        made = ", ".join(f"{name} {number}" for name, number in run.versions.items())
        st.code(run.command, language=None, wrap_lines=True)
        st.caption(f"{run.made}{part}{left_out} · {made}")


def _all(measured: Measurements) -> Iterator[tuple[Run, str]]:
    """Every split of every run; what chose nothing comes first."""
    for run in sorted(measured.runs, key=lambda r: (r.half == "A", r.half is None)):
        yield from ((run, split) for split in run.splits)


def _held_out(measured: Measurements) -> Iterator[tuple[Run, str]]:
    """What has masks, without half A: that chose threshold and CRF."""
    for run, split in _all(measured):
        if split in run.report["segmentation"] and run.half != "A":
            yield run, split


def _both_kinds(measured: Measurements) -> tuple[Run, str] | None:
    """The largest split with corroded and clean pictures: only there all curves are defined."""
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
    """A table of text, which a screen reader reads cell by cell."""
    st.table(pd.DataFrame(rows), hide_index=True, border="horizontal", alt=alt)


def _as_table(rows: list[dict[str, str]], alt: str) -> None:
    with st.expander("The same as a table"):
        _table(rows, alt)
