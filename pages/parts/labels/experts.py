"""Do experts agree: on a photo, over all, and with themselves; one mask made of several."""

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

__all__ = ["of_photo", "over_all"]

NOTHING = "\N{EN DASH}"
_METHODS = {"majority": "Majority", "staple": "STAPLE"}
_KAPPA = (
    "Kappa is agreement beyond chance: 0 is what guessing would give, 1 is perfect (Cohen, 1960, "
    "of two; Fleiss, 1971, of all). IoU is what two masks share of what either marks."
)


def of_photo(store: labels.Store, told: labels.History, person: Person) -> None:
    """How far the experts of a photo agree, where they differ, and one mask of theirs."""
    given = labels.opinions(told)
    if len(given) < 2:
        return
    st.header("Its experts", anchor=False)
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
            st.markdown("**IoU of their masks**")
            _matrix(agreement.experts, agreement.iou)
        with kappas:
            st.markdown("**Cohen's kappa over pixels**")
            _matrix(agreement.experts, agreement.cohen)
        st.markdown(
            f"Fleiss' kappa of all over pixels: **{_number(agreement.fleiss)}**", help=_KAPPA
        )
        st.image(picture, alt="Where the experts differ", width="stretch")
        st.caption("Yellow: where the experts differ, the stronger the more evenly they are split.")
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
            "**One mask of theirs**",
            width="content",
            help="Kept as a new record beside what the experts drew. By majority each pixel goes "
            "to what most say; STAPLE (Warfield and others, 2004) weighs each expert by how "
            "reliable they seem on this photo.",
        )
        for method, label in _METHODS.items():
            st.button(
                label, key=f"consensus-{method}", icon=":material/merge:",
                on_click=_make, args=(store, told, method, person), disabled=not person.name,
            )  # fmt: skip
    if not person.name:
        st.caption("Give your name first: it is kept with the new mask.")


def _make(store: labels.Store, told: labels.History, method: str, person: Person) -> None:
    with later(), turn():
        made = labels.make_consensus(
            store, told.photo, who=person.name, method=method, verified=person.verified
        )
        address.put(at=made.id)
        st.toast("The consensus is kept as a new record.", icon=":material/merge:")


def over_all(store: labels.Store) -> None:
    """Agreement over all photos; what was measured before is not measured again."""
    st.markdown(
        "Photos that several experts corrected tell how far they agree; photos that one expert "
        "was shown again after a week or more, how far they agree with themselves."
    )
    with incremental.in_steps("photo") as tell:
        totals = labels.agree_over_all(
            store, progress=tell, known=incremental.agreements(), turn=turn
        )
    if not totals["photos"] and not totals["selves"]:
        st.info(
            "No photo has been corrected twice yet. For a second opinion open a photo here, press "
            "Correct, and begin from the model's mask: so it does not lean on the first.",
            icon=":material/groups:",
        )
        return
    with st.container(horizontal=True, gap="medium", key="in-short"):
        st.metric("Photos with several experts", f"{totals['photos']}", width="content")
        st.metric("Fleiss' kappa, pixels", _number(totals["fleiss"]), width="content", help=_KAPPA)
        st.metric("Fleiss' kappa, verdicts", _number(totals["verdict_fleiss"]), width="content")
    if totals["pairs"]:
        st.header("Two by two", anchor=False)
        st.dataframe(
            [_pair(pair) for pair in totals["pairs"]], hide_index=True, height="content",
            placeholder=NOTHING, alt="How far each two experts agree",
        )  # fmt: skip
    if totals["selves"]:
        st.header("With themselves", anchor=False)
        st.dataframe(
            [_self(*item) for item in totals["selves"].items()], hide_index=True, height="content",
            placeholder=NOTHING, alt="How far each expert agrees with themselves",
        )  # fmt: skip


def _pair(pair: dict[str, Any]) -> dict[str, Any]:
    return {
        "Experts": " and ".join(pair["experts"]),
        "Photos": pair["verdicts"],
        "Kappa of verdicts": _round(pair["verdict_cohen"]),
        "Masks": pair["photos"],
        "Mean IoU": _round(pair["mean_iou"]),
        "IoU of all pixels": _round(pair["pooled_iou"]),
        "Kappa of pixels": _round(pair["cohen"]),
    }


def _self(who: str, repeated: dict[str, Any]) -> dict[str, Any]:
    return {
        "Expert": who,
        "Shown again": repeated["repeats"],
        "Same verdict": percent(repeated["same_verdict"]),
        "Masks": repeated["masks"],
        "Mean IoU": _round(repeated["mean_iou"]),
        "Kappa of pixels": _round(repeated["cohen"]),
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _number(value: float | None) -> str:
    return NOTHING if value is None or math.isnan(value) else f"{value:.3f}"
