"""The list of sample images: order, truth, files, and missing files."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image

import rustseg_jax as rs
from rustseg_jax.classify import weights
from rustseg_jax.errors import DataError
from rustseg_jax.samples import SAMPLES_DIR, list_samples
from rustseg_jax.scenes.__main__ import main


def test_photos_of_rust_first_then_rendered_then_the_clean_photos_of_scikit_image():
    samples = list_samples()
    order = [0 if s.kind == "photo" else 2 if s.name.startswith("skimage-") else 1 for s in samples]
    assert order == [0] * 5 + [1] * 10 + [2] * 6
    kinds = [s.kind for s in samples]
    assert [kinds.count(k) for k in ("photo", "rendered", "look-alike")] == [5, 5, 11]
    assert all((s.kind == "look-alike") == (s.corroded is False) for s in samples)


def test_names_and_titles_are_unique_and_files_open():
    samples = list_samples()
    assert len({sample.name for sample in samples}) == len(samples)
    assert len({sample.title for sample in samples}) == len(samples)
    for sample in samples:
        with Image.open(sample.path) as image:
            assert min(image.size) >= 300


def test_only_rendered_rust_has_a_mask_and_it_shows_rust():
    for sample in list_samples():
        assert (sample.mask is not None) == (sample.kind == "rendered")
        if sample.mask is not None:
            with Image.open(sample.mask) as file, Image.open(sample.path) as photo:
                assert file.size == photo.size
                mask = np.asarray(file)
            assert 0.02 < (mask == 255).mean() < 0.9


def test_titles_of_what_is_shipped_here_say_the_truth():
    for sample in list_samples():
        if not sample.name.startswith("skimage-"):
            assert sample.title.endswith("rusting" if sample.corroded else "no rust")


def test_photos_of_rust_name_author_licence_and_what_was_changed():
    with (SAMPLES_DIR / "attribution.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    photos = [s for s in list_samples() if s.kind == "photo"]
    assert [s.path.name for s in photos] == list(rows)
    for sample in photos:
        row = rows[sample.path.name]
        assert row["licence"] == "CC BY 4.0"
        for column in ("source", "licence", "note"):
            assert row[column] in sample.source
        with Image.open(sample.path) as image:
            assert not image.getexif()  # no place, no camera


def test_remarks_say_what_the_shipped_weights_say():
    model = rs.load_model(weights.DEFAULT)
    for sample in list_samples():
        if sample.kind == "photo":
            found = rs.segment(sample.path, model).mask.any()
            assert sample.remark == ("" if found else "The shipped model misses this one.")


def test_without_the_folder_only_the_clean_photos(tmp_path):
    samples = list_samples(folder=tmp_path)
    assert [sample.name for sample in samples][:2] == ["skimage-coffee", "skimage-brick"]


def test_rendering_the_samples_again_keeps_the_photos(tmp_path, monkeypatch):
    monkeypatch.setattr("rustseg_jax.scenes.__main__.SAMPLES", (("plate", 1),))
    monkeypatch.setattr("rustseg_jax.scenes.__main__.SIZE", (64, 64))
    shutil.copytree(SAMPLES_DIR, tmp_path / "samples")
    main(["--out", str(tmp_path / "samples")])
    listed = list_samples(folder=tmp_path / "samples")
    assert [s.kind for s in listed][:7] == ["photo"] * 5 + ["rendered", "look-alike"]
    assert all(s.path.is_file() for s in listed)


def test_a_folder_of_ones_own(tmp_path):
    (tmp_path / "manifest.csv").write_text("image,label,mask\nmy_gate.jpg,,\nx.jpg,1,x.png\n")
    (tmp_path / "attribution.csv").write_text(
        "image,label,source,licence,note\nhull.jpg,1,Ada,CC0,cropped\n"
    )
    photo, own, other = list_samples(folder=tmp_path)[:3]
    assert (photo.title, photo.corroded, photo.source) == ("Hull", True, "Ada, CC0 (cropped)")
    assert (own.title, own.corroded, own.mask) == ("My gate", None, None)
    assert (other.corroded, other.mask) == (True, tmp_path / "x.png")


@pytest.mark.parametrize(
    ("name", "head", "missing"),
    [("manifest.csv", "image,mask", "label"), ("attribution.csv", "image,label,source", "licence")],
)
def test_a_table_without_a_column_is_refused(tmp_path, name, head, missing):
    (tmp_path / name).write_text(f"{head}\na.jpg,,\n")
    with pytest.raises(DataError, match=missing):
        list_samples(folder=tmp_path)
