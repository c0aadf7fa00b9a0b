"""The gallery and the table of many photos."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.page import escape, keep_together, percent, sentence
from rustseg_jax.errors import ImageError
from rustseg_jax.report.outcomes import Outcome
from rustseg_jax.report.results_folder import PhotoFile, ResultsFolder

PAGE = 24  # cards per page: divisible by 2, 3, 4 and 6 columns; half a megabyte of thumbnails

# Clicking anywhere on a card clicks its link, whose area covers the card. The elements that
# Streamlit puts between the two must not be positioned, and the image needs no toolbar. All images
# have the same height, whatever their shape.
_CARDS = """<style>
[class*="st-key-photo-"] { position: relative; }
[class*="st-key-photo-"] [data-testid="stElementContainer"]:has([data-testid="stPageLink"]),
[class*="st-key-photo-"] [data-testid="stPageLink"],
[class*="st-key-photo-"] [data-testid="stPageLink"] * { position: static; }
[class*="st-key-photo-"] a { padding-left: 0; }
[class*="st-key-photo-"] a:hover { text-decoration: underline; }
[class*="st-key-photo-"] a::after { content: ""; position: absolute; inset: 0; }
[class*="st-key-photo-"] [data-testid="stElementToolbar"] { display: none; }
[class*="st-key-photo-"] img {
  aspect-ratio: 4 / 3; object-fit: contain; background: rgba(128, 128, 128, 0.12);
}
</style>"""


def show(
    results: ResultsFolder,
    listed: Sequence[tuple[PhotoFile, Outcome]],
    todo: Sequence[PhotoFile],
    order: str,
) -> dict[PhotoFile, DeltaGenerator]:
    """Draw a page of the gallery.

    Parameters
    ----------
    results : holds the thumbnails
    listed : photos that are done or failed, in order
    todo : remaining photos, shown after them
    order : sort key of `listed`

    Returns
    -------
    The cells of the remaining photos on this page, to draw a `card` into
    """
    pages = -(-(len(listed) + len(todo)) // PAGE)
    key = f"page-{pages}"
    first = PAGE * (min(pages, st.session_state.get(key, 1)) - 1) if pages > 1 else 0
    here = listed[first : first + PAGE]
    rest = todo[max(0, first - len(listed)) : max(0, first + PAGE - len(listed))]
    cells = {}
    st.html(_CARDS)
    with st.grid("auto", min_column_width=150, gap="medium"):
        for photo, outcome in here:
            with st.container():
                card(results, photo, outcome, order)
        for photo in rest:
            cells[photo] = st.empty()
            # In a container like a card's, so that the card replaces all of it.
            with cells[photo].container(), st.container(gap="xsmall"):
                st.skeleton(height=120)
                st.caption(escape(photo.name))
    if pages > 1:
        st.pagination(pages, key=key)
    return cells


def card(results: ResultsFolder, photo: PhotoFile, outcome: Outcome, order: str) -> None:
    """Draw one photo: its overlay, name and verdict; a click opens it on the page Find rust."""
    facts = outcome.facts
    if facts is None:
        with st.container(gap="xsmall", border=True, key=f"failed-{photo.digest[:16]}"):
            st.markdown(f"**{escape(photo.name)}**")
            st.caption(f":material/error: Failed: {escape(outcome.error)}")
        return
    with st.container(gap="xsmall", key=f"photo-{photo.digest[:16]}"):
        try:
            st.image(inline(results.thumbnail(photo)), alt="", width="stretch")
        except ImageError as error:
            st.caption(sentence(error))
        st.page_link(
            "pages/segment.py",
            label=escape(photo.name),
            query_params={"case": photo.digest},
            width="stretch",
        )
        flag = ":material/flag:" if facts["corroded"] else ":material/check_circle:"
        st.caption(f"{flag} {keep_together(facts['verdict'])}{_doubt(outcome, order)}")


def inline(webp: bytes) -> str:
    """Return an image as a data URL of 20 to 30 KB.

    A click during the analysis ends a run before all cards are drawn. Streamlit then deletes the
    files of cards that are still on the screen, and their images would stay broken.
    """
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"


def _doubt(outcome: Outcome, order: str) -> str:
    if order != "doubt":
        return ""
    if outcome.doubt is None:
        return " · uncertainty not measured (large photo)"
    return f" · uncertainty {percent(outcome.doubt)}"


def table(listed: Sequence[tuple[PhotoFile, Outcome]]) -> None:
    """Draw all photos as a table, in order."""

    def share(help: str | None = None) -> Any:
        return st.column_config.NumberColumn(format="%.1f %%", help=help)

    st.dataframe(
        [_row(photo, outcome) for photo, outcome in listed],
        hide_index=True,
        height="content" if len(listed) <= PAGE else 600,
        column_config={
            "Probability": share("Probability of corrosion in the photo as a whole"),
            "Rusted area": share("Share of the photo that is marked"),
            "At least": share("Lower end of the interval of the rusted area"),
            "At most": share("Upper end of the interval of the rusted area"),
            "Uncertainty": share(
                "Share of the photo where the result changes when it is mirrored, shifted or "
                "resized"
            ),
            "Open": st.column_config.LinkColumn(display_text="Open", width="small"),
            "Note": st.column_config.TextColumn(width="large"),
        },
        placeholder="",
        alt="All photos with verdict, probability, rusted area and uncertainty",
    )


def _row(photo: PhotoFile, outcome: Outcome) -> dict[str, object]:
    facts = outcome.facts
    if facts is None:
        return {"Photo": photo.name, "Verdict": "Failed", "Note": outcome.error}
    sure = facts["uncertainty"] or {}
    return {
        "Photo": photo.name,
        "Verdict": "Corrosion" if facts["corroded"] else "No corrosion",
        "Probability": 100 * facts["probability"],
        "Rusted area": 100 * facts["area"],
        "At least": _times_100(sure.get("low")),
        "At most": _times_100(sure.get("high")),
        "Uncertainty": _times_100(outcome.doubt),
        "Size": f"{facts['width']} x {facts['height']}",
        "Open": f"/?case={photo.digest}",
        "Note": facts["reason"] if facts["corroded"] else "",
    }


def _times_100(share: float | None) -> float | None:
    return None if share is None else 100 * share
