"""Many photos: choose them, follow the progress, browse and download the results.

The photos of a visit form a set whose id is in the address, see `photo_sets`. They are analysed one
by one within the page's own run: a click, or another page, ends that run after the current photo,
and the next run continues from there. Streamlit keeps the run of a closed tab alive for a while.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts.many import chooser, gallery
from pages.server.line import turn
from pages.server.results import results_folder, zip_file
from pages.shared import cases, models, photo_sets
from pages.shared.page import enter, escape, sentence
from rustseg_jax.report.outcomes import ORDERS, Outcome, sort_outcomes, summary_csv
from rustseg_jax.report.results_folder import PhotoFile, ResultsFolder, in_full, segment_photos

VIEWS = {"gallery": ":material/grid_view: Gallery", "table": ":material/table_rows: Table"}
Outcomes = Mapping[PhotoFile, Outcome]


def main() -> None:
    if (case := st.query_params.get("case")) and "set" not in st.query_params:
        # A card's link to the first page, opened in a new tab: its address begins with "?".
        st.switch_page("pages/segment.py", query_params={"case": case})
    st.title("Find rust in many photos", anchor=False)
    try:
        photos = photo_sets.current_set()
    except photo_sets.SetError as error:
        st.warning(sentence(error), icon=":material/link_off:")
        photos = None
    if photos is None:
        chooser.choose()
    else:
        _show(photos)


def _show(photos: photo_sets.PhotoSet) -> None:
    results = results_folder(photos.folder)
    outcomes = {p: outcome for p in photos.photos if (outcome := results.outcome(p))}
    todo = [photo for photo in photos.photos if photo not in outcomes]
    working = bool(todo) and not photos.stopped
    for photo in photos.photos:
        cases.call(photo.digest, photo.name)
    with st.container(border=True, key="progress"):
        progress = st.empty()
        line = st.empty()
        _show_progress(progress, photos, outcomes)
        _buttons(photos, results, outcomes, todo, working=working)
    cells = _results(results, outcomes, todo, working=working)
    if working:
        _work(photos, results, outcomes, todo, progress, line, cells)


def _show_progress(
    progress: DeltaGenerator, photos: photo_sets.PhotoSet, outcomes: Outcomes
) -> None:
    """Show the progress and the results so far."""
    total, done = len(photos.photos), len(outcomes)
    failed = sum(outcome.failed for outcome in outcomes.values())
    rusty = sum(bool(o.facts and o.facts["corroded"]) for o in outcomes.values())
    with progress.container(gap="small"):
        st.markdown(
            f"**{done} of {total}** {'photo' if total == 1 else 'photos'} analysed · "
            f":material/flag: **{rusty}** with corrosion · "
            f":material/check_circle: **{done - failed - rusty}** without"
            + (f" · :material/error: **{failed}** failed" if failed else "")
        )
        if done < total:
            st.progress(done / total)
        if photos.twice:
            names = ", ".join(map(escape, photos.twice[:3]))
            more = f" and {len(photos.twice) - 3} more" if len(photos.twice) > 3 else ""
            st.caption(f"Duplicates, listed once: {names}{more}")


def _buttons(
    photos: photo_sets.PhotoSet,
    results: ResultsFolder,
    outcomes: Outcomes,
    todo: list[PhotoFile],
    *,
    working: bool,
) -> None:
    with st.container(horizontal=True):
        if working:
            st.button("Stop", key="stop", on_click=photos.stop, icon=":material/stop:")
            return
        if todo:
            st.button(
                f"Continue ({len(todo)} remaining)",
                key="go-on",
                on_click=photos.go_on,
                icon=":material/play_arrow:",
            )
        failed = [photo for photo, outcome in outcomes.items() if outcome.failed]
        if len(failed) < len(outcomes):
            st.download_button(
                "All results (ZIP)", lambda: zip_file(photos.photos, results),
                f"rustseg-{photos.id[:6]}.zip", "application/zip", on_click="ignore",
                icon=":material/download:", help=_in_the_zip(outcomes),
            )  # fmt: skip
        if outcomes:
            st.download_button(
                "Table (CSV)", summary_csv(outcomes.values()), "summary.csv", "text/csv",
                on_click="ignore", icon=":material/download:",
                help="One row per photo, in the same format as the command line",
            )  # fmt: skip
        if failed:
            st.button(
                "Retry failed photos",
                key="again",
                on_click=_again,
                args=(results, failed),
                icon=":material/replay:",
            )
        st.button(
            "Choose other photos",
            key="other",
            on_click=_close,
            icon=":material/add_photo_alternate:",
        )


def _again(results: ResultsFolder, failed: list[PhotoFile]) -> None:
    for photo in failed:
        results.forget(photo)


def _close() -> None:
    st.query_params.clear()


def _in_the_zip(outcomes: Outcomes) -> str:
    size = "" if in_full(outcomes.values()) else "; the overlays are reduced to screen size"
    return f"Mask, overlay and data of each photo, and the table{size}"


def _results(
    results: ResultsFolder, outcomes: Outcomes, todo: list[PhotoFile], *, working: bool
) -> dict[PhotoFile, DeltaGenerator]:
    """Draw the results so far; returns the empty cells of the remaining photos."""
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        order = st.segmented_control(
            "Sort by", list(ORDERS), format_func=ORDERS.__getitem__, default="area",
            required=True, key="order", persist_state="session", wrap=True,
        )  # fmt: skip
        view = st.segmented_control(
            "View", list(VIEWS), format_func=VIEWS.__getitem__, default="gallery",
            required=True, key="view", persist_state="session",
        )  # fmt: skip
    photo_of = {outcome: photo for photo, outcome in outcomes.items()}
    listed = [(photo_of[o], o) for o in sort_outcomes(outcomes.values(), order)]
    if view == "table":
        gallery.table(listed)
        return {}
    return gallery.show(results, listed, todo if working else [], order)


def _work(
    photos: photo_sets.PhotoSet,
    results: ResultsFolder,
    outcomes: dict[PhotoFile, Outcome],
    todo: list[PhotoFile],
    progress: DeltaGenerator,
    line: DeltaGenerator,
    cells: Mapping[PhotoFile, DeltaGenerator],
) -> None:
    """Analyse the remaining photos; a click, or leaving the page, stops this between two photos."""
    model = models.model()
    for photo, outcome in segment_photos(todo, model, results, turn=lambda: turn(line)):
        outcomes[photo] = outcome
        _show_progress(progress, photos, outcomes)
        if photo in cells:
            with cells[photo].container():
                gallery.card(results, photo, outcome, "area")
        if photos.stopped:  # from another tab
            break
    st.rerun()


enter()
main()
