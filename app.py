"""The app, started with `streamlit run app.py`: lists the pages, which are in pages/."""

import streamlit as st

from pages.shared.page import app, icon

st.set_page_config(page_title="RustSEG", page_icon=icon(), layout="wide")
page = st.navigation(
    [
        st.Page("pages/segment.py", title="Find rust", icon=":material/search:", default=True),
        st.Page("pages/many.py", title="Many photos", icon=":material/photo_library:"),
        st.Page("pages/compare.py", title="Stages", icon=":material/stairs:"),
        st.Page("pages/tour.py", title="Tour", icon=":material/route:"),
        st.Page("pages/correct.py", title="Correct", icon=":material/brush:"),
        st.Page("pages/labels.py", title="Labels", icon=":material/label:"),
        st.Page("pages/model.py", title="Model", icon=":material/monitoring:"),
        st.Page("pages/about.py", title="About", icon=":material/info:"),
    ],
    position="top",
)
with app():
    page.run()
