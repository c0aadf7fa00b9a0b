"""Build and register the compiled convolutions of ``convolution.cpp`` and its headers.

They are compiled on first use, for the processor of this machine, and stored in the user's cache
folder. If several processes start at once, one compiles and the others wait.
Only this user can write to the folder; a library that another user could have created or changed
is not loaded. Without a C++ compiler, or if anything else fails, the package works without the
compiled convolutions, but more slowly: :func:`available` is then False and :func:`status` gives
the reason.

``python -m rustseg_jax.classify.kernels.build`` builds them ahead of time and prints the status.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import jax
import jaxlib

from rustseg_jax.runtime import replacing

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SOURCE = Path(__file__).with_name("convolution.cpp")
# All source files of the library: a change to any of them requires a new build.
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
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
# Seconds; a build takes about 15 on a slow core.
BUILD_TIMEOUT = 300

_log = logging.getLogger(__name__)
_lock = threading.Lock()
_status: str | None = None


def available() -> bool:
    """Return whether the compiled convolutions can be used; the first call builds or loads them.

    The environment variable ``RUSTSEG_NATIVE=0`` disables them.
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
    """Return one line: whether the compiled convolutions are on, and their path or why not."""
    available()
    return str(_status)


def _register() -> str:
    """Load the library, building it first if necessary, and register its functions with XLA."""
    if os.environ.get("RUSTSEG_NATIVE") == "0":
        return "off: RUSTSEG_NATIVE is 0"
    path = _build()
    _check_private(path)
    library = ctypes.CDLL(str(path))
    for name in TARGETS:
        function = getattr(library, f"rustseg_{name}")
        jax.ffi.register_ffi_target(f"rustseg_{name}", jax.ffi.pycapsule(function), platform="cpu")
    return f"on: {path}"


def _cache() -> Path:
    """Return the folder of compiled libraries, which only its owner can write to."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "rustseg_jax" / "native"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for place in (folder.parent, folder):  # write access to the parent allows replacing the child
        if _owned(place):
            # The folder may predate this rule, or the umask may be too permissive.
            place.chmod(stat.S_IMODE(place.stat().st_mode) & ~OTHERS_WRITE)
        _check_private(place)
    return folder


def _owned(path: Path) -> bool:
    # Windows has no such owners; its cache folders inherit private permissions.
    return not hasattr(os, "getuid") or path.lstat().st_uid == os.getuid()


def _check_private(path: Path) -> None:
    """Raise an error if another user could have written the file: its code would be run."""
    if not _owned(path):
        raise RuntimeError(f"{path} belongs to another user; delete it, or set XDG_CACHE_HOME")
    if hasattr(os, "getuid") and path.stat().st_mode & OTHERS_WRITE:
        raise RuntimeError(f"{path} can be written by other users; delete it")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Allow one process at a time; without file locks, as on some network drives, allow all."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # also releases the lock, as the end of the process would


def _processor() -> str:
    """Return the processor's instruction set, because machines may share a home folder."""
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
    raise RuntimeError("no C++ compiler found (g++ or clang++)")


def _build() -> Path:
    """Return the library, compiling it unless the same sources were compiled before."""
    parts = (*(path.read_text() for path in SOURCES), _processor(), jaxlib.__version__, *FLAGS)
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
    path = _cache() / f"convolution-{key}.so"
    if path.is_file():
        return path
    with _alone(path.parent):
        if not path.is_file():  # another process may have built it meanwhile
            _build_at(path)
    return path


def _build_at(path: Path) -> None:
    compiler = _compiler()
    # Without locks, another process sees either no file or the complete library.
    with replacing(path) as partial:
        _compile(compiler, partial)
        partial.chmod(0o600)  # the linker applies the umask


def _command(compiler: str, more: Sequence[str], output: Path) -> list[str]:
    """Return the compiler command; the options in `more` come last and take precedence."""
    # XLA's headers cause warnings: -isystem restricts warnings to this project's code.
    include = ["-isystem", jax.ffi.include_dir()]
    return [compiler, *FLAGS, *more, *include, str(SOURCE), "-o", str(output)]


def _compile(compiler: str, output: Path) -> None:
    """Compile for this processor, or for its family if the compiler cannot identify it."""
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
