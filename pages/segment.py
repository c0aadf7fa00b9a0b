"""The first page: a photo in; the answer in words, the marked picture, controls and files out."""

from __future__ import annotations

import streamlit as st

from pages.parts.segment.result import result
from pages.shared import cases
from pages.shared.page import enter, later, sentence
from pages.shared.sample_picker import draw_samples
from rustseg_jax.images import PHOTO_SUFFIXES
from rustseg_jax.samples import Sample

# A click on a sample's picture is a click on its button: the button's area covers its card.
# What Streamlit puts between the two must not be positioned, and the picture needs no tools.
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
        st.markdown("Is there corrosion, where, and how much? Upload a photo or try a sample.")
    with st.expander(
        "Another photo" if case else "Choose a photo",
        expanded=case is None,
        icon=":material/add_a_photo:",
    ):
        _upload(case)
        _camera()
        _samples()
    if case:
        result(case)


def _case() -> cases.ChosenPhoto | None:
    """The photo of the address; where it is gone, the page says so and starts afresh."""
    try:
        return cases.current_case()
    except cases.CaseError as error:
        st.warning(sentence(error), icon=":material/link_off:")
        return None


def _upload(case: cases.ChosenPhoto | None) -> None:
    """The uploader; a new key empties it when another photo is shown (a sample, or Back)."""
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
        f"Kept on this server for {cases.KEEP_HOURS} hours, so that reloading works, "
        "then deleted. Sent nowhere else."
    )
    st.page_link("pages/many.py", label="Many photos or a folder", icon=":material/photo_library:")


def _camera() -> None:
    """The camera, which the browser asks for only once it was switched on here."""
    if st.toggle("Take a photo with the camera", key="camera"):
        st.camera_input("Photo of the camera", key="shot", label_visibility="collapsed",
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
            st.session_state["camera"] = False  # and the camera goes off


def _take_sample(name: str) -> None:
    cases.open_case(sample=name)


def _samples() -> None:
    st.markdown("Or a sample:")
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
