"""Data folders: every error by line and name, masks by hand, packing once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rustseg_jax import images
from rustseg_jax.errors import DataError
from rustseg_jax.learning.packs import pack
from rustseg_jax.manifest import COLUMNS, Record, half_of, load_manifest, read_mask

HEADER = ",".join(COLUMNS)


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    for k, name in enumerate(("a.png", "b/b.png")):
        save(data / name, np.full((20, 24, 3), 40 * k, np.uint8))
    save(data / "m.png", np.zeros((20, 24), np.uint8))
    save(tmp_path / "outside.png", np.zeros((20, 24, 3), np.uint8))
    return data


def write(folder: Path, *lines: str, header: str = HEADER, encoding: str = "utf-8") -> Path:
    (folder / "manifest.csv").write_text("\n".join((header, *lines)) + "\n", encoding=encoding)
    return folder


GOOD = "a.png,1,web,s1,train,m.png"


def test_a_manifest_is_read(folder: Path) -> None:
    write(folder, GOOD, "b/b.png,0,site,s2,val,")
    first, second = load_manifest(folder)
    assert first == Record(folder / "a.png", 1, "web", "s1", "train", folder / "m.png")
    assert second == Record(folder / "b/b.png", 0, "site", "s2", "val", None)
    assert load_manifest(str(folder), splits=["val"]) == (second,)
    assert load_manifest(folder, splits=("train", "val")) == (first, second)


def test_more_columns_and_a_byte_order_mark_are_allowed(folder: Path) -> None:
    write(folder, "x,a.png,1,web,s1,train,", header="note," + HEADER, encoding="utf-8-sig")
    assert load_manifest(folder)[0].image == folder / "a.png"
    write(folder, GOOD, encoding="utf-8-sig")
    assert load_manifest(folder)[0].label == 1


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not a data folder.*manifest"):
        load_manifest(tmp_path)


def test_missing_columns_are_named(folder: Path) -> None:
    write(folder, "a.png,1", header="image,label")
    with pytest.raises(DataError, match="has no column 'source'"):
        load_manifest(folder)
    (folder / "manifest.csv").write_text("")
    with pytest.raises(DataError, match="has no column 'image'"):
        load_manifest(folder)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a.png,2,web,s,train,", "line 3: label is '2'"),
        ("a.png,,web,s,train,", "line 3: label is ''"),
        ("a.png,rust,web,s,train,", "line 3: label is 'rust'"),
        ("a.png", "line 3: label is ''"),
        (",1,web,s,train,", "line 3: ''"),
        ("gone.png,1,web,s,train,", "line 3: file 'gone.png' not found"),
        ("b,1,web,s,train,", "line 3: file 'b' not found"),
        ("a.png,1,web,s,train,gone.png", "line 3: file 'gone.png' not found"),
        ("../outside.png,1,web,s,train,", r"line 3: '\.\./outside.png' is outside"),
        ("b/../../outside.png,1,web,s,train,", r"line 3: .* is outside"),
        ("a.png,1,web,s,train,../outside.png", r"line 3: '\.\./outside.png' is outside"),
        ("/etc/hostname,1,web,s,train,", "line 3: '/etc/hostname' is outside"),
        ('"a\nb.png",1,web,s,train,', r"line 4: file 'a\\nb.png' not found"),
        ("\na.png,7,web,s,train,", "line 4: label is '7'"),
    ],
)
def test_errors_name_the_line_and_the_file(folder: Path, line: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        load_manifest(write(folder, GOOD, line))


def test_a_short_line_of_other_column_order_is_refused(folder: Path) -> None:
    write(folder, "1", header="label,image,source,scene,split,mask")
    with pytest.raises(DataError, match="line 2: ''"):
        load_manifest(folder)


def test_a_link_to_the_outside_is_refused(folder: Path) -> None:
    (folder / "link.png").symlink_to(folder.parent / "outside.png")
    with pytest.raises(DataError, match=r"line 2: 'link.png' is outside"):
        load_manifest(write(folder, "link.png,1,web,s,train,"))


def test_a_file_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "manifest.csv").write_bytes(HEADER.encode() + b"\n\xff\xfe,1\n")
    with pytest.raises(DataError, match="not a CSV file in UTF-8"):
        load_manifest(folder)


def test_unknown_splits_are_named(folder: Path) -> None:
    write(folder, GOOD)
    with pytest.raises(DataError, match="no split 'test'; its splits are train"):
        load_manifest(folder, splits=("train", "test"))
    with pytest.raises(DataError, match=r"no split 'test'; .* has no rows"):
        load_manifest(write(folder), splits=("test",))


# Halves


def test_halves_by_hand() -> None:
    # SHA-256 of "abc" ends in ...15ad (FIPS 180-2, appendix B.1), that of "" in ...b855: both odd.
    assert half_of("abc") == half_of("") == "B"
    # By `printf 4 | sha256sum`: those of "4", "5" and "6" end in ...8a, ...9d and ...83.
    assert [half_of(scene) for scene in "456"] == ["A", "B", "B"]


def test_halves_are_those_of_the_whole_number() -> None:
    names = [str(k) for k in range(200)] + ["Wände/é", "a b"]
    for name in names:
        even = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2 == 0
        assert half_of(name) == ("A" if even else "B")
    assert 60 < sum(half_of(name) == "A" for name in names) < 140  # a fair coin, 202 throws


# Masks


def record(mask: Path | None) -> Record:
    return Record(Path("photo.png"), 1, "", "", "", mask)


def ramp(*values: int) -> np.ndarray:
    """16 rows of 20 pixels, zero but for these at the start of the first row."""
    pixels = np.zeros((16, 20), np.uint8)
    pixels[0, : len(values)] = values
    return pixels


@pytest.mark.parametrize(
    ("values", "rust", "ignored"),
    [
        ((0, 255, 255), [0, 1, 1], [0, 0, 0]),
        ((127, 128, 255), [0, 1, 1], [0, 0, 0]),  # grey edges of a smoothed mask
        ((0, 1, 255), [0, 1, 0], [0, 0, 1]),  # an index mask
        ((1, 1, 0), [1, 1, 0], [0, 0, 0]),
        ((1, 254, 255), [0, 1, 1], [0, 0, 0]),  # JPEG noise, not an index mask
        ((0, 0, 0), [0, 0, 0], [0, 0, 0]),
    ],
)
def test_masks_by_hand(
    tmp_path: Path, values: tuple[int, ...], rust: list[int], ignored: list[int]
) -> None:
    path = save(tmp_path / "m.png", ramp(*values))
    mask, ignore = read_mask(record(path), (16, 20))
    assert mask.dtype == ignore.dtype == np.bool_
    np.testing.assert_array_equal(mask, ramp(*rust) == 1)
    np.testing.assert_array_equal(ignore, ramp(*ignored) == 1)


def test_masks_of_another_size_or_none_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "m.png", ramp(1))
    with pytest.raises(DataError, match=r"m.png is 20 x 16 pixels, but its image is 21 x 16"):
        read_mask(record(path), (16, 21))
    with pytest.raises(DataError, match=r"photo.png has no mask"):
        read_mask(record(None), (16, 20))


# Packing


def test_packing_squashes_as_inference_does_and_happens_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 256, (20 + k, 40, 3), np.uint8) for k in range(3)]
    records = [
        Record(save(tmp_path / f"{k}.png", p), 0, "", "", "", None) for k, p in enumerate(photos)
    ]
    said: list[tuple[int, int]] = []
    packs = tmp_path / "packs"
    packed = pack(records, 16, packs, workers=1, progress=lambda *a: said.append(a))
    assert packed.shape == (3, 16, 16, 3)
    assert packed.dtype == np.uint8
    assert said == [(1, 3), (2, 3), (3, 3)]
    for found, photo in zip(packed, photos, strict=True):
        np.testing.assert_array_equal(found, images.resize(photo, (16, 16)))
    with pytest.raises(ValueError, match="read-only"):
        packed[0, 0, 0, 0] = 1

    def never(*_: object, **__: object) -> None:
        raise AssertionError("packed again")

    monkeypatch.setattr("rustseg_jax.learning.packs.ProcessPoolExecutor", never)
    np.testing.assert_array_equal(pack(records, 16, packs), packed)
    assert len(list(packs.iterdir())) == 1  # and nothing half done is left
    for other in (records[:2], records[::-1]):  # other pictures, or another order
        with pytest.raises(AssertionError, match="packed again"):
            pack(other, 16, packs)
    os.utime(records[0].image, ns=(1, 1))  # a picture that changed
    with pytest.raises(AssertionError, match="packed again"):
        pack(records, 16, packs)
