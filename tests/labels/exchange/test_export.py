from __future__ import annotations

import base64
import csv
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from labels_made import SHAPE, box, new_store, nonce, photo_bytes, result, said, save, some_mask
from PIL import Image, ImageDraw
from pycocotools import mask as pycoco
from pycocotools.coco import COCO

from rustseg_jax import ConfigError, images
from rustseg_jax.labels import EXPORT_FORMATS, DamagedError, Rle, export_labels, import_labels
from rustseg_jax.labels.exchange.formats.label_studio import brush
from rustseg_jax.manifest import load_manifest, read_mask

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

EMPTY = np.zeros(SHAPE, bool)
CASES = {  # verdict, mask, ignore
    "both": ("corrosion", some_mask(1), some_mask(2) & ~some_mask(1)),
    "whole": ("corrosion", ~EMPTY, None),
    "holes": ("corrosion", box(2, 2, 18, 28) & ~box(5, 5, 9, 9) | box(0, 29, 1, 30), None),
    "only ignore": ("corrosion", EMPTY, box(3, 3, 9, 9)),
    "clean": ("none", EMPTY, None),
    "clean but for": ("none", EMPTY, box(0, 0, 1, 1)),
    "no mask": ("corrosion", None, None),
    "no mask, none": ("none", None, None),
    "cannot tell": ("can't tell", None, box(3, 3, 9, 9)),
    "cannot tell it all": ("can't tell", box(1, 1, 2, 2), box(3, 3, 9, 9)),
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A photo for each case, with a turned JPEG among them, and one of which nothing is said."""
    store = new_store(tmp_path_factory.mktemp("export"))
    exif = Image.Exif()
    exif[0x0112] = 6
    for k, (name, (verdict, mask, ignore)) in enumerate(CASES.items()):
        data = photo_bytes(k)
        if name == "holes":
            data = photo_bytes(k, shape=SHAPE[::-1], format="JPEG", exif=exif)
        photo = store.add_photo(
            data, origin=f"../site 1/{name}.png", licence="CC BY 4.0", consent="given",
            source="bridge", scene=f"scene-{k}", split=("site", "")[k % 2],
        )  # fmt: skip
        shown = store.add_prediction(photo, result())
        save(store, photo, verdict=verdict, mask=mask, ignore=ignore, prediction=shown.id,
             reasons=["soil", "brick"], confidence=0.75, seconds=30)  # fmt: skip
    store.add_photo(photo_bytes(99))
    return store


def same(a, b) -> bool:
    def filled(layer):
        return None if layer is None or not layer.any() else layer.tolist()

    layers = [[filled(layer) for layer in one[1:]] for one in (a, b)]
    return a[0] == b[0] and (a[1] is None) == (b[1] is None) and layers[0] == layers[1]


@pytest.mark.parametrize("format", ["folder", "coco", "labelme"])
def test_there_and_back_bit_for_bit(filled, tmp_path, format):
    told = []
    made = export_labels(
        filled, tmp_path / "out", format=format, progress=lambda *at: told.append(at)
    )
    wanted = said(filled)
    if format == "folder":
        wanted = {d: v for d, v in wanted.items() if v[0] != "can't tell"}
    assert (made.photos, made.without, made.left_out) == (len(wanted), 1, 10 - len(wanted))
    assert told[-1] == (11, 11)
    (tmp_path / "other").mkdir()
    other = new_store(tmp_path / "other")
    back = import_labels(other, tmp_path / "out", "bob")
    assert (back.format, back.added, back.failed) == (format, len(wanted), {})
    found = said(other)
    assert found.keys() == wanted.keys()  # the photos' very bytes
    for digest in wanted:
        assert same(found[digest], wanted[digest])
        photo, ours = other.photo(digest), filled.photo(digest)
        for name in ("origin", "licence", "consent", "source", "scene"):
            assert getattr(photo, name) == getattr(ours, name)
    assert import_labels(other, tmp_path / "out", "bob").known == len(wanted)


def test_a_data_folder_is_what_training_reads(filled, tmp_path):
    export_labels(filled, tmp_path / "out")
    text = (tmp_path / "out/manifest.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    records = load_manifest(tmp_path / "out")
    assert len(rows) == len(records) == 8
    wanted = said(filled)
    for row, record in zip(rows, records, strict=True):
        verdict, mask, ignore = wanted[row["sha256"]]
        assert record.label == int(verdict == "corrosion")
        assert (record.source, record.split) == ("bridge", record.split)
        assert record.split in ("site", "labels")
        assert (row["licence"], row["consent"], row["who"]) == ("CC BY 4.0", "given", "ada")
        assert (row["reasons"], row["status"]) == ("brick; soil", "open")
        assert row["model"] == "a" * 64
        assert re.fullmatch(r"images/[A-Za-z0-9_-]+-[0-9a-f]{12}\.(png|jpg)", row["image"])
        if mask is None:
            assert record.mask is None
            continue
        found = read_mask(record, images.read(record.image).shape[:2])
        assert same((verdict, *found), (verdict, mask, ignore))
    # A mask of ignored pixels alone would be taken for a 0/255 picture without the column.
    [only] = [r for r in records if "only_ignore" in r.image.name]
    mask, ignore = read_mask(only, SHAPE)
    assert not mask.any()
    np.testing.assert_array_equal(ignore, box(3, 3, 9, 9))


def test_coco_as_pycocotools_reads_it(filled, tmp_path, capsys):
    export_labels(filled, tmp_path / "out", format="coco")
    data = COCO(str(tmp_path / "out/annotations.json"))
    capsys.readouterr()
    wanted = said(filled)
    assert len(data.imgs) == len(wanted)
    assert [c["name"] for c in data.cats.values()] == ["corrosion", "ignore"]
    for image in data.imgs.values():
        notes = data.imgToAnns[image["id"]]
        layers = {a["category_id"]: data.annToMask(a).astype(bool) for a in notes}
        verdict, *ours = wanted[image["sha256"]]
        assert image["verdict"] == verdict
        for number, layer in enumerate(ours, 1):
            assert (number in layers) == (layer is not None and bool(layer.any()))
            if number in layers:
                np.testing.assert_array_equal(layers[number], layer)
        for a in notes:
            rle = a["segmentation"]
            assert a["area"] == pycoco.area(rle)
            assert a["bbox"] == pycoco.toBbox(rle).tolist()
        photo = tmp_path / "out" / image["file_name"]
        assert images.read(photo).shape[:2] == (image["height"], image["width"])
    assert not list((tmp_path / "out").glob("*.tmp"))


def test_coco_holds_the_masks_as_they_are_stored(filled, tmp_path, monkeypatch):
    wanted = said(filled)
    monkeypatch.setattr(Rle, "decode", lambda _: pytest.fail("decoded"))
    export_labels(filled, tmp_path / "out", format="coco")
    data = json.loads((tmp_path / "out/annotations.json").read_text())
    photos = {image["id"]: image["sha256"] for image in data["images"]}
    found = {(photos[a["image_id"]], a["category_id"]): a for a in data["annotations"]}
    marked = {
        (digest, number): layer
        for digest, (_, *layers) in wanted.items()
        for number, layer in enumerate(layers, 1)
        if layer is not None and layer.any()
    }
    assert found.keys() == marked.keys()
    for key, layer in marked.items():
        rows, columns = np.flatnonzero(layer.any(1)), np.flatnonzero(layer.any(0))
        width, height = columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]
        assert found[key]["segmentation"] == Rle.of(layer).to_coco()
        assert found[key]["area"] == layer.sum()
        assert found[key]["bbox"] == [columns[0], rows[0], width, height]


@pytest.mark.parametrize("format", ["coco", "folder"])
def test_a_damaged_mask_is_not_handed_on(tmp_path, format):
    store = new_store(tmp_path)
    save(store, store.add_photo(photo_bytes()), mask=box(0, 0, 5, 5))
    with store.database.writing() as conn:
        conn.execute("DROP TRIGGER corrections_never_change")
        conn.execute("UPDATE corrections SET mask = '121'")
    with pytest.raises(DamagedError, match="4 pixels, but its photo has 30 x 20"):
        export_labels(store, tmp_path / "out", format=format)


def test_labelme_as_labelme_reads_it(filled, tmp_path):
    """After labelme/utils/shape.py and label_file.py of version 5.5."""
    export_labels(filled, tmp_path / "out", format="labelme")
    wanted = said(filled)
    paths = sorted((tmp_path / "out/images").glob("*.json"))
    assert len(paths) == len(wanted)
    for path in paths:
        value = json.loads(path.read_text())
        data = (path.parent / value["imagePath"]).read_bytes()
        verdict, mask, ignore = wanted[images.sha256(data)]
        assert [v for v, on in value["flags"].items() if on and v != "no mask"] == [verdict]
        label = np.zeros((value["imageHeight"], value["imageWidth"]), int)
        for shape in value["shapes"]:
            assert shape["shape_type"] == "mask"
            part = np.array(Image.open(io.BytesIO(base64.b64decode(shape["mask"])))).astype(bool)
            (x1, y1), (x2, y2) = np.asarray(shape["points"]).astype(int)
            whole = np.zeros(label.shape, bool)
            whole[y1 : y2 + 1, x1 : x2 + 1] = part
            label[whole] = {"corrosion": 1, "ignore": 2}[shape["label"]]
        np.testing.assert_array_equal(label == 1, EMPTY if mask is None else mask)
        np.testing.assert_array_equal(label == 2, EMPTY if ignore is None else ignore)


def unpack_brush(data: list[int]) -> np.ndarray:
    """Read rle-pack bit by bit, as its description says: nothing is shared with the writer."""
    bits = "".join(f"{byte:08b}" for byte in data)
    place = 0

    def take(count: int) -> int:
        nonlocal place
        place += count
        return int(bits[place - count : place], 2)

    total, word = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    out: list[int] = []
    while len(out) < total:
        repeated = take(1)
        length = take(sizes[take(2)]) + 1
        out += [take(word)] * length if repeated else [take(word) for _ in range(length)]
    return np.array(out, np.uint8)


@pytest.mark.parametrize(
    "mask",
    [some_mask(1), EMPTY, ~EMPTY, np.array([[True]]), box(0, 0, 200, 1, (200, 300)),
     np.zeros((200, 300), bool), some_mask(3, (131, 127), 0.001)],
    ids=["noise", "empty", "full", "one", "column", "long", "dots"],
)  # fmt: skip
def test_a_brush_by_its_description(mask):
    found = unpack_brush(brush(mask))
    assert found.size == mask.size * 4
    pixels = found.reshape(*mask.shape, 4)
    for channel in range(4):
        np.testing.assert_array_equal(pixels[..., channel], mask * np.uint8(255))


def test_label_studio(filled, tmp_path):
    export_labels(filled, tmp_path / "out", format="label-studio")
    tasks = json.loads((tmp_path / "out/tasks.json").read_text())
    config = ElementTree.fromstring((tmp_path / "out/label_config.xml").read_text())
    names = {element.get("name"): element for element in config}
    wanted = said(filled)
    assert len(tasks) == len(wanted)
    for task in tasks:
        verdict, mask, ignore = wanted[task["data"]["sha256"]]
        assert (tmp_path / "out" / task["data"]["image"].split("?d=")[1]).is_file()
        [annotation] = task["annotations"]
        assert annotation["lead_time"] == 30
        layers = {}
        for part in annotation["result"]:
            assert part["from_name"] in names
            assert part["to_name"] == "image"
            if part["type"] == "choices":
                assert part["value"]["choices"] == [verdict]
                continue
            shape = (part["original_height"], part["original_width"])
            alpha = unpack_brush(part["value"]["rle"]).reshape(*shape, 4)[..., 3]
            [name] = part["value"]["brushlabels"]
            assert name in [e.get("value") for e in names["brush"]]
            layers[name] = alpha > 0
        none = np.zeros(SHAPE, bool)
        np.testing.assert_array_equal(layers.get("corrosion", none), none if mask is None else mask)
        np.testing.assert_array_equal(
            layers.get("ignore", none), none if ignore is None else ignore
        )


def test_hugging_face(filled, tmp_path):
    """As datasets 5.2 reads it; checked with the library itself when this was written."""
    export_labels(filled, tmp_path / "out", format="huggingface")
    wanted, seen, root = said(filled), set(), tmp_path / "out/train"
    for row in map(json.loads, (root / "metadata.jsonl").read_text().splitlines()):
        digest = images.sha256((root / row["file_name"]).read_bytes())
        verdict, mask, ignore = wanted[digest]
        assert (row["sha256"], row["verdict"], row["licence"]) == (digest, verdict, "CC BY 4.0")
        assert row["split"] in ("site", "")
        # No word of a photo's own name, from which the library would make a split.
        assert re.fullmatch(r"images/[0-9a-f]{64}\.(png|jpg)", row["file_name"])
        seen.add(digest)
        if mask is None:
            assert row["mask_file_name"] is None
            continue
        levels = np.asarray(Image.open(root / row["mask_file_name"]))
        np.testing.assert_array_equal(levels == 1, mask)
        np.testing.assert_array_equal(levels == 255, EMPTY if ignore is None else ignore)
    assert seen == wanted.keys()


def test_what_is_chosen(tmp_path):
    store = new_store(tmp_path)
    photos = [store.add_photo(photo_bytes(k), origin=f"{k}.png") for k in range(3)]
    first = save(store, photos[0], mask=box(0, 0, 2, 2))
    save(store, photos[0], who="bob", mask=box(0, 0, 3, 3))
    gone = save(store, photos[1], mask=box(0, 0, 4, 4))
    store.withdraw(gone.id, nonce=nonce(), who="ada")
    alone = save(store, photos[2], who="bob", mask=box(0, 0, 5, 5))
    both = save(store, photos[0], kind="consensus", method="majority", sources=[first.id],
                mask=box(0, 0, 6, 6))  # fmt: skip
    store.review(first.id, "approve", nonce=nonce(), who="eve")

    def areas(name: str, **options) -> list[int]:
        made = export_labels(store, tmp_path / name, **options)
        records = load_manifest(tmp_path / name)
        assert made.photos == len(records)
        assert made.photos + made.without == 3
        return sorted(int(read_mask(r, SHAPE)[0].sum()) for r in records)

    assert areas("latest") == [9, 25]
    assert areas("approved", approved=True) == [4]
    assert areas("ada", who="ada") == [4]
    assert areas("consensus", take="consensus") == [36]
    assert areas("approved-consensus", take="consensus", approved=True) == []
    store.review(both.id, "approve", nonce=nonce(), who="eve")
    assert areas("approved-consensus-2", take="consensus", approved=True) == [36]
    store.review(alone.id, "reject", nonce=nonce(), who="eve")
    assert areas("rejected") == [9]


def test_what_is_refused(filled, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").write_text("x")
    with pytest.raises(ConfigError, match="is not empty"):
        export_labels(filled, tmp_path / "full")
    for wrong in ({"format": "yolo"}, {"take": "best"}):
        with pytest.raises(ConfigError, match="must be"):
            export_labels(filled, tmp_path / "out", **wrong)
    assert set(EXPORT_FORMATS) >= {"folder", "coco", "labelme", "label-studio", "huggingface"}


def test_an_export_is_independent_of_the_store(filled, tmp_path):
    export_labels(filled, tmp_path / "out", format="labelme")
    stored = {p.stat().st_ino for p in (filled.folder / "photos").rglob("*/*")}
    assert not stored & {p.stat().st_ino for p in (tmp_path / "out").rglob("*")}


def test_pixels_of_a_shape_are_labelmes(tmp_path):
    """The polygon that labelme draws, as labelme draws it."""
    corners = [(3, 2), (20, 4), (11, 15)]
    picture = Image.new("L", (30, 20))
    ImageDraw.Draw(picture).polygon(corners, fill=1, outline=1)
    (tmp_path / "a.png").write_bytes(photo_bytes())
    value = {"shapes": [{"label": "rust", "points": corners, "shape_type": "polygon"}],
             "imagePath": "a.png", "flags": {}}  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(value))
    store = new_store(tmp_path / "store")
    assert import_labels(store, Path(tmp_path), "ada").added == 1
    [(verdict, mask, ignore)] = said(store).values()
    np.testing.assert_array_equal(mask, np.asarray(picture) > 0)
    assert (verdict, ignore) == ("corrosion", None)
