from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hand_made import picture, red_model
from labels_made import SHAPE, box, new_store, photo_bytes, said, some_mask
from PIL import Image
from pycocotools import mask as pycoco

from rustseg_jax import ConfigError, DataError, segment
from rustseg_jax.labels import history, import_labels, verify_labels
from rustseg_jax.labels.exchange import imports

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def store(tmp_path):
    return new_store(tmp_path)


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data/images").mkdir(parents=True)
    for k in range(4):
        (tmp_path / f"data/images/{k}.png").write_bytes(photo_bytes(k))
    return tmp_path / "data"


def by_name(store) -> dict[str, tuple]:
    return {Path(store.photo(d).origin).stem: v for d, v in said(store).items()}


def save_mask(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path)


# Data folders


def manifest(data: Path, rows: list[dict[str, str]], *more: str) -> None:
    columns = ["image", "label", "source", "scene", "split", "mask", *more]
    with (data / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def test_a_data_folder(store, data):
    index = np.zeros(SHAPE)
    index[:3], index[10:] = 1, 255
    save_mask(data / "masks/0.png", index)
    save_mask(data / "masks/1.png", np.zeros(SHAPE))
    save_mask(data / "masks/2.png", box(0, 0, 2, 2) * 255)
    base = {"source": "bridge", "split": "site"}
    manifest(
        data,
        [
            {**base, "image": "images/0.png", "label": "1", "mask": "masks/0.png", "scene": "a",
             "licence": "CC0", "consent": "given"},
            {**base, "image": "images/1.png", "label": "0", "mask": "masks/1.png"},
            {**base, "image": "images/2.png", "label": "0", "mask": "masks/2.png"},  # contradicts
            {**base, "image": "images/3.png", "label": "1"},
        ],
        "licence", "consent",
    )  # fmt: skip
    done = import_labels(store, data, " Ada ")
    assert (done.format, done.added, done.known, done.predicted) == ("folder", 3, 0, 0)
    assert list(done.failed) == ["images/2.png"]
    assert "label is 0 (clean), but the mask marks 4 pixels" in done.failed["images/2.png"]
    found = by_name(store)
    np.testing.assert_array_equal(found["0"][1], index == 1)
    np.testing.assert_array_equal(found["0"][2], index == 255)
    assert (found["1"][0], int(found["1"][1].sum()), found["1"][2]) == ("none", 0, None)
    assert found["3"] == ("corrosion", None, None)
    photo = store.add_photo(data / "images/0.png")
    assert (photo.source, photo.scene, photo.split) == ("bridge", "a", "site")
    assert (photo.licence, photo.consent, photo.origin) == ("CC0", "given", "images/0.png")
    [correction] = history(store, photo).corrections
    assert (correction.who, correction.kind, correction.prediction) == ("Ada", "import", None)
    # Again: nothing new. Another expert, or another mask: a correction more.
    assert import_labels(store, data, "Ada").known == 3
    assert import_labels(store, data, "Bob").added == 3
    save_mask(data / "masks/0.png", 1 - index.clip(0, 1))
    assert import_labels(store, data, "Ada").added == 1
    assert len(history(store, photo).corrections) == 3
    assert verify_labels(store).good


def test_a_wrong_size_and_a_damaged_photo_are_named(store, data):
    save_mask(data / "masks/0.png", np.ones((18, 18)) * 255)
    save_mask(data / "masks/1.png", np.ones(SHAPE) * 255)
    (data / "images/1.png").write_bytes(b"no picture")
    manifest(data, [{"image": f"images/{k}.png", "label": "1", "mask": f"masks/{k}.png"}
                    for k in (0, 1)])  # fmt: skip
    done = import_labels(store, data, "ada")
    assert "18 x 18 pixels" in done.failed["images/0.png"]
    assert "is not an image" in done.failed["images/1.png"]
    assert done.added == 0


def test_options_of_the_photos(store, data):
    save_mask(data / "masks/0.png", np.ones(SHAPE) * 255)
    manifest(data, [{"image": "images/0.png", "label": "1", "mask": "masks/0.png", "licence": "x"}],
             "licence")  # fmt: skip
    import_labels(store, data, "ada", licence="CC BY 4.0", consent="given", exif="stripped")
    with store.database.reading() as conn:
        found = conn.execute("SELECT licence, consent, exif FROM photos").fetchall()
    assert found == [("CC BY 4.0", "given", "stripped")]


def test_with_predictions(store, data):
    photo = picture(rusty=True)
    Image.fromarray(photo).save(data / "images/0.png")
    save_mask(data / "masks/0.png", np.zeros(photo.shape[:2]))
    manifest(data, [{"image": "images/0.png", "label": "0", "mask": "masks/0.png"}])
    model = red_model(gain=24, odds=2)
    done = import_labels(store, data, "ada", model=model)
    assert (done.added, done.predicted) == (1, 1)
    told = history(store, store.add_photo(data / "images/0.png"))
    seg = segment(photo, model)
    [prediction] = told.predictions
    np.testing.assert_array_equal(prediction.mask.decode(), seg.mask)
    assert seg.mask.any()
    np.testing.assert_array_equal(prediction.heat, seg.heat)
    assert told.corrections[0].prediction == prediction.id


# Pairs


def test_pairs(store, data, tmp_path):
    save_mask(data / "masks/0.png", some_mask(1) * 255)
    save_mask(data / "images/1.mask.png", np.zeros(SHAPE))
    save_mask(data / "images/2_mask.png", some_mask(2) * 255)
    done = import_labels(store, data, "ada")
    assert (done.format, done.added, done.failed) == ("pairs", 3, {})
    found = by_name(store)
    assert {name: v[0] for name, v in found.items()} == {
        "0": "corrosion", "1": "none", "2": "corrosion",
    }  # fmt: skip
    np.testing.assert_array_equal(found["0"][1], some_mask(1))
    np.testing.assert_array_equal(found["2"][1], some_mask(2))
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="has no photos with masks"):
        import_labels(store, tmp_path / "nothing", "ada")


