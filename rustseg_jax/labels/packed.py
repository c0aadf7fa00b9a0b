"""An export as one ZIP file, for a download; how large it would be is told beforehand."""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from rustseg_jax.labels.export import Export, Progress, export_labels, kinds_of
from rustseg_jax.labels.listing import counted
from rustseg_jax.labels.store import Store

__all__ = ["Extent", "export_extent", "pack_labels"]


@dataclass(frozen=True)
class Extent:
    """How many photos something is said of, and the size of their files in bytes."""

    photos: int
    bytes: int


def export_extent(
    store: Store,
    *,
    approved: bool = False,
    take: Literal["latest", "consensus"] = "latest",
    who: str = "",
) -> Extent:
    """Tell how much an export would be, at most; options as in `export_labels`."""
    statuses, kinds = counted(approved), kinds_of(take)
    marks = ", ".join("?" * len(statuses)), ", ".join("?" * len(kinds))
    sql = f"""SELECT count(*), coalesce(sum(p.bytes), 0) FROM photos p WHERE EXISTS
(SELECT 1 FROM standing s WHERE s.photo = p.sha256 AND s.status IN ({marks[0]})
 AND s.kind IN ({marks[1]}) {"AND s.who = ?" if who else ""})"""
    with store.database.reading() as conn:
        row = conn.execute(sql, [*statuses, *kinds, *([who] if who else [])]).fetchone()
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
    """Write an export into a ZIP file, within one folder that has the format's name.

    Parameters
    ----------
    store : a labels folder
    file : open for writing
    format, approved, take, who, progress : as in `export_labels`

    Returns
    -------
    `Export`; its folder is the one within the ZIP file
    """
    with tempfile.TemporaryDirectory() as room:
        out = Path(room) / f"labels-{format}"
        found = export_labels(
            store, out, format=format, approved=approved, take=take, who=who, progress=progress
        )
        # Photos and PNG masks are compressed already.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:
            for path in sorted(p for p in out.rglob("*") if p.is_file()):
                packed.write(path, path.relative_to(room))
    return Export(Path(out.name), format, found.photos, found.without, found.left_out)
