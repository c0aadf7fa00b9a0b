"""Weights files: exact round trip, and all errors."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hand_made import patch, red_network
from safetensors import safe_open
from safetensors.numpy import save_file

from rustseg_jax import NetworkConfig, load_model, load_network, save_network
from rustseg_jax.classify import Classifier
from rustseg_jax.classify.weights import DEFAULT, FORMAT, VERSION
from rustseg_jax.errors import WeightsError
from rustseg_jax.learning.recipe import PRESETS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_network(path, red_network(), temperature=1.25, metadata={"epoch": 3})
    return path


def contents(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    with safe_open(path, framework="numpy") as opened:
        return {n: opened.get_tensor(n) for n in opened.keys()}, opened.metadata()  # noqa: SIM118


@pytest.mark.parametrize("pooling", ["lse", "context"])
def test_the_round_trip_is_exact(tmp_path: Path, pooling: str) -> None:
    network = red_network(pooling=pooling)
    rng = np.random.default_rng(0)
    for block in network.blocks:
        for conv in block:
            drawn = rng.normal(size=conv.kernel.shape).astype(np.float32)
            conv.kernel.set_value(jnp.asarray(drawn))
    config = NetworkConfig(width=1, input_size=64, pooling=pooling)
    path = tmp_path / "a.safetensors"
    digest = save_network(path, network, temperature=0.1 + 0.2, metadata={"recipe": {"seed": 1}})
    again, temperature, metadata = load_network(path)
    assert again.config == config
    assert temperature == 0.1 + 0.2
    assert metadata == {"recipe": {"seed": 1}}
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    for a, b in zip(
        jax.tree.leaves(nnx.state(network)), jax.tree.leaves(nnx.state(again)), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    other = tmp_path / "b.safetensors"
    assert save_network(other, again, temperature=temperature, metadata=metadata) == digest
    assert other.read_bytes() == path.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"]


def test_every_variable_is_in_the_file(file: Path) -> None:
    # Ten convolutions of kernel, scale, bias, mean and var; the head's kernel and bias.
    arrays, header = contents(file)
    assert len(arrays) == 10 * 5 + 2
    kinds = nnx.state(red_network(), nnx.Param, nnx.BatchStat)
    assert len(arrays) == sum(len(jax.tree.leaves(kind)) for kind in kinds)
    assert arrays["blocks.0.1.kernel"].shape == (3, 3, 1, 1)
    assert header["format"] == FORMAT
    assert header["version"] == VERSION


def test_a_loaded_network_answers_as_before(file: Path) -> None:
    x = patch((64, 64), slice(0, 32), slice(0, 32))[None].astype(np.float32) / np.float32(255)
    loaded = load_model(file)
    assert loaded.temperature == 1.25
    assert loaded.metadata == {"epoch": 3}
    assert loaded.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    np.testing.assert_array_equal(loaded(x).logits, Classifier.of(red_network())(x).logits)


def test_the_environment_names_the_weights(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSTSEG_MODEL", str(file))
    assert load_model().temperature == 1.25
    monkeypatch.setenv("RUSTSEG_MODEL", str(file.with_name("gone.safetensors")))
    with pytest.raises(WeightsError, match=r"weights file .*gone\.safetensors not found"):
        load_model()
    assert load_model(file).temperature == 1.25  # a path that is given wins


def test_shipped_weights_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUSTSEG_MODEL", raising=False)
    model = load_model()
    assert model.config.input_size == 448
    assert DEFAULT.stat().st_size <= 25_000_000
    # They came about by the recipe that is the default, as it is now.
    assert model.metadata["recipe"] == json.loads(json.dumps(PRESETS["cpu"].as_dict()))


def test_a_failed_write_leaves_the_old_file(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(TypeError):
        save_network(file, red_network(), metadata={"not plain": object()})
    assert file.read_bytes() == before
    assert [p.name for p in file.parent.iterdir()] == [file.name]


# Refusals


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"weights file .*none not found"):
        load_network(tmp_path / "none")
    with pytest.raises(WeightsError, match=r"weights file .*not found"):
        load_network(tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_truncated_file_is_refused(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(WeightsError, match=r"tiny.safetensors is not a safetensors file"):
        load_network(file)


def test_another_kind_of_file_is_refused(file: Path) -> None:
    file.write_bytes(b"\x89PNG\r\n" + bytes(1000))
    with pytest.raises(WeightsError, match="not a safetensors file"):
        load_network(file)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": None}, "not a weights file of this program.*not given"),
        ({"format": "pt"}, "not a weights file of this program.*'pt'"),
        ({"version": "2"}, "version '2'.*reads version '1'"),
        ({"version": None}, "version None"),
        ({"config": None}, "damaged header"),
        ({"config": "{"}, "damaged header"),
        ({"config": "[]"}, "damaged header"),
        ({"config": "3"}, "damaged header"),
        ({"config": '{"width": 0}'}, "damaged header.*width is 0"),
        ({"config": '{"width": "1"}'}, "damaged header"),
        ({"config": '{"width": 1.5}'}, "damaged header.*width is 1.5"),
        ({"config": '{"width": 1, "depth": 2}'}, "damaged header.*depth"),
        ({"temperature": None}, "damaged header.*temperature"),
        ({"temperature": "warm"}, "damaged header.*warm"),
        ({"temperature": "nan"}, "damaged header.*temperature is nan"),
        ({"temperature": "0.0"}, "damaged header.*temperature is 0"),
        ({"temperature": "-1"}, "damaged header.*temperature is -1"),
        ({"temperature": "inf"}, "damaged header.*temperature is inf"),
        ({"metadata": "{'a'"}, "damaged header"),
        ({"metadata": "[1]"}, "damaged header.*metadata"),
    ],
)
def test_a_foreign_or_damaged_header_is_refused(
    file: Path, changes: dict[str, str | None], words: str
) -> None:
    arrays, header = contents(file)
    header = {k: v for k, v in {**header, **changes}.items() if v is not None}
    save_file(arrays, file, metadata=header)
    with pytest.raises(WeightsError, match=words):
        load_network(file)


def test_a_file_without_metadata_is_refused(file: Path) -> None:
    save_file(contents(file)[0], file)
    with pytest.raises(WeightsError, match="not a weights file of this program"):
        load_network(file)


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("head.bias", None, "has no array 'head.bias'"),
        ("blocks.4.1.norm.var", None, "has no array 'blocks.4.1.norm.var'"),
        ("extra", np.zeros(1, np.float32), "'extra', which this network does not have"),
        ("head.bias", np.zeros(3, np.float32), r"'head.bias' is float32\(3,\).*\(2,\)"),
        ("head.bias", np.zeros(2, np.float64), r"'head.bias' is float64"),
        ("head.bias", np.zeros(2, np.float16), r"'head.bias' is float16"),
        ("head.bias", np.array([0, np.nan], np.float32), "'head.bias'.*not finite"),
        ("head.bias", np.array([0, np.inf], np.float32), "'head.bias'.*not finite"),
        ("blocks.1.0.norm.var", np.array([1, -1], np.float32), "'blocks.1.0.norm.var'.*negative"),
    ],
)
def test_wrong_arrays_are_refused_by_name(
    file: Path, name: str, array: np.ndarray | None, words: str
) -> None:
    arrays, header = contents(file)
    arrays.pop(name, None)
    if array is not None:
        arrays[name] = array
    save_file(arrays, file, metadata=header)
    with pytest.raises(WeightsError, match=words):
        load_network(file)


def test_a_type_numpy_does_not_know_is_refused(file: Path) -> None:
    # bfloat16 exists in safetensors but not in NumPy: written by hand, as a GPU program might.
    arrays, metadata = contents(file)
    header: dict[str, object] = {"__metadata__": metadata}
    data = b""
    for name, array in arrays.items():
        kind, raw = (
            ("BF16", bytes(2 * array.size)) if name == "head.bias" else ("F32", array.tobytes())
        )
        header[name] = {
            "dtype": kind,
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(len(text).to_bytes(8, "little") + text + data)
    with pytest.raises(WeightsError, match=r"'head.bias'"):
        load_network(file)
