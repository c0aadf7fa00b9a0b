"""The sample picker's list: order, truth, files, and what happens where some are absent."""

import numpy as np
import pytest
from PIL import Image

from rustseg_jax.errors import DataError
from rustseg_jax.samples import list_samples


def test_rendered_first_then_photos():
    samples = list_samples()
    rendered = [not sample.name.startswith("skimage-") for sample in samples]
    assert rendered == sorted(rendered, reverse=True)
    assert sum(rendered) == 10
    assert len(samples) - sum(rendered) == 6


def test_names_and_titles_are_unique_and_files_open():
    samples = list_samples()
    assert len({sample.name for sample in samples}) == len(samples)
    assert len({sample.title for sample in samples}) == len(samples)
    for sample in samples:
        with Image.open(sample.path) as image:
            assert min(image.size) >= 300


def test_only_corroded_samples_have_a_mask_and_it_shows_rust():
    for sample in list_samples():
        assert (sample.mask is not None) == (sample.corroded is True)
        if sample.mask is not None:
            with Image.open(sample.mask) as file, Image.open(sample.path) as photo:
                assert file.size == photo.size
                mask = np.asarray(file)
            assert 0.02 < (mask == 255).mean() < 0.9


def test_half_of_the_rendered_are_corroded_and_titles_say_so():
    rendered = [sample for sample in list_samples() if sample.source.startswith("Rendered")]
    assert sum(bool(sample.corroded) for sample in rendered) == 5
    for sample in rendered:
        assert sample.title.endswith("rusting" if sample.corroded else "no rust")


def test_without_the_folder_only_photos(tmp_path):
    samples = list_samples(folder=tmp_path)
    assert [sample.name for sample in samples][:2] == ["skimage-coffee", "skimage-brick"]


def test_a_folder_of_ones_own(tmp_path):
    (tmp_path / "manifest.csv").write_text("image,label,mask\nmy_gate.jpg,,\nx.jpg,1,x.png\n")
    own, other = list_samples(folder=tmp_path)[:2]
    assert (own.title, own.corroded, own.mask) == ("My gate", None, None)
    assert (other.corroded, other.mask) == (True, tmp_path / "x.png")


def test_a_manifest_without_labels_is_refused(tmp_path):
    (tmp_path / "manifest.csv").write_text("image,mask\na.jpg,\n")
    with pytest.raises(DataError, match="label"):
        list_samples(folder=tmp_path)