# COCO


def coco(data: Path, notes: list[dict], categories: tuple[str, ...] = ("rust",)) -> Path:
    value = {
        "images": [{"id": k, "file_name": f"{k}.png", "width": 30, "height": 20, "license": 7}
                   for k in range(4)],
        "categories": [{"id": k, "name": n} for k, n in enumerate(categories)],
        "annotations": [{"id": k, "category_id": 0, **n} for k, n in enumerate(notes)],
        "licenses": [{"id": 7, "name": "CC BY 4.0"}],
    }  # fmt: skip
    path = data / "instances.json"
    path.write_text(json.dumps(value))
    return path


def test_coco_in_all_its_ways(store, data):
    mask = some_mask(5)
    packed = pycoco.encode(np.asfortranarray(mask.astype(np.uint8)))
    plain = [5, 3, 20 * 30 - 8]  # down the columns: rows 5, 6 and 7 of column 0
    path = coco(
        data,
        [
            {"image_id": 0, "segmentation": {**packed, "counts": packed["counts"].decode()}},
            {"image_id": 1, "segmentation": {"size": [20, 30], "counts": plain}},
            {"image_id": 2, "segmentation": [[1, 1, 3, 1, 3, 4, 1, 4], [5, 5, 6, 5, 6, 6, 5, 6]]},
            {"image_id": 2, "segmentation": [[10, 10, 12, 10, 12, 12, 10, 12]]},
        ],
    )
    done = import_labels(store, path, "ada")
    assert (done.format, done.added, done.failed) == ("coco", 4, {})
    found = by_name(store)
    np.testing.assert_array_equal(found["0"][1], mask)
    np.testing.assert_array_equal(found["1"][1], box(5, 0, 8, 1))
    wanted = box(1, 1, 4, 3) | box(5, 5, 6, 6) | box(10, 10, 12, 12)
    np.testing.assert_array_equal(found["2"][1], wanted)
    assert (found["3"][0], int(found["3"][1].sum())) == ("none", 0)
    assert store.add_photo(data / "images/0.png").licence == "CC BY 4.0"


