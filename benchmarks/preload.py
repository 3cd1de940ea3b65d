"""What the preload library costs a process that nobody measures: at its start, and while it runs.

A shell, a compiler or another interpreter that inherits LD_PRELOAD pays this, and no more. Every
figure is the processor time of a fresh process; runs with and without the library take turns. Of
each the minimum and the median are given, and of both the ratio; what else the machine does moves
the median more than the minimum.

    $ python benchmarks/preload.py [--quick] [--callgrind]

With --callgrind, valgrind counts instructions as well, which no neighbour moves; that takes half a
minute.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
from typing import NamedTuple

from allocmeter._core import preload
from allocmeter.errors import BackendUnavailableError

COMPUTING = """
import sys
def work(amount):
    total = 1
    for n in range(amount):
        total = (total * 3 + n) % 1_000_003
work(int(sys.argv[1]))
"""

# Larger than what the interpreter's own allocator serves.
ALLOCATING = """
import sys
def work(amount):
    kept = [None] * 64
    for n in range(amount):
        kept[n & 63] = bytes(1_000 + (n & 1_023))
work(int(sys.argv[1]))
"""


class Workload(NamedTuple):
    name: str
    code: str
    amount: int
    rounds: int


WORKLOADS = (
    Workload("interpreter start", "pass", 0, 30),
    Workload("computes only", COMPUTING, 2_000_000, 9),
    Workload("a malloc a turn", ALLOCATING, 500_000, 9),
)
SIDES: tuple[str, ...] = ("without", "preloaded")


def command(workload: Workload, amount: int) -> list[str]:
    return [sys.executable, "-c", workload.code, str(amount)]


def milliseconds(workload: Workload, environment: dict[str, str]) -> float:
    arguments = command(workload, workload.amount)
    process = os.posix_spawn(arguments[0], arguments, environment)
    _, status, used = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{workload.name}: ended with status {status}")
    return 1e3 * (used.ru_utime + used.ru_stime)


def instructions(workload: Workload, environment: dict[str, str]) -> float:
    """Return millions of them, for a tenth of the work."""
    counted = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    child = subprocess.run(
        [*counted, *command(workload, workload.amount // 10)],
        env={**environment, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Collected : (\d+)", child.stderr)
    if found is None:
        raise SystemExit(f"valgrind said nothing of its count:\n{child.stderr}")
    return int(found[1]) / 1e6


def taken(
    workload: Workload, rounds: int, environments: dict[str, dict[str, str]]
) -> dict[str, list[float]]:
    seen: dict[str, list[float]] = {side: [] for side in SIDES}
    for number in range(rounds):
        for side in SIDES if number % 2 else reversed(SIDES):
            seen[side].append(milliseconds(workload, environments[side]))
    print(".", end="", file=sys.stderr, flush=True)
    return seen


def show(name: str, figure: str, values: list[float]) -> None:
    without, preloaded = values
    difference, ratio = preloaded - without, preloaded / without
    row = f"{without:>12,.2f}{preloaded:>12,.2f}{difference:>+12,.2f}{ratio:>10.4f}"
    print(f"{name:<20}{figure:<22}{row}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, rougher figures")
    parser.add_argument("--callgrind", action="store_true", help="count instructions by valgrind")
    args = parser.parse_args()
    try:
        library = preload.find()
    except BackendUnavailableError as error:
        print(f"not here: {error}")
        return
    if args.callgrind and shutil.which("valgrind") is None:
        parser.error("--callgrind needs valgrind, which is not installed")
    plain = {name: value for name, value in os.environ.items() if name != preload.VARIABLE}
    environments: dict[str, dict[str, str]] = {
        "without": plain,
        "preloaded": {**plain, preload.VARIABLE: library},
    }
    found = {
        workload: taken(workload, 3 if args.quick else workload.rounds, environments)
        for workload in WORKLOADS
    }
    print(file=sys.stderr)
    print(f"CPython {platform.python_version()}, {sys.platform} {platform.machine()}")
    print(f"{'':<42}{SIDES[0]:>12}{SIDES[1]:>12}{'difference':>12}{'ratio':>10}")
    for workload, seen in found.items():
        show(workload.name, "minimum, ms", [min(seen[side]) for side in SIDES])
        show(workload.name, "median, ms", [statistics.median(seen[side]) for side in SIDES])
    if args.callgrind:
        for workload in WORKLOADS:
            counts = [instructions(workload, environments[side]) for side in SIDES]
            show(workload.name, "million instructions", counts)


if __name__ == "__main__":
    main()
