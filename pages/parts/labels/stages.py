"""Blame the stage: which step of the method lost most against what an expert drew."""

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
    "heatmap": "Heat map, cut at one half",
    "rough": "Rough mask",
    "mask": "Mask",
}


def of_one(told: labels.History, chosen: Correction) -> None:
    """What each stage lost of one correction."""
    made = next((p for p in told.predictions if p.id == chosen.prediction), None)
    if made is None or chosen.mask is None:
        return
    blamed = once(
        "blame",
        (told.photo.sha256, chosen.id),
        lambda: labels.blame_correction(chosen, made),
        size=64,
    )
    st.header("Which stage lost it", anchor=False)
    if not blamed.worst:
        st.markdown("Nothing was lost: the expert agrees with the model.")
        return
    worst = blamed.stages[blamed.worst]
    st.markdown(
        f"Against this mask, **{STAGES[blamed.worst]}** lost most: {worst.lost:.2f} of an "
        f"IoU of 1. What the user got has an IoU of {blamed.iou['mask']:.2f}."
    )
    rows = [
        {"Stage": STAGES[name], "IoU after it": f"{loss.iou:.3f}", "Lost": f"{loss.lost:+.3f}"}
        for name, loss in blamed.stages.items()
    ]
    st.table(rows, hide_index=True)
    st.caption(
        f"The heat map was cut at {made.threshold:.2f}; its best cut here is "
        f"{blamed.best_threshold:.2f}. Below 0, a stage won something back."
    )


def over_all(store: labels.Store) -> None:
    """Totals over all corrections that have a mask and a prediction."""
    st.markdown(
        "Each correction is held against the prediction that was corrected: what the coarse grid "
        "of the heat map cannot show, what the heat map missed, what its threshold, the CRF and "
        "the verdict lost. Nothing is computed by the model again."
    )
    with incremental.in_steps("correction") as tell:
        blamed = labels.blame_all(store, progress=tell, known=incremental.blames(), turn=turn)
    if not blamed["all"]["n"]:
        st.info(
            "No correction has both a mask and a prediction yet.", icon=":material/troubleshoot:"
        )
        return
    _part(blamed["all"])
    if len(blamed["models"]) > 1:
        for model, part in blamed["models"].items():
            with st.expander(f"Weights {model[:8] or 'without a file'}: {part['n']} corrections"):
                _part(part)


def _part(part: dict[str, Any]) -> None:
    worst = max(STAGES, key=lambda s: part["worst"].get(s, 0))
    number = part["worst"].get(worst, 0)
    word = "correction" if part["n"] == 1 else "corrections"
    st.markdown(
        f"**{part['n']}** {word}. {STAGES[worst][0].upper()}{STAGES[worst][1:]} lost most in "
        f"**{number}** of them ({percent(number / part['n'])})."
    )
    left, right = st.columns(2)
    with left:
        st.markdown("**Mean IoU that each stage lost**")
        st.altair_chart(charts.lost({STAGES[s]: v for s, v in part["lost"].items()}))
        rows = [
            {"Stage": STAGES[s], "Lost": f"{v:+.3f}", "Lost most": f"{part['worst'][s]}"}
            for s, v in part["lost"].items()
        ]
        st.table([*rows, {"Stage": "none", "Lost": NOTHING, "Lost most": str(part["worst"][""])}],
                 hide_index=True)  # fmt: skip
    with right:
        st.markdown("**IoU with the experts' masks**")
        st.table(
            [
                {
                    "": name,
                    "Mean": f"{part['iou'][s]:.3f}",
                    "Of all pixels": f"{part['pooled_iou'][s]:.3f}",
                }
                for s, name in _SCORED.items()
            ],
            hide_index=True,
        )