def test_categories_of_coco(store, data):
    notes = [
        {"image_id": 0, "category_id": k, "segmentation": [[x, 1, x + 1, 1, x + 1, 2, x, 2]]}
        for k, x in enumerate((2, 4, 6))
    ]
    path = coco(data, notes, ("rust", "ignore", "bolt"))
    with pytest.raises(DataError, match="several categories \\(bolt, rust\\); select"):
        import_labels(store, path, "ada")
    with pytest.raises(DataError, match="no category 'paint'; it has: bolt, rust"):
        import_labels(store, path, "ada", categories=["paint"])
    import_labels(store, path, "ada", categories=["rust"])
    _, mask, ignore = by_name(store)["0"]
    np.testing.assert_array_equal(mask, box(1, 2, 2, 3))
    np.testing.assert_array_equal(ignore, box(1, 4, 2, 5))


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [9, 9], "counts": [81]}, "a mask has 9 x 9 pixels, the photo has 30 x 20"),
        ({"size": [20, 30], "counts": [81]}, "cover 81 pixels"),
        ({"size": [20, 30], "counts": "!"}, "not COCO"),
        ({"counts": []}, "cannot be read"),
        ([[1, 2, 3]], "cannot be read"),
        (7, "cannot be read"),
    ],
)
def test_damaged_masks_of_coco_are_named(store, data, segmentation, message):
    done = import_labels(store, coco(data, [{"image_id": 0, "segmentation": segmentation}]), "ada")
    assert message in done.failed["0.png"]
    assert done.added == 3


def test_what_is_no_coco(store, data):
    path = data / "x.json"
    for text, message in (
        ("{", "not a JSON"),
        ("[]", "not a COCO or"),
        ('{"images": 1}', "not a COCO or"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            import_labels(store, path, "ada")
    path.write_text('{"images": [], "annotations": [{}], "categories": []}')
    with pytest.raises(DataError, match="not a COCO file"):
        import_labels(store, path, "ada")
    outside = {"id": 0, "file_name": "../../secret.png"}
    path.write_text(json.dumps({"images": [outside], "annotations": [], "categories": []}))
    with pytest.raises(DataError, match="is outside"):
        import_labels(store, path, "ada")


# labelme


def test_labelme_shapes(store, data):
    shapes = [
        {"label": "rust", "shape_type": "rectangle", "points": [[5, 6], [2, 3]]},
        {"label": "rust", "shape_type": "circle", "points": [[20, 10], [22, 10]]},
        {"label": "ignore", "points": [[1, 1], [9, 1], [9, 9], [1, 9]]},
    ]
    value = {"shapes": shapes, "imagePath": "0.png", "imageData": None}
    (data / "images/0.json").write_text(json.dumps(value))
    line = {"label": "rust", "shape_type": "linestrip", "points": [[1, 1], [2, 2]]}
    (data / "images/1.json").write_text(
        json.dumps({**value, "shapes": [line], "imagePath": "1.png"})
    )
    (data / "images/other.json").write_text('{"mine": 1}')
    done = import_labels(store, data, "ada")
    assert (done.format, done.added) == ("labelme", 1)
    assert "shape type linestrip is not supported" in done.failed["images/1.json"]
    _, mask, ignore = by_name(store)["0"]
    assert mask[3:7, 2:6].all()
    assert mask[10, 18:23].all()
    assert mask.sum() < 16 + 25
    np.testing.assert_array_equal(ignore, box(1, 1, 10, 10) & ~mask)


def test_what_cannot_be_imported(store, data, tmp_path):
    with pytest.raises(DataError, match="not a file or folder"):
        import_labels(store, tmp_path / "missing", "ada")
    with pytest.raises(ConfigError, match="must be one of folder, coco"):
        import_labels(store, data, "ada", format="yolo")
    with pytest.raises(DataError):
        import_labels(store, data, "ada", format="labelme")
    assert imports.find_format(data) == "pairs"


def test_a_nameless_expert_is_refused_for_each(store, data):
    save_mask(data / "masks/0.png", some_mask(1) * 255)
    assert "who has 0 characters" in import_labels(store, data, " ").failed["images/0.png"]
