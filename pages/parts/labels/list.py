"""The list of corrections, newest first: counts, filters kept in the address, cards or a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

import streamlit as st

import rustseg_jax as rs
from pages.parts.many import gallery
from pages.shared import address, cases, wording
from pages.shared.page import escape, percent, sentence
from pages.shared.people import Person
from rustseg_jax import labels
from rustseg_jax.labels.records import KINDS

__all__ = ["draw", "filters_of", "open_photo"]

PAGE = gallery.PAGE
_LOOKS = {"": ":material/grid_view: Cards", "table": ":material/table_rows: Table"}
# All images in a row have the same height, whatever their shape, and no toolbar.
_CARDS = """<style>
[class*="st-key-label-"] [data-testid="stElementToolbar"] { display: none; }
[class*="st-key-label-"] img {
  aspect-ratio: 4 / 3; object-fit: contain; background: rgba(128, 128, 128, 0.12);
}
</style>"""
_STACK = "labels-before"  # cursors of the pages before this one
_KINDS = {"expert": "drawn here", "import": "imported", "consensus": "consensus"}
_OFFERED = ("who", "status", "verdict", "reason", "model", "kind")


def draw(store: labels.Store, reader: address.Reader, person: Person) -> None:
    """Draw the counts, the filters and one page of the matching corrections."""
    _numbers(store)
    filters = filters_of(store, reader)
    look = reader.one_of("look", _LOOKS, "")
    with st.expander("Filters", icon=":material/filter_alt:", expanded=_chosen(filters)):
        _choose(store, filters)
    reader.complain()
    number = labels.count_corrections(store, filters)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{number}** {'correction' if number == 1 else 'corrections'}")
        if person.may_review and filters.status != "open":
            st.button(
                "Show unreviewed only", key="to-review", icon=":material/rate_review:",
                type="tertiary", on_click=_change, kwargs={"status": "open"},
            )  # fmt: skip
        if _chosen(filters):
            st.button(
                "Clear filters", key="no-filter", icon=":material/filter_alt_off:", type="tertiary",
                on_click=_change, kwargs=dict.fromkeys([*_OFFERED, "since", "until"]),
            )  # fmt: skip
        address.switch("Layout", "look", _LOOKS, look, default="", label_visibility="collapsed")
    page = labels.list_corrections(store, filters, after=_cursor(reader), limit=PAGE)
    if not page.entries:
        st.info("No corrections match these filters.", icon=":material/filter_alt:")
    elif look == "table":
        _table(page)
    else:
        _cards(store, page)
    _turn(reader, page)


def filters_of(store: labels.Store, reader: address.Reader) -> labels.Filters:
    """Return the filters in the address; unknown values are reported and left out."""
    offered = _values(store)
    chosen = {name: reader.one_of(name, offered[name], "") for name in _OFFERED}
    days = {name: _day(reader, name) for name in ("since", "until")}
    since, until = days["since"], days["until"]
    return labels.Filters(
        **chosen,
        since=since.isoformat() if since else "",
        # The named day is included.
        until=(until + timedelta(days=1)).isoformat() if until else "",
    )


def open_photo(digest: str, correction: str = "") -> None:
    """Open a photo; the filters stay in the address for the way back."""
    address.put(photo=digest, at=correction)


def _numbers(store: labels.Store) -> None:
    counts = labels.count_states(store)
    shown = {
        "Photos": counts["photos"],
        "Corrected": counts["corrected"],
        "Uncorrected": counts["waiting"],
        "To review": counts["open"],
        "Approved": counts["approved"],
        "Flagged": counts["flagged"],
    }
    with st.container(horizontal=True, gap="medium", key="in-short"):
        for name, value in shown.items():
            st.metric(name, f"{value}", width="content")


def _values(store: labels.Store) -> dict[str, dict[str, str]]:
    def plain(values: tuple[str, ...]) -> dict[str, str]:
        return {"": "Any", **{value: value for value in values}}

    models = {m: m[:8] for m in labels.values_of(store, "model")}
    return {
        "who": {"": "Any", **{w: w for w in labels.values_of(store, "who")}},
        "status": plain(labels.STATUSES),
        "verdict": {"": "Any", **wording.VERDICTS},
        "reason": plain(labels.REASONS),
        "model": {"": "Any", **models},
        "kind": {"": "Any", **{kind: _KINDS[kind] for kind in KINDS}},
    }


def _day(reader: address.Reader, name: str) -> date | None:
    text = reader.link.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        reader.complaints.append(f"{name}={text[:40]!r} is no day: use one such as 2026-11-24")
        return None


def _choose(store: labels.Store, filters: labels.Filters) -> None:
    offered = _values(store)
    names = {"who": "Expert", "status": "Status", "verdict": "Verdict", "reason": "Reason",
             "model": "Model", "kind": "Origin"}  # fmt: skip
    with st.grid("auto", min_column_width=120, gap="small"):
        for name, label in names.items():
            with st.container():
                value = getattr(filters, name)
                address.pick(label, name, offered[name], value, default="", drop=("after",))
        for name, label in (("since", "From"), ("until", "To")):
            with st.container():
                _pick_day(label, name)


def _pick_day(label: str, name: str) -> None:
    key = f"address-{name}"
    try:
        st.session_state[key] = date.fromisoformat(st.query_params.get(name, ""))
    except ValueError:
        st.session_state[key] = None

    def changed() -> None:
        day = st.session_state[key]
        _change(**{name: day.isoformat() if day else None})

    st.date_input(label, key=key, on_change=changed, format="YYYY-MM-DD")


def _change(**changes: str | None) -> None:
    address.put(after=None, **changes)


def _chosen(filters: labels.Filters) -> bool:
    return any(asdict(filters).values())


def _cursor(reader: address.Reader) -> tuple[str, str] | None:
    made, dot, id = reader.link.get("after", "").partition("~")
    return (made, id) if dot else None


def _turn(reader: address.Reader, page: labels.Page) -> None:
    """Draw the buttons for newer and older pages."""
    here = reader.link.get("after", "")
    if not here and page.after is None:
        return
    before: list[str] = st.session_state.setdefault(_STACK, [])
    if not here:
        before.clear()

    def older() -> None:
        before.append(here)
        address.put(after="~".join(page.after or ()))

    def newer() -> None:
        address.put(after=before.pop() if before else None)

    with st.container(horizontal=True, horizontal_alignment="center"):
        st.button(
            "Newer", key="newer", icon=":material/arrow_back:", disabled=not here, on_click=newer
        )
        st.button(
            "Older", key="older", icon=":material/arrow_forward:", icon_position="right",
            disabled=page.after is None, on_click=older,
        )  # fmt: skip


def _cards(store: labels.Store, page: labels.Page) -> None:
    st.html(_CARDS)
    with st.grid("auto", min_column_width=180, gap="medium"):
        for entry in page.entries:
            with st.container(gap="xsmall", key=f"label-{entry.id}"):
                _picture(store, entry)
                st.button(
                    escape(entry.origin or entry.photo[:8]), key=f"see-{entry.id}",
                    on_click=open_photo, args=(entry.photo, entry.id), width="stretch",
                )  # fmt: skip
                st.caption(
                    f"{wording.status(entry.status)} · "
                    f"{wording.VERDICTS[entry.verdict]}{_area(entry)}"
                )
                st.caption(f"{escape(entry.who)} · {wording.time(entry.made)}")


def _picture(store: labels.Store, entry: labels.Entry) -> None:
    alt = f"{entry.origin or 'A photo'} with the mask of {entry.who}"
    try:
        picture = cases.label_thumbnail(entry.id, store)
    except rs.RustsegError as error:
        st.caption(f":material/error: {sentence(error)}")
    else:
        st.image(gallery.inline(picture), alt=alt, width="stretch")


def _area(entry: labels.Entry) -> str:
    share = _share(entry)
    return f" · {percent(share)}" if share else ""


def _share(entry: labels.Entry) -> float | None:
    if entry.area is None:
        return None
    return entry.area / max(1, entry.width * entry.height - (entry.ignored or 0))


def _table(page: labels.Page) -> None:
    st.dataframe(
        [_row(entry) for entry in page.entries],
        hide_index=True,
        height="content",
        column_config={
            "Rusted area": st.column_config.NumberColumn(format="%.1f %%"),
            "Seconds": st.column_config.NumberColumn(format="%.0f"),
            "Open": st.column_config.LinkColumn(display_text="open", width="small"),
            "Note": st.column_config.TextColumn(width="large"),
        },
        placeholder="",
        alt="Corrections with expert, time, verdict, status and rusted area",
    )


def _row(entry: labels.Entry) -> Mapping[str, Any]:
    share = _share(entry)
    return {
        "Photo": entry.origin or entry.photo[:8],
        "Expert": entry.who,
        "Saved": wording.time(entry.made),
        "Status": entry.status,
        "Verdict": wording.VERDICTS[entry.verdict],
        "Rusted area": None if share is None else 100 * share,
        "Origin": _KINDS[entry.kind],
        "Seconds": entry.seconds,
        "Model": entry.model[:8],
        "Open": f"/labels?photo={entry.photo}&at={entry.id}",
        "Note": entry.note,
    }
