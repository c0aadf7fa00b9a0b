"""Recipes: counts by hand, every preset, wrong values refused by name."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rustseg_jax.config import NetworkConfig
from rustseg_jax.errors import ConfigError
from rustseg_jax.learning.recipe import PRESETS, Phase, Recipe, preset

PHASE = Phase(epochs=2, packed=48, crop=32, share=(0.5, 1.0), evaluate=48)


def test_steps_by_hand() -> None:
    recipe = Recipe(phases=(PHASE, replace(PHASE, epochs=3, crop=48)), batch=8, per_epoch=30)
    assert recipe.epochs == 5
    assert recipe.steps_per_epoch == 3
    assert recipe.steps == 15
    assert [recipe.phase_of(e).crop for e in range(5)] == [32, 32, 48, 48, 48]
    with pytest.raises(ConfigError, match="5 epochs"):
        recipe.phase_of(5)


def test_cycles_of_the_rate_by_hand() -> None:
    more = replace(PHASE, epochs=3)
    phases = (PHASE, more, replace(PHASE, peak_rate=0.5), replace(more, peak_rate=0.1), more)
    recipe = Recipe(phases=phases, batch=8, per_epoch=30, peak_rate=0.2)
    assert recipe.cycles == ((15, 0.2), (6, 0.5), (18, 0.1))
    assert sum(steps for steps, _ in recipe.cycles) == recipe.steps


def test_the_map_is_moved_by_what_the_weight_of_rust_added() -> None:
    seeded = replace(PHASE, seeds="colour")
    head = NetworkConfig(width=2, pooling="context")
    recipe = Recipe(network=head, phases=(seeded,), rust_weight=2.0)
    assert recipe.map_shift == pytest.approx(-0.6931, abs=1e-4)
    for change in ({"phases": (PHASE,)}, {"seed_share": 0.0}, {"network": NetworkConfig(width=2)}):
        assert replace(recipe, **change).map_shift == 0  # type: ignore[arg-type]


def test_val_is_judged_every_few_epochs_and_when_a_phase_ends() -> None:
    recipe = Recipe(phases=(replace(PHASE, epochs=3), replace(PHASE, epochs=6)), judge_every=4)
    assert [e for e in range(9) if recipe.judged(e)] == [2, 3, 7, 8]
    assert all(replace(recipe, judge_every=1).judged(e) for e in range(9))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"crop": 33}, "crop is 33"),
        ({"evaluate": 50}, "evaluate 50"),
        ({"crop": 0}, "crop is 0"),
        ({"packed": 0}, "packed is 0"),
        ({"share": (0.0, 1.0)}, "share is"),
        ({"share": (0.8, 0.5)}, "share is"),
        ({"share": (0.5, 1.5)}, "share is"),
        ({"epochs": 0}, "epochs is 0"),
        ({"seeds": "masks"}, "seeds is 'masks'"),
        ({"seeds": "own", "packed": 50}, "packed is 50"),
        ({"peak_rate": 0.0}, "peak_rate is 0.0"),
    ],
)
def test_wrong_phases_are_refused_by_name(change: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(PHASE, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch": 7}, "batch is 7"),
        ({"batch": 0}, "batch is 0"),
        ({"per_epoch": 10}, "per_epoch is 10"),
        ({"judge_every": 0}, "judge_every is 0"),
        ({"rust_weight": 0.0}, "rust_weight is 0.0"),
        ({"phases": ()}, "phases is empty"),
        ({"phases": (replace(PHASE, peak_rate=0.1),)}, "peak_rate of the first phase is 0.1"),
        ({"optimiser": "adam"}, "optimiser is 'adam'; it must be one of muon, sgd"),
    ],
)
def test_wrong_recipes_are_refused_by_name(change: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Recipe(**change)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_end_at_the_scale_of_a_photo(name: str) -> None:
    recipe = preset(name)
    assert recipe == PRESETS[name]
    json.dumps(recipe.as_dict())
    last = recipe.phases[-1]
    if name != "smoke":
        assert last.evaluate == last.packed == recipe.network.input_size
        low, high = (last.crop / (share * last.packed) for share in reversed(last.share))
        assert low <= 1 <= high  # crops are cut at the scale at which photos are judged


def test_unknown_presets_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"'tpu'.*cpu, labels, gpu, smoke"):
        preset("tpu")
