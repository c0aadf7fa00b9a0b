"""A page with the before/after slider, for test_slider.py: blue on the left, red on the right."""

import numpy as np
import streamlit as st

from pages.components.slider import compare_slider

HOSTILE = '<b onclick="alert(1)">**Red** & </b>'
st.set_page_config(page_title="Slider", layout="wide")
tall = "tall" in st.query_params
shape = (900, 600) if tall else (400, 600)

st.session_state["runs"] = st.session_state.get("runs", 0) + 1
st.title("Slider")
st.text(f"runs {st.session_state['runs']}")
red = st.slider("Red", 100, 250, 200, 50, key="red")
before = np.full((*shape, 3), (0, 0, 200), np.uint8)
after = np.full((*shape, 3), (red, 0, 0), np.uint8)
if st.toggle("Shown", value=True):
    compare_slider(
        before,
        after,
        key="flat",
        labels=("Photo", HOSTILE if "hostile" in st.query_params else "Overlay"),
        alt=("All blue", "All red"),
        start=40,
    )
st.write("Below the picture. " * 400)  # something to scroll to
