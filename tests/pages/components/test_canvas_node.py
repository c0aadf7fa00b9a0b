"""The canvas's JavaScript without a browser: its own tests, and the same pixels as in Python."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pages.components.canvas import base_of, code
from pages.components.canvas.pictures import pack_mask
from pages.components.canvas.wire import read_save
from rustseg_jax.correct.strokes import replay

NODE = shutil.which("node")
HERE = Path(__file__).with_name("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed (apt install nodejs)")


def _node(*arguments: str) -> str:
    done = subprocess.run([str(NODE), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_node
def test_nodes_own_tests_pass() -> None:
    said = _node("--test", "--test-reporter=tap", *sorted(map(str, HERE.glob("*.test.mjs"))))
    assert "# fail 0" in said


@needs_node
def test_the_modules_make_one(tmp_path: Path) -> None:
    joined = tmp_path / "canvas.mjs"
    joined.write_text(code.javascript(), encoding="utf-8")
    _node("--check", str(joined))  # finds names that are there twice


def test_every_module_is_joined_and_nothing_comes_from_elsewhere() -> None:
    names = {path.name for path in (code.HERE / "js").iterdir()}
    assert names == set(code.MODULES)
    text = code.javascript()
    assert text.count("export default function") == 1
    assert "\nimport " not in text
    for part in (text, code.css(), code.html()):
        assert "\n" in part.strip()  # a single line would be taken for a path
        for word in ("http:", "https:", "@import", "url(", "innerHTML", "setStateValue", "eval("):
            assert word not in part.replace("http://www.w3.org/2000/svg", "")


def _strokes(rng: np.random.Generator, width: int, height: int) -> list[dict[str, Any]]:
    strokes: list[dict[str, Any]] = []
    for _ in range(6):
        value = int(rng.integers(0, 3))
        points = rng.integers(-20, 80, 2 * int(rng.integers(1, 9))).tolist()
        match int(rng.integers(0, 3)):
            case 0:
                size = int(rng.integers(1, 24))
                strokes.append({"op": "paint", "value": value, "d": size, "points": points})
            case 1:
                strokes.append({"op": "outline", "value": value, "points": points})
            case _:
                x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
                strokes.append({"op": "patch", "value": value, "x": x, "y": y})
    return strokes


@needs_node
def test_both_languages_draw_the_same_pixels(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    cases = []
    for _ in range(150):
        width, height = rng.integers(1, 60, 2).tolist()
        labels = rng.integers(0, 3, (height, width)) * (rng.random((height, width)) < 0.3)
        strokes = _strokes(rng, width, height)
        cases.append({"width": width, "height": height, "labels": labels, "strokes": strokes})
    # Long lines of a large photo, where squares come near 2^53.
    far = [{"op": "paint", "value": 1, "d": 1000, "points": [-30000, 7, 45000, 90]}]
    cases.append({"width": 16000, "height": 40, "labels": np.zeros((40, 16000)), "strokes": far})
    file = tmp_path / "cases.json"
    flat = [case | {"labels": case["labels"].ravel().tolist()} for case in cases]
    file.write_text(json.dumps(flat), encoding="utf-8")
    drawn = json.loads(_node(str(HERE / "agree.mjs"), str(file)))
    differing = 0
    for case, plane in zip(cases, drawn, strict=True):
        mask, ignore = replay(case["labels"] == 1, case["strokes"], ignore=case["labels"] == 2)
        there = np.array(plane).reshape(mask.shape)
        differing += int(((there == 1) != mask).sum() + ((there == 2) != ignore).sum())
    assert differing == 0


@needs_node
def test_masks_go_to_the_browser_and_back_to_the_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    shapes = [(1, 1), (3, 7), (2, 8), (5, 9), (70, 333), (1200, 1601)]
    masks = [rng.random(shape) < 0.4 for shape in shapes]
    file = tmp_path / "masks.json"
    sent = [
        {
            "width": mask.shape[1],
            "height": mask.shape[0],
            "mask": base64.b64encode(pack_mask(mask)).decode(),
        }
        for mask in masks
    ]
    file.write_text(json.dumps(sent), encoding="utf-8")
    came = json.loads(_node(str(HERE / "repack.mjs"), str(file)))
    rest = {
        "nonce": 32 * "0", "case": "c", "base": "", "ignore": None, "seconds": 0, "undos": 0,
        "strokes": base64.b64encode(zlib.compress(b"[]")).decode(),
    }  # fmt: skip
    for mask, there, back in zip(masks, sent, came, strict=True):
        save = read_save(there | rest | {"mask": back["mask"]}, case="c", shape=mask.shape)
        np.testing.assert_array_equal(save.mask, mask)
        assert back["name"] == base_of(mask, np.zeros_like(mask))
