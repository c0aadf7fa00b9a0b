"""Code shared by the subcommands of `labels`: opening the folder, progress bars, tables."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from rustseg_jax.commands.common import print_json, table

if TYPE_CHECKING:
    from rustseg_jax.labels import Store

__all__ = ["Tell", "progress", "show", "store_of"]

Tell = Callable[[int, int], None]


def store_of(args: argparse.Namespace, *, create: bool = False) -> Store:
    """Open the labels folder given by the options."""
    from rustseg_jax.labels import Store, labels_folder

    return Store(args.labels or labels_folder(), create=create)


@contextmanager
def progress(unit: str) -> Iterator[Tell]:
    """Show a progress bar; yield the function that updates it with (done, total)."""
    with tqdm(unit=unit) as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield tell


def show(args: argparse.Namespace, value: dict[str, Any], rows: list[list[str]]) -> None:
    """Print `value` as JSON with --json, otherwise `rows` as a table."""
    if args.json:
        print_json(value)
    else:
        print(table(["what", "n"], rows))
