"""What counting costs code that does little but allocate, beside tracemalloc.

Every figure comes from a fresh process; the configurations take turns, round by round, and each
is given as the median of its ratios to the plain run of the same round. The last row is the
geometric mean over the workloads.

    $ python benchmarks/allocation.py [--quick]
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WORKLOADS = {
    "slotted objects": """
class Point:
    __slots__ = ("x", "y")
    def __init__(self, x, y):
        self.x = x
        self.y = y
def work():
    return [Point(n, -n) for n in range(150_000)]
""",
    "json round trip": """
import json
DOCUMENT = [{"id": n, "name": f"item {n}", "tags": ["a", "b"], "price": n / 7} for n in range(9000)]
def work():
    return json.loads(json.dumps(DOCUMENT))
""",
    "strings": """
def work():
    return " ".join(f"{n}:{n * n}".upper() for n in range(150_000)).split()
""",
    "int arithmetic": """
def work():
    total = 1 << 70
    for n in range(400_000):
        total = (total * 3 + n) % 1_000_000_007_000_000_000_123
    return total
""",
    "dict and list growth": """
def work():
    table = {}
    for n in range(120_000):
        table.setdefault(n % 5_000, []).append((n, n + 1))
    return table
""",
}

CONFIGURATIONS = {
    "nothing": "pass",
    "installed, idle": "import allocmeter; allocmeter.install()",
    "one scope": "import allocmeter; allocmeter.measure('a').__enter__()",
    "four nested scopes": (
        "import allocmeter\nscopes = [allocmeter.measure(name) for name in 'abcd']\n"
        "for scope in scopes: scope.__enter__()"
    ),
    "process tracking": "import allocmeter; allocmeter.start_tracking()",
    "tracemalloc": "import tracemalloc; tracemalloc.start()",
}

CHILD = """
{workload}
{configuration}
import time
work()
best = float("inf")
for _ in range({repeats}):
    started = time.perf_counter()
    result = work()
    del result
    best = min(best, time.perf_counter() - started)
print(best)
"""


def seconds(workload: str, configuration: str, repeats: int) -> float:
    program = CHILD.format(workload=workload, configuration=configuration, repeats=repeats)
    child = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return float(child.stdout)


def ratios(workload: str, rounds: int, repeats: int, tell: Callable[[], None]) -> dict[str, float]:
    seen: dict[str, list[float]] = {name: [] for name in CONFIGURATIONS}
    for _ in range(rounds):
        taken = {
            name: seconds(workload, configuration, repeats)
            for name, configuration in CONFIGURATIONS.items()
        }
        for name, value in taken.items():
            seen[name].append(value / taken["nothing"])
        tell()
    return {name: statistics.median(values) for name, values in seen.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, rougher figures")
    rounds, repeats = (2, 2) if parser.parse_args().quick else (9, 4)

    def tell() -> None:
        print(".", end="", file=sys.stderr, flush=True)

    table = {name: ratios(text, rounds, repeats, tell) for name, text in WORKLOADS.items()}
    print(file=sys.stderr)
    print(
        f"CPython {platform.python_version()}, {sys.platform} {platform.machine()}, "
        f"median of {rounds} rounds, relative to nothing"
    )
    print(f"{'':<22}", *(f"{name:>18}" for name in CONFIGURATIONS))
    for workload, found in table.items():
        print(f"{workload:<22}", *(f"{found[name]:>18.2f}" for name in CONFIGURATIONS))
    means = (
        statistics.geometric_mean(found[name] for found in table.values())
        for name in CONFIGURATIONS
    )
    print(f"{'geometric mean':<22}", *(f"{mean:>18.2f}" for mean in means))


if __name__ == "__main__":
    main()
