"""Load test of the real server with many visitors at once: waiting times and memory.

    python -m benchmarks.load [--visitors 20] [--set 0] [--json]

Starts the app on loopback with the shipped weights. Each visitor has a session over a websocket, in
Streamlit's own protocol, and opens a different photo (a rendered scene of 640x480); all arrive at
the same moment. A visitor's waiting time is from opening the address to the verdict.

The ideal for the last visitor is the time to compute all photos one after the other without any
overhead: measured in this process, with the same library, before and after the rush.
Targets: worst wait at most twice that, peak memory of the server below 2 GB.

With `--set N`, another visitor has already started a set of N photos: the queue must let the others
through. Exits with 1 if a target is missed or a visitor got no answer.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

import websockets
from PIL import Image
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

import rustseg_jax as rs
from rustseg_jax import images, scenes
from rustseg_jax.report.report import make_report
from rustseg_jax.runtime import enable_compilation_cache

ROOT = Path(__file__).resolve().parents[1]
SIZE = (480, 640)  # of the shipped samples
RATIO, MEMORY = 2.0, 2000  # targets: worst wait over ideal, megabytes
START_SECONDS = 120
LIMIT = 300.0  # seconds, hard limit for all visitors together


@dataclass
class Visit:
    """Result of one visit."""

    query: str
    page: str = ""
    seconds: float | None = None
    verdict: str = ""
    places: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)


def photo(seed: int) -> bytes:
    """A rendered scene as a JPEG file, different for each seed."""
    kinds = list(scenes.KINDS)
    file = io.BytesIO()
    # Rendered at half the size: rendering is slower than everything measured here.
    scene = scenes.render(kinds[seed % len(kinds)], seed, size=(SIZE[0] // 2, SIZE[1] // 2))
    Image.fromarray(images.resize(scene.image, SIZE)).save(file, "JPEG", quality=92)
    return file.getvalue()


def alone(model: rs.Classifier, photos: list[bytes]) -> float:
    """Seconds to compute all photos, one after the other, as the page does."""
    began = time.perf_counter()
    for data in photos:
        seg = rs.segment(data, model)
        make_report(seg, rs.measure_uncertainty(seg, model))
    return time.perf_counter() - began


@contextlib.contextmanager
def server(cache: Path) -> Iterator[tuple[str, int]]:
    """The running app: its address without the protocol, and its process."""
    with socket.socket() as s:
        s.bind(("localhost", 0))
        port = s.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    environment = os.environ | {"RUSTSEG_CACHE": str(cache)}
    with (cache / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        end = time.monotonic() + START_SECONDS
        while not _healthy(port):
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the app did not start:\n{(cache / 'log.txt').read_text()}")
            time.sleep(0.2)
        yield f"localhost:{port}", process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def _healthy(port: int) -> bool:
    address = f"http://localhost:{port}/_stcore/health"
    with contextlib.suppress(OSError), urllib.request.urlopen(address) as reply:
        return bool(reply.status == 200)
    return False


def peak_memory(pid: int) -> float:
    """Peak resident memory of a process, in megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit(f"/proc/{pid}/status has no VmHWM")


async def visit(host: str, seen: Visit, begin: asyncio.Event) -> None:
    """Open an address in a new session; return when the verdict is shown."""
    address = f"ws://{host}/_stcore/stream"
    async with websockets.connect(
        address, subprotocols=["streamlit"], origin=f"http://{host}", max_size=None
    ) as socket:
        await begin.wait()
        began = time.perf_counter()
        ask = BackMsg()
        ask.rerun_script.query_string, ask.rerun_script.page_name = seen.query, seen.page
        await socket.send(ask.SerializeToString())
        async for data in socket:
            message = ForwardMsg()
            message.ParseFromString(data)
            if _read(message, seen):
                seen.seconds = time.perf_counter() - began
                return


def _read(message: ForwardMsg, seen: Visit) -> bool:
    """Record what a message shows; True if the visit is complete."""
    element = message.delta.new_element
    text = element.heading.body or element.markdown.body
    if "In the queue:" in text:
        seen.places.append(text.partition("In the queue: ")[2])
    if element.WhichOneof("type") in ("alert", "exception"):
        seen.trouble.append(element.alert.body or element.exception.message)
        return True
    if element.WhichOneof("type") == "heading" and "orrosion found" in text:
        seen.verdict = text
    return bool(seen.verdict)


