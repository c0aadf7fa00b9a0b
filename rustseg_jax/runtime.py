"""What a process needs of its system: folders, files written whole, compiled programs kept.

Importing it does not load JAX: who only writes files need not wait for that.
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
    """Return a folder for files that may be deleted at any time.

    Parameters
    ----------
    name : what it is for, a relative path such as "photos"

    Returns
    -------
    The folder, which exists and can be written: `name` in the folder of the
    environment variable RUSTSEG_CACHE, else in `rustseg_jax` of the user's cache
    directory (XDG_CACHE_HOME, else ~/.cache). None when it cannot be written.
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
    """Keep compiled programs on disk, so that the next start does not compile again.

    Call it before the first computation. Any number of processes may share the folder.

    Parameters
    ----------
    folder : where to keep them. None takes `xla` in `cache_folder`, with a subfolder
        for each kind of processor, because a home may be shared between machines.

    Returns
    -------
    The folder in use, or None when it cannot be written: everything works then too,
    only the first photo of each process takes longer.
    """
    if folder is None:
        place = cache_folder(f"xla/{_processor()}")
    else:
        place = Path(folder) if _writable(Path(folder)) else None
    if place is None:
        return None
    import jax

    jax.config.update("jax_compilation_cache_dir", str(place))
    # JAX's own limits (1 s, no size) leave out the many small programs of the head's gradient,
    # which together are most of the wait.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return place


def keep_memory() -> bool:
    """Let this process keep the memory it frees, for its next computation of the same size.

    glibc hands large blocks back to the system at once, which then has to clear them
    again: a third of a training step's time was spent there. For programs that do one thing
    over and over; not for servers, whose memory should shrink after a large photo.

    Returns
    -------
    True where it took effect: glibc only.

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
    """Write a file whole or not at all, by whatever writes to a path; its folder is made.

    Parameters
    ----------
    path : where to
    durable : afterwards the file, its name and its folder survive a power cut

    Yields
    ------
    A path in the same folder, of no file yet. What was written there takes the place of `path`
    at the end; where the body raises, it is deleted, and `path` stays as it was.

    Raises
    ------
    OSError
        The folder cannot be made or the file not put in its place.
    """
    # The name begins with the file's own, so that what a killed process left tells whose it was.
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


def write_whole(path: Path, data: bytes, *, hint: str = "mend its folder") -> None:
    """Write a file whole or not at all; its folder is made.

    Parameters
    ----------
    path, data : where to, and what
    hint : what to do where that is not possible, for the message

    Raises
    ------
    ConfigError
        It cannot be written.
    """
    try:
        with replacing(path) as partial:
            partial.write_bytes(data)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error.strerror or error}); {hint}"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make new and renamed names in a folder durable; where folders cannot be synced, nothing.

    Raises
    ------
    OSError
        The disk refused.
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
    """Make a folder and those above it, each name durable; see `sync_folder`."""
    if folder.is_dir():
        return
    make_durable_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def _processor() -> str:
    """Name this kind of processor: compiled programs use its very instructions."""
    words = [platform.machine(), platform.processor(), sys.platform]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    wanted = ("flags", "Features", "model name")
    words += sorted({line for line in lines if line.startswith(wanted)})
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]


def _writable(place: Path) -> bool:
    """Whether files can be made here; asking the system is not enough on some mounts."""
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False
