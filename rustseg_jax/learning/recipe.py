"""Training recipes as data: phases, optimiser, regularisation, presets."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from rustseg_jax.config import STRIDE, NetworkConfig
from rustseg_jax.errors import ConfigError
from rustseg_jax.learning.augment import AugmentConfig
from rustseg_jax.learning.seeds import SEEDS

__all__ = ["PRESETS", "Phase", "Recipe"]

OPTIMISERS = ("muon", "sgd")


@dataclass(frozen=True)
class Phase:
    """Epochs with the same scale and the same seeds.

    Attributes
    ----------
    epochs : number of epochs
    packed : side of the squares to which pictures are resized, pixels
    crop : side of the training crops cut from them, a multiple of 16
    share : smallest and largest side of a crop as a share of the square, before it is scaled to
        `crop`; in the last phase crop / (share * packed) should be about 1, the scale at which
        photos are classified
    evaluate : side at which `val` is scored, see `Recipe.judged`
    seeds : seeds inside corroded pictures: "none", "colour" or "own", the network's own score maps
        at the start of the phase (see `seeds`)
    peak_rate : start a new cycle in which the learning rate rises to this and falls until the next
        phase with a peak rate (a warm restart: Loshchilov and Hutter, "SGDR", ICLR 2017); None
        continues the current cycle. The first phase uses the recipe's peak rate
    """

    epochs: int
    packed: int
    crop: int
    share: tuple[float, float]
    evaluate: int
    seeds: str = "none"
    peak_rate: float | None = None

    def __post_init__(self) -> None:
        if self.crop % 16 or self.evaluate % 16 or min(self.crop, self.evaluate) < 16:
            raise ConfigError(
                f"crop is {self.crop}, evaluate {self.evaluate}; both must be multiples of 16"
            )
        if self.packed < 16:
            raise ConfigError(f"packed is {self.packed}; it must be 16 or more")
        if not 0 < self.share[0] <= self.share[1] <= 1:
            raise ConfigError(f"share is {self.share}; it must be 0 < smallest <= largest <= 1")
        if self.seeds not in SEEDS:
            raise ConfigError(f"seeds is {self.seeds!r}; it must be one of {', '.join(SEEDS)}")
        if self.seeds != "none" and self.packed % STRIDE:
            raise ConfigError(
                f"packed is {self.packed}; with seeds it must be a multiple of {STRIDE}"
            )
        if self.epochs < 1:
            raise ConfigError(f"epochs is {self.epochs}; it must be 1 or more")
        if self.peak_rate is not None and self.peak_rate <= 0:
            raise ConfigError(f"peak_rate is {self.peak_rate}; it must be above 0, or None")


@dataclass(frozen=True)
class Recipe:
    """Everything that determines the trained weights, besides the pictures.

    Origins: one-cycle rate as in fast CIFAR training (Page, "How to train your ResNet", 2018); Muon
    for the convolutions (Jordan et al. 2024; rate, momentum and decay from docs/decisions/0013), or
    SGD (Page 2018: rate 0.1 x batch / 64 in our scale, decay 5e-4, Nesterov momentum 0.9); label
    smoothing (Szegedy et al. 2016). A photo is classified at 224, 320 and 448 pixels
    (docs/decisions/0011).
    """

    network: NetworkConfig = field(
        default_factory=lambda: NetworkConfig(
            width=24, pooling="context", sharpness=2.0, verdict_scales=(0.5, 0.7, 1.0)
        )
    )
    phases: tuple[Phase, ...] = (
        Phase(12, packed=256, crop=96, share=(0.4, 1.0), evaluate=224, seeds="colour"),
        Phase(14, packed=256, crop=96, share=(0.4, 1.0), evaluate=224, seeds="own"),
        Phase(14, packed=448, crop=160, share=(0.2, 0.7), evaluate=448, seeds="own"),
        Phase(
            12, packed=448, crop=160, share=(0.2, 0.7), evaluate=448, seeds="own", peak_rate=0.01
        ),
    )
    optimiser: str = "muon"  # or "sgd"
    batch: int = 64
    per_epoch: int = 8192  # pictures per epoch, half of each class
    peak_rate: float = 0.03
    warmup: float = 0.2  # share of a cycle's steps before its peak
    momentum: float = 0.95
    weight_decay: float = 0.05
    label_smoothing: float = 0.06
    seed_share: float = 1.0  # weight of the seed loss relative to the label loss
    seed_smoothing: float = 0.04  # seeds are wrong more often than labels
    rust_weight: float = 2.0  # weight of a rust seed: there are five times as many clean ones
    blind: float = 0.35  # weight of a crop from a corroded picture that has no rust seeds
    ema: float = 0.995  # averages about the last 200 steps
    judge_every: int = 4  # epochs: scoring `val` takes up to a quarter of an epoch's time
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch < 2 or self.batch % 2:
            raise ConfigError(f"batch is {self.batch}; it must be an even number from 2")
        if self.per_epoch < self.batch:
            raise ConfigError(
                f"per_epoch is {self.per_epoch}; it must be at least batch ({self.batch})"
            )
        if self.judge_every < 1:
            raise ConfigError(f"judge_every is {self.judge_every}; it must be 1 or more")
        if not self.phases:
            raise ConfigError("phases is empty; it must have at least one")
        if self.phases[0].peak_rate is not None:
            raise ConfigError(
                f"peak_rate of the first phase is {self.phases[0].peak_rate}; it must be None: "
                "use the recipe's peak_rate"
            )
        if self.rust_weight <= 0:
            raise ConfigError(f"rust_weight is {self.rust_weight}; it must be above 0")
        if self.optimiser not in OPTIMISERS:
            raise ConfigError(
                f"optimiser is {self.optimiser!r}; it must be one of {', '.join(OPTIMISERS)}"
            )

    @property
    def epochs(self) -> int:
        """Number of epochs in all phases."""
        return sum(p.epochs for p in self.phases)

    @property
    def steps_per_epoch(self) -> int:
        """Number of complete batches in an epoch."""
        return self.per_epoch // self.batch

    @property
    def steps(self) -> int:
        """Number of optimiser steps in the whole run."""
        return self.epochs * self.steps_per_epoch

    @property
    def cycles(self) -> tuple[tuple[int, float], ...]:
        """Steps and peak of each cycle of the learning rate, see `Phase.peak_rate`."""
        points = [(0, self.peak_rate)]
        for phase in self.phases:
            if phase.peak_rate is not None:
                points.append((0, phase.peak_rate))
            steps, peak = points[-1]
            points[-1] = (steps + phase.epochs * self.steps_per_epoch, peak)
        return tuple(points)

    @property
    def map_shift(self) -> float:
        """Correction added to the log odds of the score map after training.

        A rust seed counts `rust_weight` times, which raised the log odds by its logarithm. A head
        whose map cannot be shifted without its verdict is not corrected.
        """
        learnt = self.seed_share > 0 and any(p.seeds != "none" for p in self.phases)
        return -math.log(self.rust_weight) if learnt and self.network.pooling == "context" else 0.0

    def phase_of(self, epoch: int) -> Phase:
        """Return the phase to which an epoch (from 0) belongs."""
        for phase in self.phases:
            if epoch < phase.epochs:
                return phase
            epoch -= phase.epochs
        raise ConfigError(f"the recipe has {self.epochs} epochs")

    def judged(self, epoch: int) -> bool:
        """Whether `val` is scored after an epoch (from 0): at intervals, and as a phase ends."""
        ends = epoch + 1 == self.epochs or self.phase_of(epoch) is not self.phase_of(epoch + 1)
        return ends or (epoch + 1) % self.judge_every == 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


# cpu: two cores, about two hours; produced the shipped weights. Expected on our collection, with
# half A of the seg-* splits: accuracy 0.934, F1 0.844 and AUC 0.957 on `val`, pooled IoU of the
# masks 0.457 and 0.301 on half A (docs/decisions/0022). labels: no seeds, the first recipe; it
# produced the weights of version 0.1. gpu: like cpu, wider and longer. smoke: seconds, a quick
# test.
PRESETS: dict[str, Recipe] = {
    "cpu": Recipe(),
    "labels": Recipe(
        network=NetworkConfig(),
        phases=(
            Phase(epochs=40, packed=128, crop=96, share=(0.6, 1.0), evaluate=128),
            Phase(epochs=12, packed=256, crop=160, share=(0.45, 0.9), evaluate=256),
            Phase(epochs=8, packed=448, crop=224, share=(0.4, 0.7), evaluate=448),
        ),
        optimiser="sgd",
        per_epoch=4096,
        peak_rate=0.1,
        momentum=0.9,
        weight_decay=5e-4,
        label_smoothing=0.1,
        seed_share=0.0,
        augment=AugmentConfig(
            tone=0.45,
            jitter=0.35,
            saturation=0.6,
            blur=0.2,
            jpeg=0.3,
            cut=0.2,
            paste_rust=0.0,
            paste_clean=0.0,
        ),
    ),
    "gpu": Recipe(
        network=NetworkConfig(
            width=32, pooling="context", sharpness=2.0, verdict_scales=(0.5, 0.7, 1.0)
        ),
        phases=(
            Phase(40, packed=256, crop=128, share=(0.4, 1.0), evaluate=224, seeds="colour"),
            Phase(30, packed=256, crop=128, share=(0.4, 1.0), evaluate=224, seeds="own"),
            Phase(30, packed=448, crop=224, share=(0.3, 1.0), evaluate=448, seeds="own"),
        ),
        batch=128,
        peak_rate=0.04,
    ),
    "smoke": Recipe(
        network=NetworkConfig(width=4, pooling="context", sharpness=2.0),
        phases=(
            Phase(1, packed=48, crop=32, share=(0.7, 1.0), evaluate=48, seeds="colour"),
            Phase(1, packed=48, crop=32, share=(0.7, 1.0), evaluate=48, seeds="own"),
        ),
        batch=8,
        per_epoch=32,
    ),
}


def preset(name: str) -> Recipe:
    """Return a named recipe; a `ConfigError` lists the existing names."""
    if name not in PRESETS:
        raise ConfigError(f"preset is {name!r}; it must be one of {', '.join(PRESETS)}")
    return replace(PRESETS[name])