async def rush(host: str, photos: list[bytes], many: str) -> tuple[list[Visit], Visit | None]:
    """Run all visitors at once, and beside them one with a set of many photos."""
    visits = [Visit(f"case={images.sha256(data)}") for data in photos]
    at_once, begin = asyncio.Event(), asyncio.Event()
    at_once.set()
    owner = Visit(f"set={many}", "many") if many else None
    tasks = [asyncio.create_task(visit(host, seen, begin)) for seen in visits]
    working = [asyncio.create_task(visit(host, owner, at_once))] if owner else []
    await asyncio.sleep(3)  # all are connected, and the set is being computed
    begin.set()
    await asyncio.wait(tasks, timeout=LIMIT)
    for task in (*tasks, *working):
        task.cancel()
    await asyncio.gather(*tasks, *working, return_exceptions=True)
    return visits, owner


def make_set(folder: Path, photos: list[bytes]) -> str:
    """A set in the format of pages/shared/photo_sets.py."""
    name = "loadloadload"
    listed = [[f"{k}.jpg", images.sha256(data)] for k, data in enumerate(photos)]
    (folder / f"set-{name}").mkdir()
    text = json.dumps({"photos": listed, "twice": []})
    (folder / f"set-{name}" / "set.json").write_text(text)
    return name


def run(visitors: int, many: int) -> dict[str, object]:
    """Run the whole test and return the numbers."""
    enable_compilation_cache()
    model = rs.load_model()
    photos = [photo(seed) for seed in range(visitors)]
    others = [photo(1000 + seed) for seed in range(many)]
    warm = photo(999)
    alone(model, [warm])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "photos"
        folder.mkdir()
        for data in (*photos, *others, warm):
            (folder / images.sha256(data)).write_bytes(data)
        owned = make_set(folder, others) if many else ""
        with server(Path(name)) as (host, pid):
            first, _ = asyncio.run(rush(host, [warm], ""))  # compiles, loads the weights
            before, idle = alone(model, photos), peak_memory(pid)
            visits, owner = asyncio.run(rush(host, photos, owned))
            done = len(list((folder / f"set-{owned}").glob("*.found.json"))) if owned else 0
            memory = peak_memory(pid)
        after = alone(model, photos)  # the server has stopped: it would continue with the set
    return _numbers(first[0], visits, owner, (before, after), (idle, memory), done)


def _numbers(
    first: Visit,
    visits: list[Visit],
    owner: Visit | None,
    alone: tuple[float, float],
    memory: tuple[float, float],
    done: int,
) -> dict[str, object]:
    waits = sorted(seen.seconds for seen in visits if seen.seconds is not None and seen.verdict)
    ideal = mean(alone)
    return {
        "visitors": len(visits),
        "answered": len(waits),
        "shown a position in the queue": sum(bool(seen.places) for seen in visits),
        "most others before somebody": max(
            (int(place.split()[0]) for seen in visits for place in seen.places), default=0
        ),
        "first visit of all, s": first.seconds,
        "ideal for the last, s": ideal,
        "ideal before and after, s": list(alone),
        "first wait, s": waits[0] if waits else None,
        "median wait, s": median(waits) if waits else None,
        "worst wait, s": waits[-1] if waits else None,
        "worst over ideal": waits[-1] / ideal if waits else None,
        "memory after the first visit, MB": memory[0],
        "memory at its peak, MB": memory[1],
        "photos of the set done meanwhile": done if owner else None,
        "trouble": [line for seen in visits for line in seen.trouble],
    }


def _missed(found: dict[str, object]) -> list[str]:
    missed = []
    if found["answered"] != found["visitors"]:
        missed.append("not every visitor got an answer")
    ratio, memory = found["worst over ideal"], found["memory at its peak, MB"]
    if not isinstance(ratio, float) or ratio > RATIO:
        missed.append(f"the worst wait is more than {RATIO:g} times the ideal")
    if not isinstance(memory, float) or memory > MEMORY:
        missed.append(f"the server used more than {MEMORY} MB")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--visitors", type=int, default=20, help="number of visitors")
    parser.add_argument(
        "--set", type=int, default=0, metavar="N", help="number of photos of one more visitor"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    found = run(args.visitors, args.set)
    missed = _missed(found)
    if args.json:
        print(json.dumps({**found, "missed": missed}, indent=1))
    else:
        for name, value in found.items():
            if value not in (None, []):
                number = isinstance(value, float)
                print(f"{name:34} {value:8.2f}" if number else f"{name:34} {_plain(value):>8}")
        print("all targets met" if not missed else "missed: " + "; ".join(missed))
    return 1 if missed else 0


def _plain(value: object) -> str:
    if isinstance(value, list):
        return " ".join(f"{v:.2f}" if isinstance(v, float) else str(v) for v in value)
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
