"""Agreement between experts on one photo and overall, self-consistency, and consensus masks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from pages.server import incremental
from pages.server.line import once, turn
from pages.shared import address
from pages.shared.page import escape, later, percent
from pages.shared.people import Person
from rustseg_jax import images, labels

__all__ = ["METHODS", "of_photo", "over_all"]

NOTHING = "\N{EN DASH}"
METHODS = {"majority": "Majority", "staple": "STAPLE"}
_KAPPA = (
    "Kappa measures agreement beyond chance: 0 is chance level, 1 is perfect (Cohen, 1960, for two "
    "experts; Fleiss, 1971, for several). IoU is the intersection of two masks divided by their "
    "union."
)


def of_photo(store: labels.Store, told: labels.History, person: Person) -> None:
    """Show how well the experts of a photo agree, where they disagree, and make a consensus."""
    given = labels.opinions(told)
    if len(given) < 2:
        return
    st.header("Agreement between experts", anchor=False)
    key = (told.photo.sha256, *(c.id for c in given))

    def work() -> tuple[labels.Agreement, bytes | None]:
        agreement = labels.compare_experts(given)
        if agreement.disagreement is None:
            return agreement, None
        photo = images.read(store.photo_path(told.photo))
        return agreement, labels.disagreement_picture(photo, agreement.disagreement)

    agreement, picture = once("agreement", key, work, size=8)
    st.markdown(_verdicts(agreement))
    if picture is not None:
        matrix, kappas = st.columns(2)
        with matrix:
            st.markdown("**IoU of masks**")
            _matrix(agreement.experts, agreement.iou)
        with kappas:
            st.markdown("**Cohen's kappa, pixels**")
            _matrix(agreement.experts, agreement.cohen)
        st.markdown(
            f"Fleiss' kappa of all experts, pixels: **{_number(agreement.fleiss)}**", help=_KAPPA
        )
        st.image(picture, alt="Where the experts disagree", width="stretch")
        st.caption("Yellow: the experts disagree. Stronger colour: more evenly split.")
    if person.may_review:
        _consensus(store, told, person)


def _verdicts(agreement: labels.Agreement) -> str:
    names = zip(agreement.experts, agreement.verdicts, strict=True)
    return " · ".join(f"**{escape(who)}**: {verdict}" for who, verdict in names)


def _matrix(names: Sequence[str], values: np.ndarray) -> None:
    rows = [[_number(float(value)) for value in row] for row in values]
    st.table(pd.DataFrame(rows, index=list(names), columns=list(names)))


def _consensus(store: labels.Store, told: labels.History, person: Person) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            "**Consensus mask**",
            width="content",
            help="The consensus is stored as a new record. Majority gives each pixel the label "
            "that most experts chose; STAPLE (Warfield et al., 2004) weights each expert by their "
            "estimated reliability on this photo.",
        )
        for method, label in METHODS.items():
            st.button(
                label, key=f"consensus-{method}", icon=":material/merge:",
                on_click=_make, args=(store, told, method, person), disabled=not person.name,
            )  # fmt: skip
    if not person.name:
        st.caption("Enter your name first; it is stored with the new mask.")


def _make(store: labels.Store, told: labels.History, method: str, person: Person) -> None:
    with later(), turn():
        made = labels.make_consensus(
            store, told.photo, who=person.name, method=method, verified=person.verified
        )
        address.put(at=made.id)
        st.toast("Consensus saved as a new record.", icon=":material/merge:")


def over_all(store: labels.Store) -> None:
    """Show the agreement over all photos; earlier measurements are reused."""
    st.markdown(
        "Photos corrected by several experts show how well the experts agree. Photos shown to the "
        "same expert again after a week or more show how consistent that expert is."
    )
    with incremental.in_steps("photo") as tell:
        totals = labels.agree_over_all(
            store, progress=tell, known=incremental.agreements(), turn=turn
        )
    if not totals["photos"] and not totals["selves"]:
        st.info(
            "No photo has been corrected twice yet. For a second opinion, open a photo here, "
            "choose Correct, and start from the model's mask, so that the first correction does "
            "not influence the second.",
            icon=":material/groups:",
        )
        return
    with st.container(horizontal=True, gap="medium", key="in-short"):
        st.metric("Photos with several experts", f"{totals['photos']}", width="content")
        st.metric("Fleiss' kappa, pixels", _number(totals["fleiss"]), width="content", help=_KAPPA)
        st.metric("Fleiss' kappa, verdicts", _number(totals["verdict_fleiss"]), width="content")
    if totals["pairs"]:
        st.header("Pairs of experts", anchor=False)
        st.dataframe(
            [_pair(pair) for pair in totals["pairs"]], hide_index=True, height="content",
            placeholder=NOTHING, alt="Agreement of each pair of experts",
        )  # fmt: skip
    if totals["selves"]:
        st.header("Self-consistency", anchor=False)
        st.dataframe(
            [_self(*item) for item in totals["selves"].items()], hide_index=True, height="content",
            placeholder=NOTHING, alt="Agreement of each expert with their own earlier corrections",
        )  # fmt: skip


def _pair(pair: dict[str, Any]) -> dict[str, Any]:
    return {
        "Experts": " and ".join(pair["experts"]),
        "Photos": pair["verdicts"],
        "Kappa, verdicts": _round(pair["verdict_cohen"]),
        "Masks": pair["photos"],
        "Mean IoU": _round(pair["mean_iou"]),
        "Pooled IoU": _round(pair["pooled_iou"]),
        "Kappa, pixels": _round(pair["cohen"]),
    }


def _self(who: str, repeated: dict[str, Any]) -> dict[str, Any]:
    return {
        "Expert": who,
        "Repeats": repeated["repeats"],
        "Same verdict": percent(repeated["same_verdict"]),
        "Masks": repeated["masks"],
        "Mean IoU": _round(repeated["mean_iou"]),
        "Kappa, pixels": _round(repeated["cohen"]),
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _number(value: float | None) -> str:
    return NOTHING if value is None or math.isnan(value) else f"{value:.3f}"
