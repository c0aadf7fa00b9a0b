"""The small apps of the browser tests as pages of one, so that one server has them all."""

import streamlit as st

NAMES = ("canvas", "slider", "broken")
pages = [st.Page(f"{name}_app.py", title=name.title(), url_path=name) for name in NAMES]
st.navigation([st.Page(st.empty, title="Start", default=True), *pages], position="hidden").run()
