"""Label Studio: tasks with brush annotations, one `tasks.json`. Lossless.

Import it into a project that uses `label_config.xml` as its labelling interface. Photos are served
from local files; to serve them from elsewhere, change `image` in the tasks. A brush is an image
with four channels (red, green, blue, alpha), all 255 where marked, packed by thi.ng/rle-pack.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rustseg_jax.labels.exchange.formats.item import CORROSION, IGNORE, Item, write_json_list
from rustseg_jax.labels.records import VERDICTS
from rustseg_jax.labels.rle import check_mask

__all__ = ["CONFIG", "FILE", "brush", "write"]

FILE, CONFIG = "tasks.json", "label_config.xml"

_CHANNELS = 4
_WORD_BITS, _SIZES, _LONG = 8, (3, 4, 8, 16), 3  # as Label Studio packs; _LONG: the longest size
_LONGEST = 1 << _SIZES[_LONG]
_CHUNK_BITS = 1 + 2 + _SIZES[_LONG] + _WORD_BITS

_XML = f"""<View>
  <Image name="image" value="$image" zoom="true"/>
  <BrushLabels name="brush" toName="image">
    <Label value="{CORROSION}" background="#d55e00"/>
    <Label value="{IGNORE}" background="#999999"/>
  </BrushLabels>
  <Choices name="verdict" toName="image" choice="single-radio">
    {" ".join(f'<Choice value="{v}"/>' for v in VERDICTS)}
  </Choices>
</View>
"""


def write(items: Iterable[Item], folder: Path) -> None:
    """Write tasks, photos and the labelling interface."""
    (folder / CONFIG).write_text(_XML, encoding="utf-8")
    with (folder / FILE).open("w", encoding="utf-8") as file:
        write_json_list(file, _tasks(items, folder))
        file.write("\n")


def _tasks(items: Iterable[Item], folder: Path) -> Iterator[dict[str, Any]]:
    for item in items:
        item.copy_photo(folder)
        said = item.correction
        size = {
            "original_width": item.photo.width,
            "original_height": item.photo.height,
            "image_rotation": 0,
            "to_name": "image",
        }
        results: list[dict[str, Any]] = [
            {
                **size,
                "id": f"{said.id[:8]}-{name}",
                "from_name": "brush",
                "type": "brushlabels",
                "value": {"format": "rle", "rle": brush(mask), "brushlabels": [name]},
            }
            for name, mask in zip((CORROSION, IGNORE), item.layers(), strict=True)
            if mask is not None and mask.any()
        ]
        verdict = {**size, "id": f"{said.id[:8]}-verdict", "from_name": "verdict",
                   "type": "choices", "value": {"choices": [said.verdict]}}  # fmt: skip
        data = {
            "image": f"/data/local-files/?d={item.file_name}",
            **item.facts(),
            "has_mask": said.mask is not None,
        }
        seconds = {} if said.seconds is None else {"lead_time": said.seconds}
        yield {"data": data, "annotations": [{"result": [*results, verdict], **seconds}]}


def brush(mask: NDArray[np.bool_]) -> list[int]:
    """Pack a mask in the brush format of Label Studio.

    Parameters
    ----------
    mask : (H, W) bool

    Returns
    -------
    Bytes, 0 to 255

    References
    ----------
    https://github.com/thi-ng/umbrella, packages/rle-pack: 32 bits number of words, 5 bits word
    size less 1, four times 4 bits size of a run's length less 1; then chunks of 1 bit "a run", 2
    bits index of the size, the length less 1, the word.
    """
    flat = check_mask("mask", mask).ravel()
    edges = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]])
    words = np.diff(edges) * _CHANNELS
    values = np.where(flat[edges[:-1]], 255, 0)
    # A run that is too long for one chunk is split.
    chunks = -(-words // _LONGEST)
    lengths = np.full(int(chunks.sum()), _LONGEST, np.int64)
    lengths[np.cumsum(chunks) - 1] = words - (chunks - 1) * _LONGEST
    codes = (0b1 << 2 | _LONG) << _SIZES[_LONG] | (lengths - 1)
    codes = codes << _WORD_BITS | np.repeat(values, chunks)
    head = f"{flat.size * _CHANNELS:032b}{_WORD_BITS - 1:05b}"
    head += "".join(f"{size - 1:04b}" for size in _SIZES)
    bits = (codes[:, None] >> np.arange(_CHUNK_BITS)[::-1]) & 1
    packed = np.packbits(np.concatenate([[int(b) for b in head], bits.ravel()]).astype(np.uint8))
    return [int(value) for value in packed]
