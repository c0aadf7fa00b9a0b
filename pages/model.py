"""The model page: how good it is, its card, what it is made of and runs on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

import rustseg_jax as rs
from pages.parts.model.numbers import draw
from pages.shared import markdown, models
from pages.shared.page import enter, escape, guard, sentence
from rustseg_jax import images
from rustseg_jax.classify import weights
from rustseg_jax.classify.kernels.build import available
from rustseg_jax.evaluate import measurements

PLACE = "data/model"
# On a phone a wide table scrolls by itself, not the page with it.
_TABLES = "<style>.st-key-card table { display: block; overflow-x: auto; }</style>"
PACKAGES = ("jax", "jaxlib", "flax", "streamlit", "numpy", "scikit-image", "pillow", "pydensecrf2")


def main() -> None:
    st.title("The model", anchor=False)
    classifier = models.model()
    st.markdown(
        f"The weights in use are **{classifier.digest[:8]}** (how their SHA-256 begins). Here is "
        "how good they are on pictures that they have not learnt from, what is known about them, "
        "and what they run on."
    )
    numbers, card, versions = st.tabs(["How good it is", "Model card", "Versions"])
    with numbers, guard():
        _numbers(classifier)
    with card, guard():
        _card(classifier)
    with versions, guard():
        _versions(classifier)


def _numbers(classifier: rs.Classifier) -> None:
    """The measurements, or plainly why there are none."""
    try:
        place = Path(os.environ.get("RUSTSEG_MODEL") or weights.DEFAULT)
        measured = measurements.read(place.with_name(measurements.NAME))
    except rs.DataError as error:
        st.warning(
            f"How good these weights are is not known here. {sentence(error)}",
            icon=":material/help:",
        )
        return
    if measured.weights != classifier.digest:
        st.warning(
            f"The numbers at hand are of other weights ({measured.weights[:8]}), so they are not "
            f"shown: they say nothing about those in use ({classifier.digest[:8]}).",
            icon=":material/help:",
        )
        return
    draw(measured)


def _card(classifier: rs.Classifier) -> None:
    if classifier.digest != images.sha256(weights.DEFAULT.read_bytes()):
        st.warning("The card is of the shipped weights; those in use are others.")
    text = weights.DEFAULT.with_name("README.md").read_text(encoding="utf-8")
    with st.container(key="card"):
        st.html(_TABLES)
        st.markdown(markdown.for_page(text, PLACE), anchors=False)


def _versions(classifier: rs.Classifier) -> None:
    st.header("Program", anchor=False)
    convolutions = "compiled Winograd" if available() else "plain XLA"
    _facts(
        {"RustSEG in JAX": rs.__version__, "Python": platform.python_version()}
        | {name: version(name) for name in PACKAGES}
        | {"convolutions": convolutions},
        "Versions of the program",
    )
    st.header("Weights", anchor=False)
    _facts(
        {
            "SHA-256": classifier.digest,
            "temperature": f"{classifier.temperature:.4f}",
            **classifier.describe()["network"],
        },
        "What the weights file says about the network",
    )
    st.header("Training record", anchor=False)
    st.markdown("Written into the weights file when the weights were made.")
    if classifier.metadata:
        _facts(classifier.metadata, "Training record")
    else:
        st.markdown("This weights file holds none.")


def _facts(facts: dict[str, Any], alt: str) -> None:
    rows = [{"what": k.replace("_", " "), "value": _plain(v)} for k, v in facts.items()]
    st.table(pd.DataFrame(rows), hide_index=True, hide_header=True, border="horizontal", alt=alt)


def _plain(value: Any) -> str:
    """A value of a record in one cell; what is inside others on lines of its own."""
    if isinstance(value, dict):
        return "  \n".join(f"{k}: {_plain(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        joint = "  \n" if any(isinstance(v, str) for v in value) else ", "
        return joint.join(_plain(v) for v in value)
    return escape(str(value))


enter()
main()
