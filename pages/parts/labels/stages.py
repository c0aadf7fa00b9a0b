"""Stage losses: which step of the method lost most against the experts' masks."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.parts.model import charts
from pages.server import incremental
from pages.server.line import once, turn
from pages.shared.page import percent
from rustseg_jax import labels
from rustseg_jax.labels.records import Correction
from rustseg_jax.teaching.texts import STAGES

__all__ = ["of_one", "over_all"]

NOTHING = "\N{EN DASH}"
_SCORED = {
    "heatmap": "Heat map, threshold 0.5",
    "rough": "Rough mask",
    "mask": "Mask",
}


def of_one(told: labels.History, chosen: Correction) -> None:
    """Show what each stage lost on one correction."""
    made = next((p for p in told.predictions if p.id == chosen.prediction), None)
    if made is None or chosen.mask is None:
        return
    blamed = once(
        "blame",
        (told.photo.sha256, chosen.id),
        lambda: labels.blame_correction(chosen, made),
        size=64,
    )
    st.header("Loss by stage", anchor=False)
    if not blamed.worst:
        st.markdown("No loss: the expert agrees with the model.")
        return
    worst = blamed.stages[blamed.worst]
    st.markdown(
        f"Compared with this mask, **{STAGES[blamed.worst]}** lost most: {worst.lost:.2f} IoU. "
        f"The model's final mask has an IoU of {blamed.iou['mask']:.2f}."
    )
    rows = [
        {"Stage": _label(name), "IoU after": f"{loss.iou:.3f}", "IoU lost": f"{loss.lost:+.3f}"}
        for name, loss in blamed.stages.items()
    ]
    st.table(rows, hide_index=True)
    st.caption(
        f"The dynamic threshold was {made.threshold:.2f}; the best threshold here is "
        f"{blamed.best_threshold:.2f}. A negative loss is a gain."
    )


def over_all(store: labels.Store) -> None:
    """Show totals over all corrections that have a mask and a prediction."""
    st.markdown(
        "Each correction is compared with the prediction that was corrected. The difference is "
        "split into the losses of the heat map's coarse grid, the heat map itself, its threshold, "
        "the CRF and the verdict. The stored predictions are used; the model does not run again."
    )
    with incremental.in_steps("correction") as tell:
        blamed = labels.blame_all(store, progress=tell, known=incremental.blames(), turn=turn)
    if not blamed["all"]["n"]:
        st.info(
            "There are no corrections with both a mask and a prediction yet.",
            icon=":material/troubleshoot:",
        )
        return
    _part(blamed["all"])
    if len(blamed["models"]) > 1:
        for model, part in blamed["models"].items():
            version = f"Model version {model[:8]}" if model else "Unknown model version"
            with st.expander(f"{version}: {part['n']} corrections"):
                _part(part)


def _label(stage: str) -> str:
    """Name of a stage as a label: "Heat map"."""
    name = STAGES[stage].removeprefix("the ")
    return f"{name[:1].upper()}{name[1:]}"


def _part(part: dict[str, Any]) -> None:
    worst = max(STAGES, key=lambda s: part["worst"].get(s, 0))
    number = part["worst"].get(worst, 0)
    word = "correction" if part["n"] == 1 else "corrections"
    st.markdown(
        f"{STAGES[worst][0].upper()}{STAGES[worst][1:]} lost most in **{number}** of "
        f"**{part['n']}** {word} ({percent(number / part['n'])})."
    )
    left, right = st.columns(2)
    with left:
        st.markdown("**Mean IoU lost by each stage**")
        st.altair_chart(charts.lost({_label(s): v for s, v in part["lost"].items()}))
        rows = [
            {"Stage": _label(s), "IoU lost": f"{v:+.3f}", "Lost most": f"{part['worst'][s]}"}
            for s, v in part["lost"].items()
        ]
        none = {"Stage": "No loss", "IoU lost": NOTHING, "Lost most": str(part["worst"][""])}
        st.table([*rows, none], hide_index=True)
    with right:
        st.markdown("**IoU with the experts' masks**")
        st.table(
            [
                {
                    "": name,
                    "Mean": f"{part['iou'][s]:.3f}",
                    "Pooled": f"{part['pooled_iou'][s]:.3f}",
                }
                for s, name in _SCORED.items()
            ],
            hide_index=True,
        )
