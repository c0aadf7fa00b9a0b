"""Build and register the compiled convolutions of ``convolution.cpp`` and its headers.

They are compiled once, at first use, for the processor at hand, into the user's cache folder, and
found there afterwards. Where there is no C++ compiler, or anything else goes wrong, the library
works without them, only slower: :func:`available` is then False and :func:`status` says why.

``python -m rustseg_jax.classify.kernels.build`` builds them ahead of time and prints the status.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import jax
import jaxlib

SOURCE = Path(__file__).with_name("convolution.cpp")
# All that the library is made of: a change of any file makes another one.
SOURCES = (*sorted(SOURCE.parent.glob("*.h")), SOURCE)
TARGETS = (
    "transform_kernel",
    "forward",
    "forward_both",
    "direct",
    "kernel_gradient",
    "direct_kernel_gradient",
    "moments",
    "normalise",
    "normalise_sums",
    "normalise_gradient",
)
COMPILERS = ("c++", "g++", "clang++")
WARNINGS = ("-Wall", "-Wextra")
FLAGS = (
    *("-std=c++17", "-O2", "-fno-math-errno", "-fPIC", "-shared", "-pthread"),
    *("-fvisibility=hidden", *WARNINGS),
)
# Seconds; a build takes about 15 on a slow core.
BUILD_TIMEOUT = 300

_log = logging.getLogger(__name__)
_lock = threading.Lock()
_status: str | None = None


def available() -> bool:
    """Whether the compiled convolutions can be used; the first call builds or loads them.

    Setting the environment variable ``RUSTSEG_NATIVE=0`` switches them off.
    """
    global _status
    with _lock:
        if _status is None:
            try:
                _status = _register()
            except (OSError, RuntimeError, AttributeError, subprocess.SubprocessError) as error:
                _status = f"off: {error}"
                _log.info("compiled convolutions are %s", _status)
        return _status.startswith("on")


def status() -> str:
    """Say in one line whether the compiled convolutions are on, and where from or why not."""
    available()
    return str(_status)


def _register() -> str:
    """Load the library, building it first where needed, and name its functions to XLA."""
    if os.environ.get("RUSTSEG_NATIVE") == "0":
        return "off: RUSTSEG_NATIVE is 0"
    path = _build()
    library = ctypes.CDLL(str(path))
    for name in TARGETS:
        function = getattr(library, f"rustseg_{name}")
        jax.ffi.register_ffi_target(f"rustseg_{name}", jax.ffi.pycapsule(function), platform="cpu")
    return f"on: {path}"


def _cache() -> Path:
    """Return the folder of built libraries, which only its owner may write to."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "rustseg_jax" / "native"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _processor() -> str:
    """Describe the processor's instructions: a home folder may be shared between machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    features = [line for line in lines if line.startswith(("flags", "Features", "model name"))]
    return "\n".join([platform.machine(), platform.processor(), *features[:2]])


def _compiler() -> str:
    for name in (os.environ.get("CXX"), *COMPILERS):
        path = shutil.which(name) if name else None
        if path:
            return path
    raise RuntimeError("no C++ compiler was found (g++ or clang++)")


def _build() -> Path:
    """Compile the source unless this very source was compiled for this processor before."""
    parts = (*(path.read_text() for path in SOURCES), _processor(), jaxlib.__version__, *FLAGS)
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
    path = _cache() / f"convolution-{key}.so"
    if path.is_file():
        return path
    compiler = _compiler()
    handle, name = tempfile.mkstemp(suffix=".so", dir=path.parent)
    os.close(handle)
    try:
        _compile(compiler, Path(name))
        # Atomic: another process sees either nothing or the whole library.
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    return path


def _command(compiler: str, more: Sequence[str], output: Path) -> list[str]:
    """Return the call of the compiler; `more` options come last and win."""
    # XLA's headers do not compile without warnings: -isystem keeps them to ours.
    include = ["-isystem", jax.ffi.include_dir()]
    return [compiler, *FLAGS, *more, *include, str(SOURCE), "-o", str(output)]


def _compile(compiler: str, output: Path) -> None:
    """Compile for this very processor, or for its family where the compiler cannot tell."""
    for tuning in (["-march=native"], ["-mcpu=native"], []):
        done = subprocess.run(
            _command(compiler, tuning, output),
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT,
            check=False,
        )
        if done.returncode == 0:
            return
    message = (done.stderr.strip().splitlines() or ["no message"])[0]
    raise RuntimeError(f"{compiler} could not compile {SOURCE.name}: {message}")


if __name__ == "__main__":
    print(f"compiled convolutions: {status()}")
