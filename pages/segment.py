"""Find rust: choose a photo; see the verdict and the overlay, adjust the result, download files."""

from __future__ import annotations

import streamlit as st

from pages.parts.segment.result import result
from pages.shared import cases
from pages.shared.page import enter, later, sentence
from pages.shared.sample_picker import draw_samples
from rustseg_jax.images import PHOTO_SUFFIXES
from rustseg_jax.samples import Sample

# Clicking a sample's image clicks its button: the button's area covers the whole card. The elements
# that Streamlit puts between the two must not be positioned, and the image needs no toolbar.
_WHOLE_CARD = """<style>
[class*="st-key-card-"] { position: relative; }
[class*="st-key-sample-"], [class*="st-key-sample-"] * { position: static; }
[class*="st-key-sample-"] button::after { content: ""; position: absolute; inset: 0; }
[class*="st-key-card-"] [data-testid="stElementToolbar"] { display: none; }
</style>"""


def main() -> None:
    st.title("Find rust in a photo", anchor=False)
    case = _case()
    if not case:
        st.markdown(
            "Find out whether a photo shows corrosion, where, and how much. Upload one or try a "
            "sample."
        )
    with st.expander(
        "Choose another photo" if case else "Choose a photo",
        expanded=case is None,
        icon=":material/add_a_photo:",
    ):
        _upload(case)
        _camera()
        _samples()
    if case:
        result(case)


def _case() -> cases.ChosenPhoto | None:
    """Return the photo named in the address; if it is gone, warn and start again without one."""
    try:
        return cases.current_case()
    except cases.CaseError as error:
        st.warning(sentence(error), icon=":material/link_off:")
        return None


def _upload(case: cases.ChosenPhoto | None) -> None:
    """Draw the uploader; a new key empties it when another photo is shown (a sample, or Back)."""
    state = st.session_state
    if state.get("uploaded") and not (case and case.digest == state["uploaded"]):
        state["uploads"] = state.get("uploads", 0) + 1
        state["uploaded"] = ""
    key = f"upload-{state.get('uploads', 0)}"
    st.file_uploader(
        "Photo, up to 50 megapixels",
        type=[suffix.removeprefix(".") for suffix in PHOTO_SUFFIXES],
        key=key,
        on_change=_take_upload,
        args=(key,),
    )
    st.caption(
        f"Photos are stored on this server for {cases.KEEP_HOURS} hours so that you can reload the "
        "page, then deleted. They are not sent anywhere else."
    )
    st.page_link(
        "pages/many.py", label="Analyse many photos or a folder", icon=":material/photo_library:"
    )


def _camera() -> None:
    """Draw the camera; the browser asks for permission only after it is switched on here."""
    if st.toggle("Take a photo with the camera", key="camera"):
        st.camera_input("Camera photo", key="shot", label_visibility="collapsed",
                        on_change=_take_shot, width=480)  # fmt: skip


def _take_upload(key: str) -> None:
    file = st.session_state[key]
    with later():
        digest = cases.keep_upload(file.name, file.getvalue()) if file else ""
        st.session_state["uploaded"] = digest
        cases.open_case(upload=digest)


def _take_shot() -> None:
    shot = st.session_state["shot"]
    if shot:  # clearing the shot keeps its result
        with later():
            cases.open_case(upload=cases.keep_upload("Camera.jpg", shot.getvalue()))
            st.session_state["camera"] = False  # switches the camera off


def _take_sample(name: str) -> None:
    cases.open_case(sample=name)


def _samples() -> None:
    st.markdown("Or try a sample:")
    st.html(_WHOLE_CARD)
    draw_samples(_pick)


def _pick(sample: Sample) -> None:
    st.button(
        sample.title,
        key=f"sample-{sample.name}",
        on_click=_take_sample,
        args=(sample.name,),
        help=sample.source,
        width="stretch",
    )


enter()
main()
