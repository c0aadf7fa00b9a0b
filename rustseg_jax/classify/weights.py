"""Weights files: safetensors with the configuration and the training record inside.

The file holds the trainable network (batch norm not folded), so that training can
continue; `load_model` folds it. Arrays are named by their position:
`blocks.0.1.kernel` is the second convolution of the first block.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from rustseg_jax.classify import Classifier, Network
from rustseg_jax.config import NetworkConfig
from rustseg_jax.errors import ConfigError, WeightsError
from rustseg_jax.resources import data_path
from rustseg_jax.runtime import write_whole

__all__ = ["DEFAULT", "FORMAT", "VERSION", "load_model", "load_network", "save_network"]

FORMAT = "rustseg-jax"
VERSION = "1"
DEFAULT = data_path("model/rustseg.safetensors")
"""The shipped weights; the same folder has the model card, measurements and area calibration."""


def _names(network: Network) -> dict[str, nnx.Variable[jax.Array]]:
    named: dict[str, Any] = {
        f"head.{part}": variable for part, variable in network.head_variables.items()
    }
    for b, block in enumerate(network.blocks):
        for c, conv in enumerate(block):
            place = f"blocks.{b}.{c}"
            named[f"{place}.kernel"] = conv.kernel
            for part in ("scale", "bias", "mean", "var"):
                named[f"{place}.norm.{part}"] = getattr(conv.norm, part)
    return named


def save_network(
    path: Path | str,
    network: Network,
    *,
    temperature: float = 1.0,
    metadata: dict[str, Any] | None = None,
) -> str:
    """Write a weights file atomically.

    Parameters
    ----------
    path : file to write; its folder is created if necessary
    network : the trained network
    temperature : temperature of the calibrated probability
    metadata : plain values about the training, stored in the file

    Returns
    -------
    SHA-256 of the file, hexadecimal

    Raises
    ------
    ConfigError
        The file cannot be written.
    """
    arrays = {name: np.asarray(v[...], np.float32) for name, v in _names(network).items()}
    header = {
        "format": FORMAT,
        "version": VERSION,
        "config": json.dumps(asdict(network.config)),
        "temperature": repr(float(temperature)),
        "metadata": json.dumps(metadata or {}),
    }
    data = _in_order(save(arrays, metadata=header))
    write_whole(Path(path), data)
    return hashlib.sha256(data).hexdigest()


def _in_order(data: bytes) -> bytes:
    """Sort the header, whose order is random, so that equal weights have equal SHA-256."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # keeps the arrays aligned
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def load_network(path: Path | str) -> tuple[Network, float, dict[str, Any]]:
    """Read weights for further training.

    Parameters
    ----------
    path : weights file, written by `save_network`

    Returns
    -------
    (network, temperature, metadata)

    Raises
    ------
    WeightsError
        The file is missing, not safetensors, of another program or version, or has arrays
        that are missing, unknown, of the wrong shape or not finite; the message says which.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"weights file {path} not found; give another file")
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            config = _check_header(path, header)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a safetensors file ({error})") from error
    # Shapes only: random initial values would be replaced by the file anyway.
    network = nnx.eval_shape(lambda: Network(config, rngs=nnx.Rngs(0)))
    named = _names(network)
    _check_arrays(path, {n: tuple(v.shape) for n, v in named.items()}, arrays)
    for name, variable in named.items():
        variable.set_value(jnp.asarray(arrays[name]))
    network.eval()
    return network, float(header["temperature"]), json.loads(header["metadata"])


def _check_header(path: Path, header: dict[str, str]) -> NetworkConfig:
    if header.get("format") != FORMAT:
        raise WeightsError(
            f"{path} is not a weights file of this program "
            f"(format {header.get('format', 'not given')!r}, expected {FORMAT!r})"
        )
    if header.get("version") != VERSION:
        raise WeightsError(
            f"{path} has version {header.get('version')!r}; this program reads version {VERSION!r}"
        )
    try:
        config = NetworkConfig.from_dict(json.loads(header["config"]))
        temperature, metadata = float(header["temperature"]), json.loads(header["metadata"])
        if not 0 < temperature < np.inf:
            raise ValueError(f"temperature is {temperature}")
        if not isinstance(metadata, dict):
            raise ValueError(f"metadata is {metadata!r}")
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise WeightsError(f"{path} has a damaged header: {error}") from error
    return config


def _check_arrays(
    path: Path, wanted: dict[str, tuple[int, ...]], found: dict[str, np.ndarray]
) -> None:
    for name in sorted(set(wanted) | set(found)):
        if name not in found:
            raise WeightsError(f"{path} has no array {name!r}")
        if name not in wanted:
            raise WeightsError(f"{path} has an array {name!r}, which this network does not have")
        array = found[name]
        if array.shape != wanted[name] or array.dtype != np.float32:
            raise WeightsError(
                f"{path}: {name!r} is {array.dtype}{array.shape}; must be float32{wanted[name]}"
            )
        if not np.isfinite(array).all():
            raise WeightsError(f"{path}: {name!r} has values that are not finite")
        if name.endswith(".norm.var") and (array < 0).any():
            raise WeightsError(f"{path}: {name!r} is a variance and has negative values")


def load_model(path: Path | str | None = None) -> Classifier:
    """Load weights for inference.

    Parameters
    ----------
    path : weights file; by default that of the environment variable
        RUSTSEG_MODEL, or else the shipped one

    Returns
    -------
    `Classifier`, batch norm folded

    Raises
    ------
    WeightsError
        See `load_network`.
    """
    place = Path(path or os.environ.get("RUSTSEG_MODEL") or DEFAULT)
    network, temperature, metadata = load_network(place)
    digest = hashlib.sha256(place.read_bytes()).hexdigest()
    return Classifier.of(network, temperature=temperature, metadata=metadata, digest=digest)
