"""The C++ of the convolutions: no warnings, nothing outside its arrays, no error lost."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from hand_made import ROOT

from rustseg_jax.classify.kernels import build

pytestmark = pytest.mark.slow  # each compiles the C++ anew
DRIVER = Path(__file__).with_name("kernels.cpp")
STRICT = (*build.WARNINGS, "-Werror")
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# Without optimisation nothing is left out that could go wrong, and it compiles in a quarter of the
# time of -O1. An address is of use only with a line.
DEBUG = ("-std=c++17", "-O0", "-g1", "-pthread", *STRICT, *SANITIZE)
# The instruction sets that choose other vectors, and what a processor needs to run them.
BUILDS = {
    "x86-64": set(),
    "x86-64-v3": {"avx2", "fma", "bmi2"},
    "x86-64-v4": {"avx512f", "avx512vl", "avx512bw", "avx512dq"},
}
# Of the sanitizer: hand back null, as the system does, where there is no such memory.
ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": "allocator_may_return_null=1"}


@pytest.fixture(scope="module")
def compiler() -> str:
    try:
        return build._compiler()
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def sanitizing(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The compiler, if its sanitizers work here."""
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        pytest.skip(f"the builds are for x86-64, not for {platform.machine()}")
    folder = tmp_path_factory.mktemp("probe")
    (folder / "probe.cpp").write_text("int main() { return 0; }\n")
    build = [compiler, *SANITIZE, "probe.cpp", "-o", "probe"]
    for command in (build, ["./probe"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no address sanitizer here: {done.stderr.strip()[:200]}")
    return compiler


def processor_has() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())


def test_the_library_compiles_without_a_warning(compiler: str, tmp_path: Path) -> None:
    # The last -O counts. -O2 would take twice as long, and found nothing more.
    command = build._command(compiler, [*STRICT, "-O1"], tmp_path / "library.so")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("target", BUILDS)
def test_every_kernel_stays_inside_its_arrays(sanitizing: str, tmp_path: Path, target: str) -> None:
    if missing := BUILDS[target] - processor_has():
        pytest.skip(f"this processor has no {', '.join(sorted(missing))}")
    program = tmp_path / "kernels"
    include = ["-I", str(build.SOURCE.parent)]
    command = [sanitizing, *DEBUG, f"-march={target}", *include, str(DRIVER), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    whole = subprocess.run(
        [program], capture_output=True, text=True, env=ENVIRONMENT, timeout=120, check=False
    )
    assert whole.returncode == 0, whole.stderr
    assert whole.stdout.strip().endswith(" checks")
    # The sanitizer is awake: it sees an array that is one number too short.
    short = subprocess.run(
        [program, "overrun"], capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert short.returncode != 0
    assert "heap-buffer-overflow" in short.stderr


# Two photos a million positions wide are two pieces of work: one for the caller, one for a thread
# of XLA's. Each needs 280 MB for its padded rows. With room for 200 MB there is enough for the
# result of 64, but for the rows of neither.
NO_MEMORY = """
import resource
import jax, jax.numpy as jnp
from rustseg_jax.classify.kernels.convolution import conv3x3
narrow, wide = jnp.ones((4, 9, 8, 7)), jnp.ones((2, 1, 1_000_000, 7))
kernel = jnp.ones((3, 3, 7, 8))
convolve = jax.jit(conv3x3)
small, large = (convolve.lower(x, kernel).compile() for x in (narrow, wide))
before = jax.block_until_ready(small(narrow, kernel))
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limits = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (size + (200 << 20), limits[1]))
try:
    jax.block_until_ready(large(wide, kernel))
except jax.errors.JaxRuntimeError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_AS, limits)
print("same after", bool((small(narrow, kernel) == before).all()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
@pytest.mark.skipif(not build.available(), reason=f"compiled convolutions: {build.status()}")
def test_no_memory_is_an_exception_in_python() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_MEMORY],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "RESOURCE_EXHAUSTED: no memory for the intermediate results" in done.stdout
    assert "same after True" in done.stdout
