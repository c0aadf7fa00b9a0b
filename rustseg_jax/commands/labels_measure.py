"""Subcommands of `labels` that measure agreement between experts and with the predictions."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from rustseg_jax.commands.common import DONE, SOME_FAILED, print_json, say, table
from rustseg_jax.commands.labels_common import progress, show, store_of
from rustseg_jax.config import CONSENSUS
from rustseg_jax.wording import percent

__all__ = ["PARTS"]


Options = argparse.ArgumentParser


def _no_options(part: Options) -> None:
    del part


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


# agreement


def _agreement(args: argparse.Namespace) -> int:
    from rustseg_jax.labels import agree_over_all

    with progress("photo") as tell:
        totals = agree_over_all(store_of(args), progress=tell)
    if args.json:
        print_json(totals)
        return DONE
    print(f"Photos corrected by two or more experts: {totals['photos']}")
    print(f"Fleiss' kappa: pixels {_number(totals['fleiss'])}, ", end="")
    print(f"verdicts {_number(totals['verdict_fleiss'])}")
    if totals["pairs"]:
        head = ["experts", "masks", "mean IoU", "pooled IoU", "kappa", "verdicts", "verdict kappa"]
        print("\n" + table(head, [_pair(pair) for pair in totals["pairs"]]))
    if totals["selves"]:
        head = ["expert (repeats)", "repeats", "same verdict", "masks", "mean IoU", "kappa"]
        print("\n" + table(head, [_self(*item) for item in totals["selves"].items()]))
    return DONE


def _pair(pair: dict[str, Any]) -> list[str]:
    numbers = [_number(pair[name]) for name in ("mean_iou", "pooled_iou", "cohen")]
    verdicts = [str(pair["verdicts"]), _number(pair["verdict_cohen"])]
    return [" and ".join(pair["experts"]), str(pair["photos"]), *numbers, *verdicts]


def _self(who: str, repeated: dict[str, Any]) -> list[str]:
    same = percent(repeated["same_verdict"], digits=0)
    masks = [str(repeated["masks"]), _number(repeated["mean_iou"]), _number(repeated["cohen"])]
    return [who, str(repeated["repeats"]), same, *masks]


# consensus


def _consensus_options(part: Options) -> None:
    part.add_argument(
        "--who", metavar="NAME", required=True, help="name of the person creating the consensus"
    )
    part.add_argument(
        "--method", choices=CONSENSUS, default="majority",
        help="majority vote, or votes weighted by estimated reliability (staple); default: "
        "majority",
    )  # fmt: skip
    part.add_argument(
        "--photo", metavar="SHA256", nargs="+", action="extend", default=[],
        help="photos; default: all that two or more experts have corrected",
    )  # fmt: skip


def _consensus(args: argparse.Namespace) -> int:
    from rustseg_jax.errors import ConfigError, LabelsError
    from rustseg_jax.labels import make_consensus
    from rustseg_jax.labels.review.agreement_totals import shared_photos

    store = store_of(args)
    photos = args.photo or shared_photos(store)
    made, failed = {}, {}
    with progress("photo") as tell:
        for done, photo in enumerate(photos, 1):
            try:
                made[photo] = make_consensus(store, photo, who=args.who, method=args.method).id
            except (ConfigError, LabelsError) as error:
                failed[photo] = str(error)
            tell(done, len(photos))
    for photo, why in failed.items():
        say(f"skipped photo {photo}: {why}")
    rows = [["consensus masks", str(len(made))], ["skipped", str(len(failed))]]
    show(args, {"method": args.method, "made": made, "failed": failed}, rows)
    return SOME_FAILED if failed else DONE


# blame


def _blame(args: argparse.Namespace) -> int:
    from rustseg_jax.labels import blame_all

    with progress("correction") as tell:
        blamed = blame_all(store_of(args), progress=tell)
    if args.json:
        print_json(blamed)
        return DONE
    print(_blamed("all models", blamed["all"]))
    if len(blamed["models"]) > 1:
        for model, part in blamed["models"].items():
            print("\n" + _blamed(f"model {model[:12] or 'unknown'}", part))
    return DONE


def _blamed(title: str, part: dict[str, Any]) -> str:
    text = f"{title}: {part['n']} corrections with a mask and a prediction"
    if not part["n"]:
        return text
    scores = [[s, _number(part["iou"][s]), _number(part["pooled_iou"][s])] for s in part["iou"]]
    lost = [[s, _number(v), str(part["worst"][s])] for s, v in part["lost"].items()]
    lost += [["no loss", "-", str(part["worst"][""])]]
    return "\n".join(
        [
            text,
            table(["against the expert's mask", "mean IoU", "pooled IoU"], scores),
            table(["stage", "IoU lost", "largest loss"], lost),
        ]
    )


PARTS: dict[str, tuple[Callable[[Options], None], Callable[[argparse.Namespace], int], str]] = {
    "agreement": (_no_options, _agreement, "measure agreement between and within experts"),
    "consensus": (_consensus_options, _consensus, "combine the masks of several experts into one"),
    "blame": (_no_options, _blame, "show which stage of the method lost most IoU"),
}
