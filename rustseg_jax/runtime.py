"""Operating-system services: cache folders, atomic file writes, JAX's compilation cache.

Importing this module does not load JAX, which is slow.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import platform
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rustseg_jax.errors import ConfigError

__all__ = [
    "cache_folder",
    "enable_compilation_cache",
    "keep_memory",
    "make_durable_folder",
    "replacing",
    "sync_folder",
    "write_whole",
]


def cache_folder(name: str) -> Path | None:
    """Return a cache folder, for files that may be deleted at any time.

    Parameters
    ----------
    name : relative path for the purpose, such as "photos"

    Returns
    -------
    The folder, which exists and is writable: `name` in the folder of the
    environment variable RUSTSEG_CACHE, else in `rustseg_jax` of the user's cache
    directory (XDG_CACHE_HOME, else ~/.cache). None if it is not writable.
    """
    chosen = os.environ.get("RUSTSEG_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        root = Path(base) if base else Path.home() / ".cache"
    except RuntimeError:  # no home directory
        if not chosen:
            return None
    place = (Path(chosen) if chosen else root / "rustseg_jax") / name
    return place if _writable(place) else None


def enable_compilation_cache(folder: Path | str | None = None) -> Path | None:
    """Cache compiled programs on disk, so that later processes do not compile them again.

    Call it before the first computation. Any number of processes can share the folder.

    Parameters
    ----------
    folder : cache folder; by default `xla` in `cache_folder`, with a subfolder
        for each processor type, because machines may share a home directory

    Returns
    -------
    The folder in use, or None if it is not writable; then the first photo of each process takes
    longer.
    """
    if folder is None:
        place = cache_folder(f"xla/{_processor()}")
    else:
        place = Path(folder) if _writable(Path(folder)) else None
    if place is None:
        return None
    import jax

    jax.config.update("jax_compilation_cache_dir", str(place))
    # JAX's defaults (1 s, no size) exclude the many small programs of the head's gradient,
    # which together take most of the compile time.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return place


def keep_memory() -> bool:
    """Make the allocator keep freed memory for the next computation of the same size.

    glibc returns large blocks to the system at once, which must then clear them
    again: this took a third of the time of a training step. Use it for programs that repeat the
    same computation; not for servers, whose memory should shrink after a large photo.

    Returns
    -------
    True if it took effect, which requires glibc.

    References
    ----------
    mallopt(3)
    """
    top_pad, trim_threshold, mmap_max, arena_max = -2, -1, -4, -8  # malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # musl, macOS, Windows
        return False
    wanted = {trim_threshold: 2**31 - 1, top_pad: 2**26, mmap_max: 0, arena_max: 1}
    return all(mallopt(option, value) for option, value in wanted.items())


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Replace a file atomically with what the body writes to a temporary path.

    Parameters
    ----------
    path : the file; its folder is created if necessary
    durable : whether file, name and folder must survive a power failure after the exit

    Yields
    ------
    A path in the same folder that does not exist yet. At the end, the file written there replaces
    `path`; if the body raises, it is deleted and `path` does not change.

    Raises
    ------
    OSError
        The folder cannot be created or the file cannot be replaced.
    """
    # The name begins with that of the file, so that leftovers of a killed process can be traced.
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    if durable:
        make_durable_folder(path.parent)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        if durable:
            with partial.open("rb+") as file:  # Windows syncs only what is open for writing
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        with suppress(OSError):  # gone after `replace`
            partial.unlink()
    if durable:
        sync_folder(path.parent)


def write_whole(path: Path, data: bytes, *, hint: str = "check its folder") -> None:
    """Write a file atomically; create its folder if necessary.

    Parameters
    ----------
    path : the file
    data : its content
    hint : advice for the error message

    Raises
    ------
    ConfigError
        The file cannot be written.
    """
    try:
        with replacing(path) as partial:
            partial.write_bytes(data)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error.strerror or error}); {hint}"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make new and renamed files in a folder durable; no effect if folders cannot be synced.

    Raises
    ------
    OSError
        The disk reported an error.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def make_durable_folder(folder: Path) -> None:
    """Create a folder and its parents durably; see `sync_folder`."""
    if folder.is_dir():
        return
    make_durable_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def _processor() -> str:
    """Return a name for the processor type, on whose instruction set compiled programs depend."""
    words = [platform.machine(), platform.processor(), sys.platform]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    wanted = ("flags", "Features", "model name")
    words += sorted({line for line in lines if line.startswith(wanted)})
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]


def _writable(place: Path) -> bool:
    """Return whether files can be created here, by trying; permissions mislead on some mounts."""
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False
