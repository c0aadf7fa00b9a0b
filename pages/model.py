"""The Model page: performance, model card, versions and training record."""

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
# On a phone, a wide table scrolls inside the page.
_TABLES = "<style>.st-key-card table { display: block; overflow-x: auto; }</style>"
PACKAGES = ("jax", "jaxlib", "flax", "streamlit", "numpy", "scikit-image", "pillow", "pydensecrf2")


def main() -> None:
    st.title("The model", anchor=False)
    classifier = models.model()
    st.markdown(
        f"Model version **{classifier.digest[:8]}**. This page shows its measured performance, its "
        "model card and the software versions."
    )
    numbers, card, versions = st.tabs(["Performance", "Model card", "Versions"])
    with numbers, guard():
        _numbers(classifier)
    with card, guard():
        _card(classifier)
    with versions, guard():
        _versions(classifier)


def _numbers(classifier: rs.Classifier) -> None:
    """Draw the measurements, or say why there are none."""
    try:
        place = Path(os.environ.get("RUSTSEG_MODEL") or weights.DEFAULT)
        measured = measurements.read(place.with_name(measurements.NAME))
    except rs.DataError as error:
        st.warning(
            f"No measurements for this model version. {sentence(error)}",
            icon=":material/help:",
        )
        return
    if measured.weights != classifier.digest:
        st.warning(
            f"The stored measurements belong to model version {measured.weights[:8]}. They are not "
            f"shown because the version in use is {classifier.digest[:8]}.",
            icon=":material/help:",
        )
        return
    draw(measured)


def _card(classifier: rs.Classifier) -> None:
    if classifier.digest != images.sha256(weights.DEFAULT.read_bytes()):
        st.warning(
            "This model card describes the shipped weights, but other weights are in use.",
            icon=":material/help:",
        )
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
        "The network, as described in the weights file",
    )
    st.header("Training record", anchor=False)
    st.markdown("Written to the weights file during training.")
    if classifier.metadata:
        _facts(classifier.metadata, "Training record")
    else:
        st.markdown("This weights file has no training record.")


def _facts(facts: dict[str, Any], alt: str) -> None:
    rows = [{"what": k.replace("_", " "), "value": _plain(v)} for k, v in facts.items()]
    st.table(pd.DataFrame(rows), hide_index=True, hide_header=True, border="horizontal", alt=alt)


def _plain(value: Any) -> str:
    """Format a value of a record for one cell; nested values go on lines of their own."""
    if isinstance(value, dict):
        return "  \n".join(f"{k}: {_plain(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        joint = "  \n" if any(isinstance(v, str) for v in value) else ", "
        return joint.join(_plain(v) for v in value)
    return escape(str(value))


enter()
main()
