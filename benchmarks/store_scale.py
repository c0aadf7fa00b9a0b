"""Response times of the queue, the history and the Labels page with 100,000 photos.

    .venv/bin/python -m benchmarks.store_scale                 # a few minutes, mostly to fill
    .venv/bin/python -m benchmarks.store_scale --plans         # with SQLite's query plans

Fills a labels folder with generated rows (tiny masks; photo files are not written, as none of these
pages reads them) through the same triggers as every save, then runs the queries of the pages, each
on a new connection, as the pages do.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from rustseg_jax.images import sha256
from rustseg_jax.labels import (
    REASONS,
    VERDICTS,
    Filters,
    Store,
    count_corrections,
    count_queue,
    count_states,
    history,
    latest,
    list_corrections,
    next_cases,
    repeats,
)
from rustseg_jax.labels.queries.listing import page_query, values_of
from rustseg_jax.labels.queries.queue import queue_query
from rustseg_jax.labels.rle import encode
from rustseg_jax.labels.store.checks import record_id
from rustseg_jax.labels.store.rows import pack_heat

LIMIT_MS = 100
RUNS = 15
SHAPE = (16, 16)
MODELS = [sha256(b"model %d" % k) for k in range(4)]
EXPERTS = [f"expert {k}" for k in range(20)]
CORRECTED = 0.8  # of the photos; the others are waiting


def moment(k: int) -> str:
    """A time k seconds after a fixed start, as text in the store's format."""
    hours, seconds = divmod(k, 3600)
    days, hours = divmod(hours, 24)
    return f"2026-{1 + days // 28 % 12:02}-{1 + days % 28:02}T{hours:02}:{seconds // 60:02}:" + (
        f"{seconds % 60:02}.000000Z"
    )


