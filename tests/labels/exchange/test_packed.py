"""An export as one ZIP file: what is in it is what the folder has; how much there will be."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from labels_made import box, new_store, nonce, photo_bytes, save

import rustseg_jax as rs
from rustseg_jax.config import EXPORT_FORMATS
from rustseg_jax.labels.exchange.export import export_extent, export_labels, pack_labels
from rustseg_jax.labels.store import Store
from rustseg_jax.manifest import load_manifest, read_mask


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = new_store(tmp_path)
    for seed in range(3):
        photo = made.add_photo(photo_bytes(seed), origin=f"{seed}.png")
        if seed < 2:
            done = save(made, photo, who=["ada", "ben"][seed], mask=box(2, 2, 9, 9 + seed))
    made.review(done.id, "approve", nonce=nonce(), who="rita")
    return made


@pytest.mark.parametrize("format", EXPORT_FORMATS)
def test_it_holds_what_the_folder_holds(store: Store, tmp_path: Path, format: str) -> None:
    file = io.BytesIO()
    found = pack_labels(store, file, format=format)
    done = export_labels(store, tmp_path / "out", format=format)
    assert (found.photos, found.without, found.left_out) == (2, done.without, done.left_out)
    assert found.folder == Path(f"labels-{format}")
    with zipfile.ZipFile(file) as packed:
        assert packed.testzip() is None
        names = {Path(name).relative_to(found.folder) for name in packed.namelist()}
    wanted = {p.relative_to(done.folder) for p in done.folder.rglob("*") if p.is_file()}
    assert names == wanted


def test_unpacked_it_is_a_data_folder(store: Store, tmp_path: Path) -> None:
    file = io.BytesIO()
    pack_labels(store, file, approved=True)
    with zipfile.ZipFile(file) as packed:
        packed.extractall(tmp_path / "here")
    (record,) = load_manifest(tmp_path / "here" / "labels-folder")
    mask, _ = read_mask(record, (20, 30))
    np.testing.assert_array_equal(mask, box(2, 2, 9, 10))


def test_how_much_it_will_be(store: Store) -> None:
    everything = export_extent(store)
    sizes = [len(photo_bytes(seed)) for seed in range(2)]
    assert (everything.photos, everything.bytes) == (2, sum(sizes))
    assert export_extent(store, approved=True).bytes == sizes[1]
    assert export_extent(store, who="ada").bytes == sizes[0]
    assert export_extent(store, take="consensus").photos == 0


def test_nothing_is_written_of_what_is_refused(store: Store) -> None:
    file = io.BytesIO()
    with pytest.raises(rs.ConfigError, match="format is 'docx'"):
        pack_labels(store, file, format="docx")
    assert not file.getvalue()
