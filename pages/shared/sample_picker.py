"""Cards of the samples, the same on every page that offers them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from pages.shared import cases
from rustseg_jax.samples import Sample, list_samples

__all__ = ["draw_samples"]

OTHERS = """
## Can you fool it?

Scenes with exactly known rust masks, and photos that test for false alarms.
"""


def draw_samples(pick: Callable[[Sample], None], *, width: int = 140) -> None:
    """Draw the photos of rust, then under a heading the rendered scenes and photos without rust.

    Parameters
    ----------
    pick : draws the control that chooses a sample, below its image
    width : minimum width of a card in pixels
    """
    samples = list_samples()
    _cards([s for s in samples if s.kind == "photo"], pick, width)
    st.markdown(OTHERS, anchors=False)
    _cards([s for s in samples if s.kind != "photo"], pick, width)


def _cards(samples: Sequence[Sample], pick: Callable[[Sample], None], width: int) -> None:
    with st.grid("auto", min_column_width=width):
        for sample in samples:
            with st.container(gap="xsmall", key=f"card-{sample.name}"):
                st.image(cases.thumbnail(str(sample.path)), alt="", width="stretch")
                pick(sample)
                if sample.remark:
                    st.caption(sample.remark)
