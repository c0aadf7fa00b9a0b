"""Many visitors at once on the real server: who waits how long, and what memory it takes.

    python -m benchmarks.load [--visitors 20] [--set 0] [--json]

Starts the app on loopback with the shipped weights. Each visitor is a session of its own over
a websocket, in Streamlit's own protocol, and opens another photo (a rendered scene of 640x480);
all come at the same moment. A visitor's time is from the opened address to the verdict.

The ideal for the last in line is the time that all photos take to compute one after the
other, nothing else: measured in this process, with the same library, before and after the rush.
The goals: worst wait at most twice that, the server's memory under 2 GB at its peak.

With `--set N` one more visitor came before with N photos, whose work is under way: the line
must let the others through. Exits with 1 when a goal is missed or somebody got no answer.
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
RATIO, MEMORY = 2.0, 2000  # the goals: worst wait over ideal, megabytes
START_SECONDS = 120
LIMIT = 300.0  # seconds, hard, for all visitors together


@dataclass
class Visit:
    """What a visitor met."""

    query: str
    page: str = ""
    seconds: float | None = None
    verdict: str = ""
    places: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)


def photo(seed: int) -> bytes:
    """A rendered scene as a JPEG file, another one for each seed."""
    kinds = list(scenes.KINDS)
    file = io.BytesIO()
    # Drawn at half the size: rendering is slower than everything that is measured here.
    scene = scenes.render(kinds[seed % len(kinds)], seed, size=(SIZE[0] // 2, SIZE[1] // 2))
    Image.fromarray(images.resize(scene.image, SIZE)).save(file, "JPEG", quality=92)
    return file.getvalue()


def alone(model: rs.Classifier, photos: list[bytes]) -> float:
    """Seconds that all photos take, one after the other, as the page has them computed."""
    began = time.perf_counter()
    for data in photos:
        seg = rs.segment(data, model)
        make_report(seg, rs.measure_uncertainty(seg, model))
    return time.perf_counter() - began


@contextlib.contextmanager
def server(cache: Path) -> Iterator[tuple[str, int]]:
    """The running app: its address without protocol, and its process."""
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
    """Most megabytes that a process ever had in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit(f"/proc/{pid}/status does not say VmHWM")


async def visit(host: str, seen: Visit, begin: asyncio.Event) -> None:
    """Open an address in a session of its own; ends when a verdict is there."""
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
    """Take down what a message shows; True when there is no more to wait for."""
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
    """All visitors at once, and beside them one with a set of many photos."""
    visits = [Visit(f"case={images.sha256(data)}") for data in photos]
    at_once, begin = asyncio.Event(), asyncio.Event()
    at_once.set()
    owner = Visit(f"set={many}", "many") if many else None
    tasks = [asyncio.create_task(visit(host, seen, begin)) for seen in visits]
    working = [asyncio.create_task(visit(host, owner, at_once))] if owner else []
    await asyncio.sleep(3)  # everybody is connected, and the set's work is under way
    begin.set()
    await asyncio.wait(tasks, timeout=LIMIT)
    for task in (*tasks, *working):
        task.cancel()
    await asyncio.gather(*tasks, *working, return_exceptions=True)
    return visits, owner


def make_set(folder: Path, photos: list[bytes]) -> str:
    """A set as pages/shared/photo_sets.py keeps it."""
    name = "loadloadload"
    listed = [[f"{k}.jpg", images.sha256(data)] for k, data in enumerate(photos)]
    (folder / f"set-{name}").mkdir()
    text = json.dumps({"photos": listed, "twice": []})
    (folder / f"set-{name}" / "set.json").write_text(text)
    return name


def run(visitors: int, many: int) -> dict[str, object]:
    """Do all of it; the numbers."""
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
            first, _ = asyncio.run(rush(host, [warm], ""))  # compiles, reads the weights
            before, idle = alone(model, photos), peak_memory(pid)
            visits, owner = asyncio.run(rush(host, photos, owned))
            done = len(list((folder / f"set-{owned}").glob("*.found.json"))) if owned else 0
            memory = peak_memory(pid)
        after = alone(model, photos)  # the server is gone: it would go on with the set
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
        missed.append("not everybody got an answer")
    ratio, memory = found["worst over ideal"], found["memory at its peak, MB"]
    if not isinstance(ratio, float) or ratio > RATIO:
        missed.append(f"the worst wait is more than {RATIO:g} times the ideal")
    if not isinstance(memory, float) or memory > MEMORY:
        missed.append(f"the server took more than {MEMORY} MB")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument(
        "--set", type=int, default=0, metavar="N", help="photos of one more visitor"
    )
    parser.add_argument("--json", action="store_true")
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
        print("all goals reached" if not missed else "missed: " + "; ".join(missed))
    return 1 if missed else 0


def _plain(value: object) -> str:
    if isinstance(value, list):
        return " ".join(f"{v:.2f}" if isinstance(v, float) else str(v) for v in value)
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
