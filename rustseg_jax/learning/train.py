"""Train the classifier from image labels: progress, checkpoints, exact resume.

The folder of a run has `recipe.json`, `log.jsonl` (one line per epoch), `checkpoints/` (orbax),
`best.safetensors` (best balanced accuracy on `val` at the last phase's scale, calibrated), `packs/`
(decoded pictures; may be deleted) and `seeds/` (the seeds of each phase). A run that was stopped
continues with `resume=True` and ends with the same weights as an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from rustseg_jax import metrics
from rustseg_jax.classify import Classifier, Network
from rustseg_jax.classify.weights import load_network, save_network
from rustseg_jax.config import DECISION_THRESHOLD
from rustseg_jax.errors import ConfigError, DataError
from rustseg_jax.learning.batches import BatchMaker
from rustseg_jax.learning.calibrate import calibrate, shift_head, shift_map
from rustseg_jax.learning.packs import pack
from rustseg_jax.learning.recipe import Phase, Recipe
from rustseg_jax.learning.seeds import make_seeds
from rustseg_jax.learning.step import (
    TrainState,
    begin_with,
    make_mesh,
    make_step,
    schedule,
    start,
    unpack,
)
from rustseg_jax.manifest import Record, half_of, load_manifest
from rustseg_jax.runtime import replacing

__all__ = ["Trained", "score", "train"]

EVALUATION_BATCH = 16  # pictures per pass when scoring: bounded memory at 448
PROGRESS_SECONDS = 10.0


@dataclass(frozen=True)
class Trained:
    """Result of a run.

    Attributes
    ----------
    finished : False if it was stopped before its last epoch
    weights : path of the best weights, or None if no epoch of the last phase ended
    report : `metrics.classification_report` of the best weights on `val`
    """

    finished: bool
    weights: Path | None
    report: dict[str, Any]


def train(
    data: Path | str,
    out: Path | str,
    recipe: Recipe,
    *,
    resume: bool = False,
    workers: int = 2,
    init: Path | str | None = None,
    halves: Sequence[str] = (),
    train_split: str = "train",
    val_split: str = "val",
) -> Trained:
    """Run a recipe on a data folder.

    Parameters
    ----------
    data : data folder (see `manifest`)
    out : folder of the run
    recipe : the training recipe
    resume : continue from the last checkpoint of `out`
    workers : number of processes that prepare batches
    init : initial weights instead of random ones; additional parameters of the recipe's network
        start at zero
    halves : splits of which half A (see `manifest.half_of`) is used for training, too: its image
        labels, never its masks
    train_split, val_split : names of the splits in the manifest

    Returns
    -------
    `Trained`. Ctrl-C or SIGTERM ends the run after the current step, with a checkpoint.

    Raises
    ------
    DataError
        The data folder cannot be used.
    WeightsError
        `init` cannot be used.
    ConfigError
        `out` already has a run and `resume` is False, or a run of another recipe; or `init` has a
        different width.
    """
    records = load_manifest(data, splits=(train_split, val_split, *halves))
    learn = [r for r in records if r.split == train_split]
    learn += [r for r in records if r.split in halves and half_of(r.scene) == "A"]
    judge = [r for r in records if r.split == val_split]
    for name, part in ((train_split, learn), (val_split, judge)):
        if {r.label for r in part} != {0, 1}:
            raise DataError(f"split {name!r} of {data} must have pictures of both labels")
    run = _Run(Path(out), recipe, learn, judge, workers, resume)
    if init is not None and run.fresh:
        run.state = begin_with(run.state, load_network(init)[0])
    return run.go()


def score(
    classifier: Classifier, pictures: np.ndarray, *, batch: int = EVALUATION_BATCH
) -> np.ndarray:
    """Logits of the verdicts on packed pictures: (N, s, s, 3) uint8 -> (N, 2) float32."""
    out = np.empty((len(pictures), 2), np.float32)
    for first in range(0, len(pictures), batch):
        part = np.asarray(pictures[first : first + batch], np.float32) / 255.0
        # The last batch is padded, so that only one shape is compiled.
        full = np.concatenate([part, np.zeros((batch - len(part), *part.shape[1:]), np.float32)])
        out[first : first + batch] = np.asarray(classifier.verdict(full))[: len(part)]
    return out


class _Run:
    def __init__(
        self,
        out: Path,
        recipe: Recipe,
        learn: list[Record],
        judge: list[Record],
        workers: int,
        resume: bool,
    ) -> None:
        self.out, self.recipe, self.workers = out, recipe, workers
        self.learn, self.judge = learn, judge
        self.labels = np.array([r.label for r in learn])
        self.truth = np.array([r.label for r in judge])
        self._claim(resume)
        self.mesh = make_mesh(recipe.batch)
        self.graph, self.state = start(recipe)
        self.step = make_step(self.graph, recipe, self.mesh)
        self.rate = schedule(recipe)
        self.manager = ocp.CheckpointManager(
            (out / "checkpoints").resolve(), options=ocp.CheckpointManagerOptions(max_to_keep=2)
        )
        self.stopping = False

    @property
    def fresh(self) -> bool:
        """Whether training has not started yet."""
        return self.manager.latest_step() is None

    def _claim(self, resume: bool) -> None:
        """Claim the run's folder, or refuse one with other content."""
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / "recipe.json"
        wanted = json.loads(json.dumps(self.recipe.as_dict()))
        if path.is_file():
            if not resume:
                raise ConfigError(
                    f"{self.out} already has a run; continue it (resume) or choose another folder"
                )
            if json.loads(path.read_text()) != wanted:
                raise ConfigError(
                    f"{path} is from a different recipe; choose another folder for this run"
                )
        self._claim_pictures()
        path.write_text(json.dumps(wanted, indent=1) + "\n")

    def _claim_pictures(self) -> None:
        """Refuse to continue with other pictures: batches and seeds refer to them by position."""
        named = [[r.image.name, r.label] for r in (*self.learn, *self.judge)]
        digest = hashlib.sha256(json.dumps(named).encode()).hexdigest()
        path = self.out / "pictures.txt"
        if path.is_file() and path.read_text().strip() != digest:
            raise ConfigError(
                f"{self.out} was started with other pictures; use the original data folder "
                "and splits (halves; --half-of on the command line)"
            )
        path.write_text(digest + "\n")

    def go(self) -> Trained:
        steps, per_epoch = self.recipe.steps, self.recipe.steps_per_epoch
        done = self._restore()
        with _stop_on_signals(self), BatchMaker(self.workers) as maker:
            while done < steps and not self.stopping:
                epoch = done // per_epoch
                done = self._epoch(maker, epoch, range(done, (epoch + 1) * per_epoch))
        self.manager.wait_until_finished()
        best = self.out / "best.json"
        report = json.loads(best.read_text()) if best.is_file() else {}
        weights = self.out / "best.safetensors" if report else None
        return Trained(done >= steps, weights, report)

    def _restore(self) -> int:
        last = self.manager.latest_step()
        if last is None:
            return 0
        like = jax.tree.map(ocp.utils.to_shape_dtype_struct, self.state)
        kept = self.manager.restore(last, args=ocp.args.StandardRestore(like))
        self.state = jax.tree.map(jnp.asarray, TrainState(*kept))
        self._forget_after(int(last) // self.recipe.steps_per_epoch)
        return int(last)

    def _forget_after(self, epoch: int) -> None:
        """Drop log lines of epochs that a killed run scored but did not save: they are repeated."""
        path = self.out / "log.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
        kept = [line for line in lines if json.loads(line)["epoch"] <= epoch]
        if len(kept) < len(lines):
            path.write_text("".join(kept))

    def _save(self, done: int) -> None:
        if self.manager.latest_step() != done:
            self.manager.save(done, args=ocp.args.StandardSave(self.state))

    def _epoch(self, maker: BatchMaker, epoch: int, steps: range) -> int:
        recipe, phase = self.recipe, self.recipe.phase_of(epoch)
        path = self._pack(self.learn, phase.packed)
        known_at = self._seeds(phase, path)
        began, said = time.monotonic(), 0.0
        done, seen = steps.start, [np.zeros(2)]
        batches = maker.batches(
            path,
            known_at,
            self.labels,
            steps,
            batch=recipe.batch,
            crop=phase.crop,
            share=phase.share,
            seed=recipe.seed,
            config=recipe.augment,
        )
        for step, pictures, labels, known in batches:
            done = step + 1
            self.state, numbers = self.step(self.state, pictures, labels, known)
            seen.append(np.array([float(numbers["loss"]), float(numbers["accuracy"])]))
            if time.monotonic() - said > PROGRESS_SECONDS:
                said = time.monotonic()
                # The rest of this epoch at its pace so far, and an estimate for the later ones.
                whole = (said - began) * len(steps) / (done - steps.start)
                left = began + whole - said + self._left(epoch, phase, whole)
                _say(
                    f"epoch {epoch + 1}/{recipe.epochs} step {done}/{recipe.steps} "
                    f"loss {seen[-1][0]:.3f} accuracy {seen[-1][1]:.3f}, "
                    f"about {left / 60:.0f} min left\n"
                )
            if self.stopping:
                break
        batches.close()
        if not self.stopping or done == steps.stop:
            self._end_epoch(epoch, np.mean(seen[1:], axis=0), time.monotonic() - began)
        self._save(done)
        return done

    def _pack(self, records: Sequence[Record], side: int) -> Path:
        progress = _pack_progress(side)
        folder = self.out / "packs"
        array = pack(records, side, folder, workers=self.workers, progress=progress)
        return Path(str(array.filename))  # type: ignore[attr-defined]

    def _seeds(self, phase: Phase, pictures: Path) -> Path:
        """File of the seeds of a phase; those from the network are made once, at its start."""
        number = next(n for n, p in enumerate(self.recipe.phases) if p is phase)
        path = self.out / "seeds" / f"phase-{number}.npy"
        if not path.is_file():
            model = Classifier.of(self._network())
            packed = np.load(pictures, mmap_mode="r")
            seeds = make_seeds(phase.seeds, packed, self.labels, model, progress=_say)
            with replacing(path) as partial, partial.open("wb") as file:
                np.save(file, seeds)
        return path

    def _network(self) -> Network:
        network = unpack(self.graph, self.state.ema_params, self.state.ema_stats)
        network.eval()
        return network

    def _end_epoch(self, epoch: int, means: np.ndarray, seconds: float) -> None:
        """Log a line, with the scores of the averaged weights on `val` if they are due."""
        recipe, phase = self.recipe, self.recipe.phase_of(epoch)
        line = {
            "epoch": epoch + 1,
            "epochs": recipe.epochs,
            "crop": phase.crop,
            "loss": round(float(means[0]), 4),
            "train_accuracy": round(float(means[1]), 4),
            "rate": round(float(self.rate((epoch + 1) * recipe.steps_per_epoch)), 5),
            "seconds": round(seconds, 1),
            "seconds_left": round(self._left(epoch, phase, seconds)),
        }
        if recipe.judged(epoch):
            line |= self._judge(epoch, phase)
        with (self.out / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        _say(json.dumps(line) + "\n")

    def _judge(self, epoch: int, phase: Phase) -> dict[str, Any]:
        """Score the averaged weights on `val`; save them, and the best of the last phase."""
        began = time.monotonic()
        network = self._network()
        pictures = np.load(self._pack(self.judge, phase.evaluate), mmap_mode="r")
        logits = score(Classifier.of(network), pictures)
        temperature, shift = calibrate(logits, self.truth)
        shift_head(network, shift)
        if self.recipe.map_shift:
            shift_map(network, self.recipe.map_shift)
        moved = logits + np.array([-shift, shift], np.float32) / 2
        p = Classifier.of(network, temperature=temperature).probability(moved)
        report = _numbers(metrics.classification_report(p, self.truth, DECISION_THRESHOLD))
        val = {k: round(v, 4) for k, v in report.items()}
        about = {
            "recipe": self.recipe.as_dict(),
            "epoch": epoch + 1,
            "val": val,
            "map_shift": self.recipe.map_shift,
        }
        save_network(
            self.out / "last.safetensors", network, temperature=temperature, metadata=about
        )
        if phase is self.recipe.phases[-1] and report["balanced_accuracy"] > self._best():
            save_network(
                self.out / "best.safetensors", network, temperature=temperature, metadata=about
            )
            (self.out / "best.json").write_text(json.dumps(report))
        return {
            "val": val,
            "temperature": round(temperature, 3),
            "shift": round(shift, 3),
            "evaluation_seconds": round(time.monotonic() - began, 1),
        }

    def _best(self) -> float:
        path = self.out / "best.json"
        return json.loads(path.read_text())["balanced_accuracy"] if path.is_file() else -1.0

    def _left(self, epoch: int, phase: Phase, seconds: float) -> float:
        """Estimate the seconds left from pixels: an epoch's cost grows with the crop's area."""
        later = [self.recipe.phase_of(e).crop ** 2 for e in range(epoch + 1, self.recipe.epochs)]
        return seconds * sum(later) / phase.crop**2


def _numbers(report: Mapping[str, int | float | None]) -> dict[str, float]:
    """The report without undefined values: both classes are present, so there are none."""
    return {k: float(v) for k, v in report.items() if v is not None}


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _pack_progress(side: int) -> Any:
    def progress(done: int, total: int) -> None:
        if done % 500 == 0 or done == total:
            _say(f"packing at {side} pixels: {done}/{total}\n")

    return progress


@contextmanager
def _stop_on_signals(run: _Run) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the run after the current step."""

    def stop(*_: object) -> None:
        run.stopping = True
        _say("stopping after this step; the run can be resumed\n")

    try:
        before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: nobody can interrupt there either
        yield
        return
    try:
        yield
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)
