"""`labels`: import, export, count, check, back up, merge and erase expert labels."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rustseg_jax.commands import labels_measure
from rustseg_jax.commands.common import (
    DONE,
    SOME_FAILED,
    add_config_options,
    add_model_option,
    config_of,
    load_classifier,
    print_json,
    say,
    table,
)
from rustseg_jax.commands.labels_common import progress, show, store_of
from rustseg_jax.config import CONSENT, EXPORT_FORMATS, IMPORT_FORMATS

__all__ = ["add", "run"]

Options = argparse.ArgumentParser


def add(commands: Any) -> None:
    """Describe the command and its subcommands."""
    parser: Options = commands.add_parser(
        "labels",
        help="manage expert labels: import, export, check, back up, merge",
        description="Work with a labels folder, which holds the photos and the database of expert "
        "labels. Records are only ever added; `erase` alone deletes.",
    )
    parts = parser.add_subparsers(dest="part", required=True, metavar="SUBCOMMAND")
    for name, (describe, work, text) in PARTS.items():
        part = parts.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        part.add_argument(
            "--labels",
            metavar="DIR",
            type=Path,
            help="labels folder; default: $RUSTSEG_LABELS, else data/labels in a checkout or the "
            "user's data folder",
        )
        part.add_argument(
            "--json", action="store_true", help="print one JSON object instead of the table"
        )
        describe(part)
        part.set_defaults(run=run, work=work)


def run(args: argparse.Namespace) -> int:
    """Run one subcommand."""
    status: int = args.work(args)
    return status


# import


def _import_options(part: Options) -> None:
    part.add_argument(
        "--data", metavar="PLACE", type=Path, required=True,
        help="data folder, COCO or labelme file, or folder of photos with PNG masks",
    )  # fmt: skip
    part.add_argument("--expert", metavar="NAME", required=True, help="expert who made the masks")
    part.add_argument(
        "--format", choices=IMPORT_FORMATS, default="",
        help="format of the data; default: detected automatically",
    )  # fmt: skip
    part.add_argument(
        "--category", metavar="NAME", nargs="+", action="extend", default=[],
        help="categories (COCO) or labels (labelme) that mean corrosion, if there are several",
    )  # fmt: skip
    part.add_argument(
        "--consent", choices=CONSENT, default="",
        help="consent of the photo owners; default: as recorded in the data",
    )  # fmt: skip
    part.add_argument(
        "--licence", metavar="TEXT", default="",
        help="licence of the photos; default: as recorded in the data",
    )  # fmt: skip
    part.add_argument(
        "--strip-exif", action="store_true",
        help="remove place, time, owner and camera from the stored photos",
    )  # fmt: skip
    part.add_argument(
        "--predict", action="store_true",
        help="run the model on each photo first, so that each mask corrects a prediction",
    )  # fmt: skip
    add_model_option(part)
    add_config_options(part)


def _import(args: argparse.Namespace) -> int:
    from rustseg_jax.labels import import_labels
    from rustseg_jax.labels.exchange.imports import find_format

    args.format = args.format or find_format(args.data)  # before a folder is made
    model = load_classifier(args.model) if args.predict else None
    store = store_of(args, create=True)
    with progress("photo") as tell:
        done = import_labels(
            store, args.data, args.expert, format=args.format, categories=args.category,
            consent=args.consent, licence=args.licence,
            exif="stripped" if args.strip_exif else "kept", model=model,
            config=config_of(args) if args.predict else None, progress=tell,
        )  # fmt: skip
    for name, why in done.failed.items():
        say(f"skipped {name}: {why}")
    rows = [["new", str(done.added)], ["already stored", str(done.known)],
            ["predicted", str(done.predicted)], ["skipped", str(len(done.failed))]]  # fmt: skip
    show(args, {"labels": str(store.folder), **vars(done)}, rows)
    return SOME_FAILED if done.failed else DONE


# export


def _export_options(part: Options) -> None:
    part.add_argument("--out", metavar="DIR", type=Path, required=True, help="new or empty folder")
    part.add_argument(
        "--format", choices=EXPORT_FORMATS, default="folder", help="output format; default: folder"
    )
    part.add_argument(
        "--approved", action="store_true",
        help="export only corrections approved by a reviewer",
    )  # fmt: skip
    part.add_argument(
        "--consensus", action="store_true",
        help="export the latest consensus of each photo instead of the latest correction",
    )  # fmt: skip
    part.add_argument(
        "--expert", metavar="NAME", default="", help="export only corrections by this expert"
    )


def _export(args: argparse.Namespace) -> int:
    from rustseg_jax.labels import export_labels

    store = store_of(args)
    with progress("photo") as tell:
        done = export_labels(
            store, args.out, format=args.format, approved=args.approved, who=args.expert,
            take="consensus" if args.consensus else "latest", progress=tell,
        )  # fmt: skip
    if done.left_out:
        say(f'photos skipped: {done.left_out} (a data folder cannot store "can\'t tell")')
    rows = [["written", str(done.photos)], ["nothing to write", str(done.without)],
            ["skipped", str(done.left_out)]]  # fmt: skip
    show(args, {**vars(done), "folder": str(done.folder)}, rows)
    return DONE


# stats


def _no_options(part: Options) -> None:
    del part


def _stats(args: argparse.Namespace) -> int:
    from rustseg_jax.labels import count_labels

    counts = count_labels(store_of(args))
    if args.json:
        print_json(counts)
        return DONE
    photos, corrections = counts["photos"], counts["corrections"]
    rows = [[f"photos {n}", str(photos[n])] for n in ("all", "corrected", "waiting", "erased")]
    rows += [["megabytes", f"{photos['bytes'] / 1e6:.1f}"]]
    rows += [["corrections", str(corrections["all"])]]
    for group in ("status", "verdict", "kind"):
        rows += [[f"  {name}", str(n)] for name, n in corrections[group].items()]
    rows += [[f"reason: {n}", str(k)] for n, k in counts["reasons"].items() if k]
    print(table(["what", "n"], rows))
    if counts["experts"]:
        head = ["expert", "corrections", "photos", "median s", "last"]
        print()
        print(table(head, [_expert(row) for row in counts["experts"]]))
    return DONE


def _expert(row: dict[str, Any]) -> list[str]:
    seconds = row["median_seconds"]
    time = "-" if seconds is None else f"{seconds:.0f}"
    return [row["who"], str(row["corrections"]), str(row["photos"]), time, row["last"][:10]]


# verify


def _verify_options(part: Options) -> None:
    part.add_argument(
        "--quick", action="store_true", help="check only the size of photo files, not their bytes"
    )


def _verify(args: argparse.Namespace) -> int:
    from rustseg_jax.labels import DamagedError, Problem, Verification, verify_labels

    try:
        store = store_of(args)
        with progress("photo") as tell:
            verification = verify_labels(store, quick=args.quick, progress=tell)
    except DamagedError as error:  # too damaged to be opened
        verification = Verification({}, (Problem("database", "labels.sqlite", str(error)),))
    for problem in verification.problems:
        say(f"{problem.kind}: {problem.what} {problem.message}")
    if args.json:
        problems = [vars(p) for p in verification.problems]
        print_json(
            {"good": verification.good, "problems": problems,
             "orphans": verification.orphans, "counts": verification.counts}
        )  # fmt: skip
    else:
        rows = [*verification.counts.items(), ("problems", len(verification.problems))]
        print(table(["what", "n"], [[n, str(k)] for n, k in rows]))
        for orphan in verification.orphans:
            print(f"not in the database: {orphan}")
    return DONE if verification.good else SOME_FAILED


# backup, merge, erase


def _backup_options(part: Options) -> None:
    part.add_argument("--out", metavar="DIR", type=Path, required=True, help="new or empty folder")
    part.add_argument(
        "--copy", action="store_true",
        help="copy photos and check their bytes, even where hard links are possible",
    )  # fmt: skip


def _backup(args: argparse.Namespace) -> int:
    from rustseg_jax.labels import back_up

    store = store_of(args)
    with progress("photo") as tell:
        done = back_up(store, args.out, copy=args.copy, progress=tell)
    rows = [["photos", str(done.photos)], ["stored as hard links", str(done.linked)]]
    show(args, {**vars(done), "folder": str(done.folder)}, rows)
    return DONE


def _merge_options(part: Options) -> None:
    part.add_argument(
        "--data", metavar="DIR", type=Path, nargs="+", required=True,
        help="labels folders of other sites; they are not changed",
    )  # fmt: skip


def _merge(args: argparse.Namespace) -> int:
    from rustseg_jax.labels import merge_labels

    store = store_of(args, create=True)
    merged, status = {}, DONE
    for other in args.data:
        with progress("photo") as tell:
            done = merge_labels(store, other, progress=tell)
        for photo, why in done.failed.items():
            say(f"skipped photo {photo} of {other}: {why}")
        for row in done.conflicts:
            say(f"kept {row} unchanged, although it differs in {other}")
        merged[str(other)] = vars(done)
        status = SOME_FAILED if done.failed or done.conflicts else status
    rows = [
        [f"{other}: {name}", str(n)] for other, done in merged.items()
        for name, n in done["added"].items()
    ]  # fmt: skip
    show(args, {"labels": str(store.folder), "merged": merged}, rows)
    return status


def _erase_options(part: Options) -> None:
    part.add_argument("photo", metavar="PHOTO", help="the photo's file or its SHA-256")
    part.add_argument(
        "--who", metavar="NAME", required=True, help="name of the person erasing the photo"
    )
    part.add_argument(
        "--reason", metavar="TEXT", required=True, help="reason; stays in the database"
    )


def _erase(args: argparse.Namespace) -> int:
    from rustseg_jax.images import sha256

    place = Path(args.photo)
    digest = sha256(place.read_bytes()) if place.is_file() else args.photo
    gone = store_of(args).erase(digest, who=args.who, reason=args.reason)
    rows = [[f"{name} erased", str(n)] for name, n in gone.removed.items()]
    show(args, vars(gone), rows)
    say("earlier backups and exports still contain the photo; delete those too")
    return DONE


PARTS: dict[str, tuple[Callable[[Options], None], Callable[[argparse.Namespace], int], str]] = {
    "import": (_import_options, _import, "import photos and masks made by an expert"),
    "export": (_export_options, _export, "export photos and masks for another tool"),
    "stats": (_no_options, _stats, "count photos, corrections and experts"),
    **labels_measure.PARTS,
    "verify": (_verify_options, _verify, "check that all stored data are complete and intact"),
    "backup": (_backup_options, _backup, "copy a labels folder, even while it is in use"),
    "merge": (_merge_options, _merge, "add the contents of other labels folders"),
    "erase": (_erase_options, _erase, "permanently delete a photo and all its labels"),
}
