"""Where the files that travel with the code are, in a checkout and installed.

A checkout has them in `data/` beside the package, a wheel in `rustseg_jax/data`; see setup.py.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["checkout", "data_path"]


def checkout() -> Path | None:
    """Return the root of the source tree that this package runs from; None where installed."""
    return None if _installed_data().is_dir() else _package().parent


def data_path(name: str) -> Path:
    """Return where a shipped file or folder is; nothing is opened.

    Parameters
    ----------
    name : place in the data folder, with "/" between names, such as "model/area.json"
    """
    root = checkout()
    return (root / "data" if root else _installed_data()) / name


def _package() -> Path:
    """The folder of the code, a real one: pip unpacks wheels."""
    return Path(str(files("rustseg_jax"))).resolve()


def _installed_data() -> Path:
    return _package() / "data"
