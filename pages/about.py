"""What this is, how it works, where it fails, what is kept, and how to run it."""

from __future__ import annotations

import streamlit as st

from pages.server.line import forget
from pages.shared import cases, markdown
from pages.shared.page import enter, escape, guard
from rustseg_jax.samples import Sample, list_samples

# Checked against arXiv's listing of 2205.05426 (12 May 2022).
CITATION = """@misc{burton2022rustseg,
  title         = {RustSEG -- Automated segmentation of corrosion using deep learning},
  author        = {Burton, B. and Nash, W. T. and Birbilis, N.},
  year          = {2022},
  eprint        = {2205.05426},
  archivePrefix = {arXiv},
  primaryClass  = {cs.CV}
}"""

RUN = """make demo     # in the folder of the source: sets up a virtual environment, starts the app
.venv/bin/python -m rustseg_jax segment photos/ --out out/     # many photos, without the app"""

WHAT = """
This app finds rust in photos: it says whether there is any, marks where, and how much of the
picture that is. It is made for looking at steel (bridges, hulls, pipes, gates) and for teaching
how such a method works. It is no substitute for an inspection.
"""

METHOD = """
Masks of rust, drawn pixel by pixel, are rare and slow to make; photos that are known to show rust
are not. RustSEG learns from the second kind and yet answers with the first, in three steps.
"""

STEPS = {
    "1. Classify": """
A small network that was trained on nothing but “corrosion” and “no corrosion” judges the whole
photo. If it finds no corrosion, it ends here: nothing is marked.
""",
    "2. Localise": """
The network's last layer sees the photo as 28 x 28 cells. What speaks for rust in each cell is the
heat map: where the rust is, though nobody ever showed it where rust is.
""",
    "3. Refine": """
A threshold that follows the photo turns the heat map into a rough mask. A dense conditional
random field then moves its edge to where colour and texture change.
""",
}

AUTHORS = """
B. Burton, W. T. Nash and N. Birbilis: *RustSEG -- Automated segmentation of corrosion using deep
learning*. arXiv:2205.05426, 2022.

They had the idea and showed that it works. This app is an independent implementation in JAX, and
they do not answer for it. What it does differently (training, heat map, parameters) is in the
model card. If you use the method, cite them:
"""

DATA = """
Several thousand pictures with one bit each, corrosion or not: ships, pipes, cars, rebar and
bridges on one side; clean steel, copper, red doors, brick, timber, animals and everyday objects
on the other. They come from collections on the web and from research and may not be passed on, so
they are not part of this app. No mask was learnt from. How many there are, how good the result is
and what is wrong with the data stands on the page about the model.
"""

LIMITS = """
- **Look-alikes.** Brick, terracotta, timber, autumn leaves, copper and red paint can be taken for
  rust.
- **Small, far and shaded rust** is missed: the heat map has 28 x 28 cells, so a spot smaller than
  1/28 of the side is seen only with luck. Large photos are looked at in windows for that reason.
- **“No corrosion found”** is a verdict on the picture as a whole, not a promise.
- **Edges follow colour.** Run-off stain is marked where it looks like rust.
- **The rusted area** is a share of the picture, not of the steel in it, and its interval is wide.
- **Depth and danger** cannot be seen in a photo: rust that is marked may be harmless, and what is
  not marked may be unsafe.
"""

PRIVACY = f"""
- **Your photo** is kept on this server for {cases.KEEP_HOURS} hours after its upload, named by
  the SHA-256 of its bytes, so that reloading works and its address can be shared. Then it is
  deleted. Whoever has that address can see it while it is there.
- **What was computed from it** stays in the server's memory, for {cases.KEEP_HOURS} hours at
  most, and goes at once when you delete it below.
- **A photo that an expert corrects** is kept with the correction, the name of the expert and the
  time, until whoever runs this server erases it. What was said of it goes with it.
- **Nothing is sent elsewhere.** No page loads anything from another host, visitors are not
  counted, and no photo is used for training but those that
  experts correct, where whoever runs this server chooses to.
- **Your browser** keeps the theme that you choose, and a cookie that protects uploads against
  forgery; of corrections the name that you give and what you have not saved yet.
"""

LICENCES = """
The program is under the MIT licence, and the weights are ours. It stands on JAX, Flax, Optax,
Orbax, safetensors and Streamlit (Apache 2.0), NumPy, SciPy, pandas and scikit-image (BSD), Pillow
(MIT-CMU) and pydensecrf (MIT). The licences of the pictures that the model learnt from are in the
model card; the pictures are not here.
"""

SAMPLES = """
The rendered scenes belong to the program, the pictures without rust come with scikit-image and say
their licences where they are picked. The photos of rust are by others, under
[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/):
"""


def main() -> None:
    st.title("About", anchor=False)
    st.markdown(WHAT)
    _method()
    st.header("What it learnt from", anchor=False)
    st.markdown(DATA)
    st.page_link(
        "pages/model.py", label="Numbers, model card, versions", icon=":material/monitoring:"
    )
    st.header("Where it fails", anchor=False)
    st.markdown(LIMITS)
    _privacy()
    st.header("Run it yourself", anchor=False)
    st.markdown(
        "On Debian or Ubuntu with Python 3.11, a C++ compiler and make; no GPU is needed, and your "
        "photos do not leave your machine."
    )
    st.code(RUN, language=None, wrap_lines=True)
    st.header("Licences", anchor=False)
    st.markdown(LICENCES)
    st.subheader("Sample photos", anchor=False)
    credits = "\n".join(_credit(s) for s in list_samples() if s.kind == "photo")
    st.markdown(f"{SAMPLES}\n{credits}")


def _credit(photo: Sample) -> str:
    return f"- **{escape(photo.title)}**: {escape(photo.source)}. {photo.remark}".rstrip()


def _method() -> None:
    st.header("The method", anchor=False)
    st.markdown(METHOD)
    for column, (name, text) in zip(st.columns(3, gap="medium"), STEPS.items(), strict=True):
        with column:
            st.subheader(name, anchor=False)
            st.markdown(text)
    st.image(
        str(markdown.ROOT / "docs" / "stages.jpg"),
        caption="Photo, heat map, rough mask and mask of three scenes, rendered by this project.",
        alt="A rusting wall and a rusting plate, each with where the network sees rust, the rough "
        "mask and the mask; a red door, in which it finds no corrosion and marks nothing",
        width="stretch",
    )
    st.subheader("Whose method it is", anchor=False)
    st.markdown(AUTHORS)
    st.code(CITATION, language=None, wrap_lines=True)  # coloured code is hard to read


def _privacy() -> None:
    st.header("What is kept, and for how long", anchor=False)
    st.markdown(PRIVACY)
    st.subheader("Delete your photos now", anchor=False)
    photos = list(cases.uploads().values())
    if not photos:
        st.markdown("Of this visit, there is no photo on the server.")
        return
    what = escape(photos[0]) if len(photos) == 1 else f"all {len(photos)} photos"
    st.button(f"Delete {what}", key="delete", on_click=_delete, icon=":material/delete:")
    st.caption("With the results of the sets of many photos that they are in.")


def _delete() -> None:
    with guard():
        for digest in cases.delete_uploads():
            forget(digest)


enter()
main()