def fill(store: Store, photos: int, corrections: int, chance: random.Random) -> None:
    """Rows in the store's format, in one transaction."""
    masks = [encode(np.random.default_rng(k).random(SHAPE) < 0.3) for k in range(50)]
    areas = [int((np.random.default_rng(k).random(SHAPE) < 0.3).sum()) for k in range(50)]
    heat = pack_heat(np.zeros((28, 28), np.float32))
    digests = [sha256(b"photo %d" % k) for k in range(photos)]
    shown = [record_id(f"prediction {k}") for k in range(photos)]
    with store.database.writing() as conn:
        conn.execute("PRAGMA cache_size = -500000")  # KB; rows are not in the order of any index
        conn.executemany(
            "INSERT INTO photos VALUES (?, ?, 1000, 16, 16, 'png', 'kept', 'unknown', '', ?, '', "
            "'', '', ?)",
            ((d, d, f"{k}.png", moment(k)) for k, d in enumerate(digests)),
        )
        conn.executemany(
            "INSERT INTO predictions (id, photo, model, config, probability, corroded, threshold, "
            "reason, app, made, heat_rows, heat_columns, heat, rough, mask) VALUES "
            "(?, ?, ?, '{}', ?, 1, 0.5, '', '0', ?, 28, 28, ?, ?, ?)",
            (
                (shown[k], d, MODELS[k % 4], chance.random(), moment(k), heat, masks[0], masks[1])
                for k, d in enumerate(digests)
            ),
        )
        conn.executemany(
            "INSERT INTO corrections (id, photo, prediction, kind, method, sources, nonce, "
            "payload, verdict, area, strokes, reasons, wrong_reason, note, seconds, who, "
            "verified, app, made, mask) VALUES (?, ?, ?, 'expert', '', '[]', ?, ?, ?, ?, '[]', "
            "?, 0, '', 20, ?, 0, '0', ?, ?)",
            (
                _correction(k, photos, digests, shown, masks, areas, chance)
                for k in range(corrections)
            ),
        )
        some = chance.sample(range(corrections), corrections // 3)
        conn.executemany(
            "INSERT INTO reviews SELECT ?, id, photo, ?, ?, '', 'reviewer', 0, '0', ? FROM "
            "corrections WHERE id = ?",
            (
                (record_id(f"review {k}"), f"review {k:09}",
                 chance.choices(("approve", "reject", "flag"), (90, 9, 1))[0], moment(k),
                 record_id(f"correction {k:09}"))
                for k in some
            ),
        )  # fmt: skip
        conn.executemany(
            "INSERT INTO withdrawals SELECT ?, id, photo, ?, '', who, 0, '0', ? FROM corrections "
            "WHERE id = ?",
            (
                (record_id(f"withdrawal {k}"), f"withdrawal {k:09}", moment(k),
                 record_id(f"correction {k:09}"))
                for k in some[: corrections // 100]
            ),
        )  # fmt: skip


def _correction(
    k: int,
    photos: int,
    digests: list[str],
    shown: list[str],
    masks: list[str],
    areas: list[int],
    chance: random.Random,
) -> tuple[Any, ...]:
    photo = chance.randrange(int(photos * CORRECTED))
    verdict = chance.choices(VERDICTS, (90, 0, 10))[0]
    reasons = json.dumps(chance.sample(REASONS[:-1], chance.randrange(3)))
    if k % 5000 == 0:
        reasons = '["other"]'  # a rare one
    nonce = f"correction {k:09}"
    return (
        record_id(nonce), digests[photo], shown[photo], nonce, sha256(nonce.encode()), verdict,
        areas[k % 50], reasons, chance.choice(EXPERTS), moment(k), masks[k % 50],
    )  # fmt: skip


def questions(store: Store) -> dict[str, Callable[[], Any]]:
    """The queries of the pages, by name."""
    middle = moment(150_000), ""
    with store.database.reading() as conn:
        busiest = conn.execute(
            "SELECT photo FROM standing GROUP BY photo ORDER BY count(*) DESC LIMIT 1"
        ).fetchone()[0]
    filters = {
        "who": Filters(who="expert 3"),
        "when": Filters(since=moment(1000), until=moment(2000)),
        "verdict": Filters(verdict="can't tell"),
        "a rare reason": Filters(reason="other"),
        "a common reason": Filters(reason="brick"),
        "model": Filters(model=MODELS[1]),
        "status": Filters(status="flagged"),
        "who, verdict and status": Filters(who="expert 3", verdict="can't tell", status="flagged"),
        "reason, who and status": Filters(reason="brick", who="expert 3", status="rejected"),
        "who and a model, nothing found": Filters(who="expert 3", model="0" * 64),
        "reason and verdict, nothing found": Filters(reason="brick", verdict="none"),
        "two common ones, nothing found": Filters(
            verdict="corrosion", status="open", kind="import"
        ),
    }
    asked: dict[str, Callable[[], Any]] = {
        "queue": lambda: next_cases(store),
        "queue of one expert": lambda: next_cases(store, who="expert 3"),
        "queue, second opinions": lambda: next_cases(store, who="expert 3", experts=30, limit=200),
        "queue, count": lambda: count_queue(store, experts=2),
        "shown again": lambda: repeats(store, "expert 3", days=0),
        "history of the busiest photo": lambda: history(store, busiest),
        "latest correction": lambda: latest(store, busiest),
        "list, first page": lambda: list_corrections(store),
        "list, a page in the middle": lambda: list_corrections(store, after=middle),
        "list, count of all": lambda: count_corrections(store),
        "list, count by two filters": lambda: count_corrections(
            store, Filters(who="expert 3", verdict="corrosion")
        ),
        "who there is": lambda: values_of(store, "who"),
        "labels page, its numbers": lambda: count_states(store),
    }
    for name, chosen in filters.items():
        asked[f"list by {name}"] = lambda chosen=chosen: list_corrections(store, chosen)
    return asked


def plans(store: Store) -> dict[str, list[str]]:
    """SQLite's plans of the queue, of pages of the list, and of the history."""
    statements: dict[str, tuple[str, dict[str, Any]]] = {
        "queue": (queue_query(""), {"name": "doubt", "experts": 0, "limit": 20}),
        "queue of one expert": (
            queue_query("x"), {"name": "doubt", "experts": 1, "limit": 20, "who": "expert 3"},
        ),
        "history": ("SELECT * FROM corrections WHERE photo = :p ORDER BY made, id", {"p": "x"}),
    }  # fmt: skip
    for name, chosen in {
        "all": Filters(),
        "who": Filters(who="expert 3"),
        "reason": Filters(reason="brick"),
        "who, verdict and status": Filters(who="expert 3", verdict="none", status="open"),
        "reason and who": Filters(reason="brick", who="expert 3"),
    }.items():
        with store.database.reading() as conn:
            sql, values = page_query(conn, chosen, None)
        statements[f"list: {name}"] = (sql, {**values, "limit": 51})
    with store.database.reading() as conn:
        return {
            name: [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
            for name, (sql, values) in statements.items()
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--photos", type=int, default=100_000, help="number of photos")
    parser.add_argument("--corrections", type=int, default=300_000, help="number of corrections")
    parser.add_argument("--plans", action="store_true", help="print SQLite's query plans")
    parser.add_argument("--folder", type=Path, help="keep the labels folder here, or reuse it")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        store = Store(args.folder or place)
        if next_cases(store, experts=10**6, limit=1) == ():
            began = time.perf_counter()
            fill(store, args.photos, args.corrections, random.Random(0))
            print(f"filled in {time.perf_counter() - began:.0f} s")
        print(f"database {store.database.path.stat().st_size / 1e6:.0f} MB")
        slow = 0
        # On a shared machine, processor time is the real cost of a query.
        print(f"{'query':40} {'median ms':>10} {'most ms':>10} {'processor':>10}")
        for name, ask in questions(store).items():
            times, work = [], []
            for _ in range(RUNS):
                began, busy = time.perf_counter(), time.process_time()
                ask()
                work.append(1000 * (time.process_time() - busy))
                times.append(1000 * (time.perf_counter() - began))
            slow += median(times) > LIMIT_MS
            print(f"{name:40} {median(times):10.1f} {max(times):10.1f} {median(work):10.1f}")
        if args.plans:
            for name, lines in plans(store).items():
                print(f"\n{name}")
                print("\n".join(f"  {line}" for line in lines))
    print(f"\n{slow} queries took more than {LIMIT_MS} ms (median of {RUNS})")
    return int(slow > 0)


if __name__ == "__main__":
    sys.exit(main())
