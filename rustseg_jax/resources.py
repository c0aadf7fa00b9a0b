"""Paths of the data files shipped with the package, in a checkout and after installation.

A checkout has them in `data/` beside the package, a wheel in `rustseg_jax/data`; see setup.py.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["checkout", "data_path"]


def checkout() -> Path | None:
    """Return the root of the source tree this package runs from; None if it is installed."""
    return None if _installed_data().is_dir() else _package().parent


def data_path(name: str) -> Path:
    """Return the path of a shipped file or folder, which need not exist.

    Parameters
    ----------
    name : path in the data folder, with "/" as the separator, such as "model/area.json"
    """
    root = checkout()
    return (root / "data" if root else _installed_data()) / name


def _package() -> Path:
    """Return the folder of the code, which is a real folder because pip unpacks wheels."""
    return Path(str(files("rustseg_jax"))).resolve()


def _installed_data() -> Path:
    return _package() / "data"
