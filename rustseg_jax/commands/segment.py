"""`segment`: find rust in photos and write a mask, an overlay and a JSON file for each."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from rustseg_jax.commands.common import (
    DONE,
    INTERRUPTED,
    SOME_FAILED,
    add_config_options,
    add_model_option,
    config_of,
    load_classifier,
    print_json,
    say,
    table,
)
from rustseg_jax.errors import ImageError
from rustseg_jax.report.outcomes import (
    FACTS,
    MASK,
    OVERLAY,
    SUMMARY,
    Outcome,
    attempt,
    facts_file,
    summary_csv,
)
from rustseg_jax.wording import percent

if TYPE_CHECKING:
    from rustseg_jax.classify import Classifier
    from rustseg_jax.commands.results import Job, Place
    from rustseg_jax.config import Config

__all__ = ["add", "run"]

Row = dict[str, Any]


def add(commands: Any) -> None:
    """Describe the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "segment",
        help="find rust in photos",
        description="Find rust in photos. Writes NAME.mask.png, NAME.overlay.png and NAME.json "
        "for each photo and summary.csv for all. Photos that cannot be read are reported and "
        "skipped. To resume an interrupted run, repeat the command.",
    )
    parser.add_argument(
        "photos",
        metavar="PHOTO_OR_FOLDER",
        nargs="+",
        help="photos, folders (including subfolders) and globs",
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="output folder")
    parser.add_argument("--overwrite", action="store_true", help="segment finished photos again")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead of the table"
    )
    add_model_option(parser)
    add_config_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Segment all photos; return 1 if some failed, 130 after Ctrl-C."""
    from rustseg_jax.commands.results import find_jobs, write_whole

    jobs, wrong = find_jobs(args.photos)
    outcomes = [Outcome.failure(path, str(error)) for path, error in wrong]
    for outcome in outcomes:
        say(outcome.error)
    interrupted = False
    try:
        worker = _Worker(args.out, load_classifier(args.model), config_of(args), args.overwrite)
        # Written before the work too, so that an unwritable folder is reported immediately.
        write_whole(args.out / SUMMARY, summary_csv(outcomes))
        for job in tqdm(jobs, unit="photo"):
            outcomes.append(worker.do(job))
    except KeyboardInterrupt:
        interrupted = True
    write_whole(args.out / SUMMARY, summary_csv(outcomes))
    _show([outcome.row() for outcome in outcomes], args.out, as_json=args.json)
    if interrupted:
        ready = sum(not outcome.failed for outcome in outcomes)
        say(f"interrupted; {ready} of {len(jobs)} photos are finished in {args.out}")
        say("repeat the command without --overwrite to resume")
        return INTERRUPTED
    return SOME_FAILED if any(outcome.failed for outcome in outcomes) else DONE


class _Worker:
    """Segments one photo after the other."""

    def __init__(self, out: Path, model: Classifier, config: Config, overwrite: bool) -> None:
        self.out, self.model, self.config, self.overwrite = out, model, config, overwrite

    def do(self, job: Job) -> Outcome:
        """Segment a photo unless it is finished; an error becomes its outcome."""
        outcome = attempt(str(job.photo), lambda: self._do(job))
        if outcome.failed:
            say(outcome.error)
        return outcome

    def _do(self, job: Job) -> Outcome:
        from rustseg_jax import images
        from rustseg_jax.commands.results import Place, read_finished
        from rustseg_jax.commands.results import write_whole as write
        from rustseg_jax.drawing.encode import png
        from rustseg_jax.drawing.overlay import mask_overlay
        from rustseg_jax.pipeline import segment
        from rustseg_jax.report.report import to_json
        from rustseg_jax.tiling.plan import plan_tiles

        data = _bytes(job.photo)
        digest = images.sha256(data)
        place = Place.of(job, self.out, digest)
        about, config = self.model.describe(), asdict(self.config)
        finished = None if self.overwrite else read_finished(place, digest, about, config)
        if finished:
            return self._outcome(job, place, "skipped", finished)
        photo = images.read(data, name=str(job.photo))
        shape, side = (photo.shape[0], photo.shape[1]), self.model.config.input_size
        if cost := plan_tiles(shape, self.config.tiles, input_size=side):
            say(f"{job.photo}, {shape[1]} x {shape[0]} pixels: analysing {cost.describe()}")
        place.file(FACTS).unlink(missing_ok=True)  # from here on the photo is not finished
        seg = segment(photo, self.model, self.config)
        write(place.file(MASK), png(seg.mask))
        write(place.file(OVERLAY), png(mask_overlay(seg.image, seg.mask)))
        facts = to_json(seg)
        write(place.file(FACTS), facts_file(place.photo_facts(job.photo, digest), facts))
        return self._outcome(job, place, "done", facts)

    def _outcome(self, job: Job, place: Place, status: str, facts: Row) -> Outcome:
        files = place.base.relative_to(self.out).as_posix()
        return Outcome(str(job.photo), status, files, facts)


def _bytes(photo: Path) -> bytes:
    """Read a file, at most one byte more than allowed, which `images.read` then rejects."""
    from rustseg_jax.images import Limits

    try:
        with photo.open("rb") as file:
            return file.read(Limits().max_bytes + 1)
    except OSError as error:
        raise ImageError(f"{photo} cannot be opened: {error.strerror or error}") from error


def _show(rows: list[Row], out: Path, *, as_json: bool) -> None:
    counts = {s: sum(r["status"] == s for r in rows) for s in ("done", "skipped", "failed")}
    if as_json:
        print_json({"out": str(out), **counts, "photos": rows})
        return
    cells: list[Callable[[Row], str]] = [
        lambda r: r["photo"],
        lambda r: r["status"],
        lambda r: "-" if r["corroded"] is None else "corrosion" if r["corroded"] else "clean",
        lambda r: "-" if r["probability"] is None else f"{r['probability']:.3f}",
        lambda r: "-" if r["area"] is None else percent(r["area"]),
    ]
    head = ("photo", "status", "verdict", "P(corrosion)", "rusted area")
    print(table(head, ([cell(row) for cell in cells] for row in rows)))
    print(f"{counts['done']} done, {counts['skipped']} skipped, {counts['failed']} failed: {out}")
