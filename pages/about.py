"""The About page: purpose, method, training data, limitations, privacy and licences."""

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

RUN = """make demo     # in the source folder: creates a virtual environment and starts the app
.venv/bin/python -m rustseg_jax segment photos/ --out out/     # many photos, without the app"""

WHAT = """
This app finds rust in photos. It tells whether a photo shows rust, marks where, and estimates the
rusted area. It is made for photos of steel structures (bridges, hulls, pipes, gates) and for
teaching how the method works. It does not replace an inspection.
"""

METHOD = """
Pixel-accurate rust masks are rare and slow to draw, but photos labelled “corrosion” or “no
corrosion” are easy to collect. RustSEG learns from such labels alone and still produces masks, in
three steps.
"""

STEPS = {
    "1. Classify": """
A small network, trained only with the labels “corrosion” and “no corrosion”, classifies the whole
photo. If it finds no corrosion, the process ends here and nothing is marked.
""",
    "2. Localise": """
The network's last layer divides the photo into 28 x 28 cells. The heat map shows how strongly each
cell indicates rust, although the network was never shown where rust is.
""",
    "3. Refine": """
A dynamic threshold, computed for each photo, turns the heat map into a rough mask. A dense
conditional random field (CRF) then aligns the mask's edges with changes in colour and texture.
""",
}

AUTHORS = """
B. Burton, W. T. Nash and N. Birbilis: *RustSEG -- Automated segmentation of corrosion using deep
learning*. arXiv:2205.05426, 2022.

The method is theirs. This app is an independent implementation in JAX, for which they are not
responsible. The model card describes the differences (training, heat map, parameters). If you use
the method, please cite:
"""

DATA = """
The model was trained on several thousand images, each labelled only as corrosion or no corrosion:
ships, pipes, cars, rebar and bridges with rust; clean steel, copper, red doors, brick, timber,
animals and everyday objects without. The images come from web collections and research data sets
that may not be redistributed, so they are not part of this app. No masks were used for training.
The Model page gives the number of images, the measured performance and the known problems of the
data.
"""

LIMITS = """
- **Look-alikes.** Brick, terracotta, timber, autumn leaves, copper and red paint can be mistaken
  for rust.
- **Small, distant and shaded rust** is often missed: the heat map has 28 x 28 cells, so spots
  smaller than 1/28 of a side are rarely found. Large photos are therefore analysed in tiles.
- **“No corrosion found”** is a verdict on the whole photo, not a guarantee.
- **Edges follow colour.** Run-off stain is marked where it looks like rust.
- **The rusted area** is a share of the photo, not of the steel in it, and its interval is wide.
- **Depth and safety** cannot be judged from a photo: marked rust may be harmless, and unmarked
  areas may be unsafe.
"""

PRIVACY = f"""
- **Your photo** is stored on this server for {cases.KEEP_HOURS} hours after the upload and then
  deleted. Its address contains the SHA-256 of the file, so you can reload the page or share the
  link. Anyone who has the link can see the photo during that time.
- **Results** stay in the server's memory for at most {cases.KEEP_HOURS} hours. Deleting your
  photos below removes them at once.
- **A photo that an expert corrects** is stored with the correction, the expert's name and the
  time until the operator of this server erases it. Its corrections are erased with it.
- **Nothing is sent elsewhere.** No page loads anything from another host, and no visitor statistics
  are collected. Only photos that experts corrected can be used for training, and only if the
  operator of this server decides to.
- **Your browser** stores the theme that you choose and a cookie that protects uploads against
  forgery. If you correct masks, it also stores your name and unsaved corrections.
"""

LICENCES = """
The program is under the MIT licence; the weights were trained by this project. The program uses
JAX, Flax, Optax, Orbax, safetensors and Streamlit (Apache 2.0), NumPy, SciPy, pandas and
scikit-image (BSD), Pillow (MIT-CMU) and pydensecrf (MIT). The model card lists the licences of the
training images, which are not included.
"""

SAMPLES = """
The rendered scenes are part of the program. The photos without rust come with scikit-image; their
licences are shown next to them. The photos of rust are by other authors, under
[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/):
"""


def main() -> None:
    st.title("About", anchor=False)
    st.markdown(WHAT)
    _method()
    st.header("Training data", anchor=False)
    st.markdown(DATA)
    st.page_link(
        "pages/model.py", label="Performance, model card, versions", icon=":material/monitoring:"
    )
    st.header("Limitations", anchor=False)
    st.markdown(LIMITS)
    _privacy()
    st.header("Run it yourself", anchor=False)
    st.markdown(
        "You need Debian or Ubuntu with Python 3.11, a C++ compiler and make. No GPU is needed, "
        "and your photos do not leave your machine."
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
        caption="Photo, heat map, rough mask and mask of two of the sample photos. The beam is "
        "right; the tank is wrong: it is rusty, and the model calls it clean.",
        alt="A rusting steel beam with its heat map, rough mask and mask, which covers the beam; a "
        "ship's tank with rust on its walls, in which no corrosion is found and nothing is marked",
        width="stretch",
    )
    st.subheader("Authors", anchor=False)
    st.markdown(AUTHORS)
    st.code(CITATION, language=None, wrap_lines=True)  # coloured code is hard to read


def _privacy() -> None:
    st.header("Privacy", anchor=False)
    st.markdown(PRIVACY)
    st.subheader("Delete your photos", anchor=False)
    photos = list(cases.uploads().values())
    if not photos:
        st.markdown("There are no photos from this visit on the server.")
        return
    what = escape(photos[0]) if len(photos) == 1 else f"all {len(photos)} photos"
    st.button(f"Delete {what}", key="delete", on_click=_delete, icon=":material/delete:")
    st.caption("This also deletes the results of every set of photos that contains them.")


def _delete() -> None:
    with guard():
        for digest in cases.delete_uploads():
            forget(digest)


enter()
main()
