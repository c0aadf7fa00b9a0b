"""The page "Stages" without a browser: each view and state, and addresses that are wrong."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_made import picture, save_redness
from streamlit.testing.v1 import AppTest

from pages.parts.compare import address, lessons, side_by_side, true_masks
from pages.server.line import turn
from pages.shared import cases
from rustseg_jax.drawing.encode import png
from rustseg_jax.images import sha256
from rustseg_jax.labels import Store
from rustseg_jax.samples import list_samples
from rustseg_jax.teaching.choice import Choice
from rustseg_jax.teaching.texts import STEPS
from rustseg_jax.teaching.views import exhibits_of

ROOT = Path(__file__).resolve().parents[2]


def _open(app: AppTest, **link: str) -> AppTest:
    app.switch_page("pages/compare.py")
    app.query_params.update(link)
    app.run()
    assert not app.exception
    assert not app.error
    return app


def _upload(data: bytes) -> str:
    digest = sha256(data)
    (cases.photos_folder() / digest).write_bytes(data)
    return digest


def _case(data: bytes) -> cases.ChosenPhoto:
    digest = _upload(data)
    return cases.ChosenPhoto("gate", "gate", cases.photos_folder() / digest, digest)


def _texts(app: AppTest) -> str:
    kinds = (app.header, app.markdown, app.caption, app.warning, app.info)
    return "\n".join(e.value for kind in kinds for e in kind)


def _images(app: AppTest) -> list[Any]:
    found = [image for element in app.get("image") for image in element.proto.imgs]
    return [image for image in found if image.alt]  # the samples of the picker are decoration


def test_without_a_photo_it_begins_with_a_real_one(app: AppTest) -> None:
    _open(app)
    assert app.header[0].value == "1. What the network sees"
    assert "Steel beam, rusting" in _texts(app)
    assert [i.alt for i in _images(app)][-2:] == [
        "The original photo",
        "The same photo resized to a square of 64 by 64 pixels",
    ]
    assert not app.warning


def test_each_step_of_a_sample_whose_truth_is_known(app: AppTest) -> None:
    for number, step in enumerate(STEPS, 1):
        _open(app, sample="pipe", step=step)
        assert app.header[0].value.startswith(f"{number}. ")
        assert "**Why.**" in _texts(app)
        assert "**What can go wrong.**" in _texts(app)
        assert all(image.alt for image in _images(app))
        assert len(app.get("latex")) <= 1
    assert "IoU" in _texts(app)


def test_next_and_back_move_the_address(app: AppTest) -> None:
    _open(app)
    app.button(key="step-next").click().run()
    assert app.query_params["step"] == "blocks"
    assert app.header[0].value.startswith("2. ")
    app.button(key="step-back").click().run()
    assert "step" not in app.query_params
    _open(app, sample="pipe", step="truth")
    assert [b.label for b in app.button if b.key == "step-next"] == []


def test_no_corrosion_skips_the_crf_and_says_so(app: AppTest) -> None:
    digest = _upload(png(picture(rusty=False)))
    for step in ("unary", "crf"):
        _open(app, case=digest, step=step)
        assert "Not run: the classifier finds no corrosion" in _texts(app)
    app.query_params["step"] = "truth"
    app.run()
    assert "step='truth' is not known" in _texts(app).replace("\\", "")
    assert app.header[0].value.startswith("1. ")
    _open(app, case=digest, view="side", layout="grid")
    assert "true mask of this photo is not known" in _texts(app)
    assert not any(i.alt.startswith("CRF") for i in _images(app))


def test_a_threshold_by_hand_changes_what_follows_and_is_in_the_address(app: AppTest) -> None:
    data = png(picture(rusty=True))
    _open(app, case=_upload(data), step="threshold")
    app.slider(key="address-cut").set_value(0.9).run()
    assert app.query_params["cut"] == "0.90"
    assert "At the threshold 0.90 (set by hand" in _texts(app)
    assert "threshold set to 0.90" in _texts(app)
    next(b for b in app.button if b.label.startswith("Reset to the rule")).click().run()
    assert "cut" not in app.query_params
    assert "dynamic rule" in _texts(app)


def test_the_method_is_chosen_in_the_address(app: AppTest) -> None:
    _open(app, cam="grad_cam_pp_author", rule="fixed", crf="deeplab", step="heatmap")
    assert "Grad-CAM++ (the authors' code) · Fixed · DeepLab" in _texts(app)
    assert "its Grad-CAM++ value, divided by the maximum" in _texts(app)
    app.selectbox(key="address-cam").set_value("grad_cam").run()
    assert app.query_params["cam"] == "grad_cam"
    next(b for b in app.button if b.label == "Reset to defaults").click().run()
    assert not {"cam", "rule", "crf"} & set(app.query_params)
    app.query_params["step"] = "crf"
    app.query_params["crf"] = "psa"
    app.run()
    assert "within about 80 pixels and 13 of 255" in _texts(app)


def test_faithfulness_is_measured_when_asked_for(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = lessons.faithfulness
    monkeypatch.setattr(lessons, "faithfulness", lambda *a: calls.append(1) or real(*a))
    _open(app, step="heatmap")
    assert not calls
    next(b for b in app.button if b.label.startswith("Measure")).click().run()
    assert app.query_params["faithful"] == "1"
    assert "**Faithfulness " in _texts(app)
    _open(app, view="side", topic="cam", layout="grid")
    app.run()
    assert _texts(app).count("Faithfulness **") == 4
    assert len(calls) == 4  # the first is kept, and all are at the second run


@pytest.mark.parametrize("topic", side_by_side.PAIRS)
def test_side_by_side_two_and_all(app: AppTest, topic: str) -> None:
    _open(app, sample="pipe", view="side", topic=topic)
    left, right = (app.selectbox(key=f"address-{side}") for side in ("left", "right"))
    assert (left.value, right.value) == side_by_side.PAIRS[topic]
    right.set_value(left.value).run()
    assert not app.exception
    assert app.query_params["right"] == left.value
    _open(app, layout="grid")
    crf = lessons.lesson(lessons.Subject(address.sample_case("pipe"))).crf
    assert crf is not None
    items = {"stages": 12 + crf.updates, "cam": 4, "rule": 3, "crf": 5}
    assert len(_images(app)) == items[topic]
    assert "IoU" in _texts(app)


def test_a_new_topic_forgets_the_old_pair(app: AppTest) -> None:
    _open(app, view="side", left="rough", right="plain")
    app.get("button_group")[1].set_value("cam").run()
    assert not app.exception
    assert app.query_params["topic"] == "cam"
    assert not {"left", "right"} & set(app.query_params)
    assert not app.warning


def test_differences_of_a_sample(app: AppTest) -> None:
    _open(app, sample="pipe", view="side", left="diff-threshold", right="diff-verdict")
    assert "The largest loss is due to" in _texts(app)
    assert _texts(app).count("IoU\N{NO-BREAK SPACE}") == 2


def test_two_photos(app: AppTest) -> None:
    _open(app, view="side", topic="photos", sample="pipe", other="leaves", show="rough")
    assert [i.alt.split(":")[0] for i in _images(app)] == ["The rough mask over the photo"] * 2
    app.selectbox(key="address-other").set_value("brick").run()
    assert app.query_params["other"] == "brick"
    # What one photo has and the other has not is said, not failed over.
    _open(app, show="diff-crf")
    assert "not available for this photo" in _texts(app)


def test_two_photos_of_which_one_is_an_upload(app: AppTest) -> None:
    data = png(picture(rusty=True))
    app.run()  # so that the photos have their folder
    (cases.photos_folder() / sha256(data)).write_bytes(data)
    _open(app, view="side", topic="photos", sample="pipe", other=sha256(data), show="rough")
    assert not app.warning
    assert app.selectbox(key="address-other").value == sha256(data)
    assert len(_images(app)) == 2


def test_two_models_come_from_the_operators_folder_only(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    save_redness(folder / "strict.safetensors", lean=-12.0)
    (folder / "broken.safetensors").write_bytes(b"no weights")
    monkeypatch.setenv("RUSTSEG_MODELS", str(folder))
    digest = _upload(png(picture(rusty=True)))
    _open(app, view="side", topic="weights", case=digest, left="app", right="strict")
    options = app.selectbox(key="address-right").options
    assert set(options) == {"Weights of this app", "shipped", "strict", "broken"}
    assert "P(corrosion)\N{NO-BREAK SPACE}over 99\N{NO-BREAK SPACE}%" in _texts(app)  # 9.3
    assert "P(corrosion)\N{NO-BREAK SPACE}33\N{NO-BREAK SPACE}%" in _texts(app)  # 11.3 - 12
    app.query_params["right"] = "broken"
    app.run()
    assert not app.exception
    assert "not a safetensors file" in app.error[0].value
    app.query_params.update(view="steps", step="scores", weights="strict", right="")
    app.run()
    assert "weights strict" in _texts(app)
    app.query_params["weights"] = "../strict"
    app.run()
    assert "weights='../strict' is not known" in _texts(app).replace("\\", "")


@pytest.mark.parametrize(
    ("link", "messages"),
    [
        (
            {"sample": "moon", "view": "top", "cam": "eq19", "cut": "half", "step": "<b>x</b>"},
            ["no sample called 'moon'", "view='top' is not known: use steps, side",
             "cam='eq19' is not known: use score_map, grad_cam", "from 0.01 to 0.99",
             "step='<b>x</b>' is not known: use seen, blocks"],
        ),
        (
            {"case": "f" * 64, "update": "99", "step": "crf", "weights": "/etc/passwd"},
            ["photos are deleted after 24 hours", "update='99' is not known: use a number from 0",
             "weights='/etc/passwd' is not known: use shipped"],
        ),
        ({"update": "²", "step": "crf"}, ["update='²' is not known"]),
        ({"step": "heatmap", "faithful": "very"}, ["faithful='very' is not known: use 1"]),
        ({"view": "side", "topic": "zz"}, ["topic='zz' is not known: use stages, cam"]),
        (
            {"view": "side", "left": "truth", "layout": "heap"},
            ["left='truth' is not known: use photo", "layout='heap' is not known"],
        ),
        (
            {"view": "side", "topic": "photos", "other": "zz", "show": "aa"},
            ["other='zz' is not known", "show='aa' is not known: use heatmap"],
        ),
    ],
)  # fmt: skip
def test_an_address_that_is_wrong(app: AppTest, link: dict[str, str], messages: list[str]) -> None:
    _open(app, **link)
    [warning] = app.warning
    for message in messages:
        assert message in warning.value.replace("\\", "")
    assert warning.value.count("\n- ") == len(messages)
    assert "<b>" not in warning.value.replace("\\<", "")
    # The rest is there: a step, or something to compare.
    assert app.header if "view" not in link or link["view"] == "top" else app.selectbox


def test_a_sample_is_picked_and_forgets_the_cut(app: AppTest) -> None:
    _open(app, cut="0.20", step="threshold", view="steps")
    app.button(key="stages-plate").click().run()
    assert app.query_params["sample"] == "plate"
    assert "cut" not in app.query_params
    assert app.query_params["step"] == "threshold"
    assert app.button(key="stages-plate").disabled


def test_an_upload_is_taken_apart(app: AppTest) -> None:
    data = png(picture(rusty=True))
    _open(app, sample="pipe")
    app.file_uploader(key="stages-upload").upload("gate.png", data)
    app.run()
    assert app.query_params["case"] == sha256(data)
    assert "sample" not in app.query_params
    assert "128 x 96 pixels" in _texts(app)
    app.file_uploader(key="stages-upload").set_value([])
    app.file_uploader(key="stages-upload").upload("bad.png", b"no picture")
    app.run()
    assert not app.exception
    assert "not an image" in app.error[0].value


def test_a_lesson_is_computed_once_and_lets_go_of_the_blocks(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = lessons.look_inside
    monkeypatch.setattr(lessons, "look_inside", lambda *a: calls.append(1) or real(*a))
    _open(app, rule="otsu")
    _open(app, rule="fixed", step="mask")
    assert len(calls) == 1  # the network looks once, whatever the threshold
    subject = lessons.Subject(_case(png(picture(rusty=True))))
    assert lessons.lesson(subject).inside.output.blocks == ()
    assert lessons.lesson(subject) is lessons.lesson(subject)


def test_large_photos_are_shrunk_and_the_page_says_so(app: AppTest) -> None:
    data = png(picture(rusty=True, size=(64, 2100)))
    case = _case(data)
    lesson = lessons.lesson(lessons.Subject(case))
    assert lesson.seg.image.shape[:2] == (62, 2048)
    _open(app, case=case.digest)
    assert "2100 x 64 pixels, reduced here to 2048" in _texts(app)
    _open(app, sample="pipe")
    assert "here shrunk" not in _texts(app)


def test_a_lesson_that_goes_on_from_another_waits_for_no_turn_of_its_own(app: AppTest) -> None:
    subject = lessons.Subject(_case(png(picture(rusty=True))), Choice(rule="otsu"))
    with turn():  # as within `of_lesson`; a second turn would wait for ever
        assert lessons.lesson(subject).seg.config.threshold.rule == "otsu"
    assert lessons.of_lesson(subject, exhibits_of)["photo"] == "Photo"


def test_true_masks_are_those_of_the_samples(app: AppTest) -> None:
    for sample in list_samples():
        true = true_masks.true_mask(cases.case_of(sample))
        assert (true is not None) == (sample.mask is not None)
        if true is not None:
            assert true.dtype == np.bool_
            assert 0.05 < true.mean() < 0.6


def test_a_corrected_photo_is_judged_by_the_experts_mask(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.user = {}  # no login is configured
    for name in ("RUSTSEG_EXPERTS", "RUSTSEG_REVIEWERS", "RUSTSEG_DEMO"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RUSTSEG_LABELS", str(tmp_path / "labels"))
    store = Store(tmp_path / "labels")
    photo = store.add_photo(png(picture(rusty=True)), origin="gate.png")
    whole = np.ones(photo.shape, bool)

    def correct(mask: np.ndarray) -> str:
        nonce = uuid.uuid4().hex
        return store.save_correction(
            photo, nonce=nonce, who="Ada", verdict="corrosion", mask=mask
        ).id

    def iou() -> str:
        _open(app, case=photo.sha256, step="truth")
        words = next(m.value for m in app.markdown if "IoU" in m.value)
        return words.split("true mask is ")[1].split(":")[0]

    first = correct(whole)
    assert iou() == "0.25"  # a quarter of the photo is found
    assert "true mask: Ada, " in _texts(app).replace("\\", "")
    correct(whole & (np.arange(photo.width) < photo.width // 2))
    assert iou() == "0.20"  # 1/8 in both, 5/8 in either; nothing is left of the lesson before
    store.review(first, "approve", nonce=uuid.uuid4().hex, who="Bob")
    assert iou() == "0.25"
    monkeypatch.setenv("RUSTSEG_DEMO", "1")  # neither the photo nor the mask is for everybody
    _open(app)
    assert "is no longer available" in _texts(app)
    _upload(png(picture(rusty=True)))
    _open(app, step="")
    assert "True mask" not in _texts(app)
    assert "Ada" not in _texts(app)


def test_the_figure_is_offered_in_two_forms(app: AppTest) -> None:
    _open(app, sample="pipe")
    assert [b.label for b in app.get("download_button")] == ["PNG", "PDF"]
    subject = lessons.Subject(_case(png(picture(rusty=True))))
    assert lessons.figure_file(subject, "gate", "png").startswith(b"\x89PNG")
    assert lessons.figure_file(subject, "gate", "pdf").startswith(b"%PDF")


def test_missing_weights_say_what_to_do(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUSTSEG_MODEL", str(tmp_path / "none.safetensors"))
    app.switch_page("pages/compare.py").run()
    assert not app.exception
    assert "RUSTSEG_MODEL" in app.error[0].value
