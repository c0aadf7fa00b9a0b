"""Export labels for other tools: photos, masks and terms of use.

One correction is exported per photo: the latest that counts, or the latest consensus that counts;
on request, approved ones only. `records.is_counted` defines what counts.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from rustseg_jax.config import EXPORT_FORMATS
from rustseg_jax.errors import ConfigError
from rustseg_jax.labels.errors import explained
from rustseg_jax.labels.exchange.formats import coco, folder, huggingface, label_studio, labelme
from rustseg_jax.labels.exchange.formats.item import Item
from rustseg_jax.labels.queries.listing import counted_query, read_latest
from rustseg_jax.labels.records import VERDICTS, Photo
from rustseg_jax.labels.store import Store
from rustseg_jax.labels.store.rows import fetch, photo_of

__all__ = ["Export", "Extent", "export_extent", "export_labels", "pack_labels"]

Progress = Callable[[int, int], None]

_WRITERS = {
    "folder": folder.write,
    "coco": coco.write,
    "labelme": labelme.write,
    "label-studio": label_studio.write,
    "huggingface": huggingface.write,
}


@dataclass(frozen=True)
class Export:
    """Result of an export.

    Attributes
    ----------
    folder, format : where and in which format it was written
    photos : number of photos written
    without : number of photos without a matching correction
    left_out : number of photos whose verdict the format cannot express ("can't tell" in a data
        folder)
    """

    folder: Path
    format: str
    photos: int
    without: int
    left_out: int


def export_labels(
    store: Store,
    out: Path | str,
    *,
    format: str = "folder",
    approved: bool = False,
    take: Literal["latest", "consensus"] = "latest",
    who: str = "",
    progress: Progress | None = None,
) -> Export:
    """Export photos and their labels for another tool.

    Parameters
    ----------
    store : a labels folder
    out : a new or empty folder
    format : one of `EXPORT_FORMATS`
    approved : export only corrections that a reviewer approved
    take : the "latest" correction of each photo, or its latest "consensus"
    who : only corrections by this person; "" for everyone's
    progress : called with (photos done, total)

    Returns
    -------
    `Export`

    Raises
    ------
    ConfigError
        The folder is not empty, or an option is not allowed.
    """
    out = Path(out)
    if format not in EXPORT_FORMATS:
        raise ConfigError(f"format is {format!r}; it must be one of {', '.join(EXPORT_FORMATS)}")
    if take not in ("latest", "consensus"):
        raise ConfigError(f"take is {take!r}; it must be 'latest' or 'consensus'")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is not empty; choose a new folder for the export")
    chosen = _Chosen(
        store,
        approved=approved,
        kinds=kinds_of(take),
        who=who,
        verdicts=folder.VERDICTS if format == "folder" else VERDICTS,
        progress=progress,
    )
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
        _WRITERS[format](iter(chosen), out)
    return Export(out, format, chosen.written, chosen.without, chosen.left_out)


def kinds_of(take: str) -> tuple[str, ...]:
    """Kinds of corrections to export."""
    return ("consensus",) if take == "consensus" else ("expert", "import")


class _Chosen:
    """Iterate over the items to write, with one photo in memory at a time, and count them."""

    def __init__(
        self,
        store: Store,
        *,
        approved: bool,
        kinds: tuple[str, ...],
        who: str,
        verdicts: tuple[str, ...],
        progress: Progress | None,
    ) -> None:
        self.store, self.verdicts, self.progress = store, verdicts, progress
        self.approved, self.kinds, self.who = approved, kinds, who
        self.written = self.without = self.left_out = 0

    def __iter__(self) -> Iterator[Item]:
        with self.store.database.reading() as conn:
            sql = "SELECT sha256 FROM photos ORDER BY sha256"
            photos = [row[0] for row in conn.execute(sql)]
        for done, digest in enumerate(photos, 1):
            item = self._item(digest)
            if item is None:
                self.without += 1
            elif item.correction.verdict not in self.verdicts:
                self.left_out += 1
            else:
                self.written += 1
                yield item
            if self.progress:
                self.progress(done, len(photos))

    def _item(self, digest: str) -> Item | None:
        with self.store.database.reading() as conn:
            row = fetch(conn, "SELECT * FROM photos WHERE sha256 = ?", (digest,))
            if row is None:  # erased in the meantime
                return None
            photo: Photo = photo_of(row)
            found = read_latest(conn, photo, who=self.who, kinds=self.kinds, approved=self.approved)
            if found is None:
                return None
            state = fetch(
                conn, "SELECT status, model FROM standing WHERE correction = ?", (found.id,)
            )
        assert state is not None  # one row for each correction, maintained by a trigger
        return Item(photo, found, state["status"], state["model"], self.store.photo_path(photo))


@dataclass(frozen=True)
class Extent:
    """Number of photos with a matching correction, and the size of their files in bytes."""

    photos: int
    bytes: int


def export_extent(
    store: Store,
    *,
    approved: bool = False,
    take: Literal["latest", "consensus"] = "latest",
    who: str = "",
) -> Extent:
    """Return an upper bound of an export's size; options as in `export_labels`."""
    said, values = counted_query(who=who, kinds=kinds_of(take), approved=approved)
    sql = f"""SELECT count(*), coalesce(sum(p.bytes), 0) FROM photos p
WHERE EXISTS (SELECT 1 FROM {said} WHERE s.photo = p.sha256)"""
    with store.database.reading() as conn:
        row = conn.execute(sql, values).fetchone()
    return Extent(int(row[0]), int(row[1]))


def pack_labels(
    store: Store,
    file: IO[bytes],
    *,
    format: str = "folder",
    approved: bool = False,
    take: Literal["latest", "consensus"] = "latest",
    who: str = "",
    progress: Progress | None = None,
) -> Export:
    """Write an export to a ZIP file, in one folder named after the format.

    Parameters
    ----------
    store : a labels folder
    file : binary file, open for writing
    format, approved, take, who, progress : as in `export_labels`

    Returns
    -------
    `Export`; its folder is the one inside the ZIP file
    """
    with tempfile.TemporaryDirectory() as room:
        out = Path(room) / f"labels-{format}"
        found = export_labels(
            store, out, format=format, approved=approved, take=take, who=who, progress=progress
        )
        # Photos and PNG masks are already compressed.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:
            for path in sorted(p for p in out.rglob("*") if p.is_file()):
                packed.write(path, path.relative_to(room))
    return Export(Path(out.name), format, found.photos, found.without, found.left_out)
