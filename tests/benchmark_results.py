"""The benchmark suite for its tests: where it is, and results that nobody had to measure."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from benchmarks.results import Results, Sample  # noqa: E402 - it is on the path now

MACHINE = dict.fromkeys(
    ("date", "allocmeter", "python", "compiler", "system", "processor", "cpus", "load", "packages"),
    "some",
)


def results_of(figures):
    """Return results of `{(subject, condition): {figure: [value of each round]}}`.

    A value of `None` stands for a run that failed.
    """
    results = Results(MACHINE)
    for (subject, condition), found in figures.items():
        for number in range(max(map(len, found.values()))):
            values = {name: each[number] for name, each in found.items() if number < len(each)}
            if None not in values.values():
                results.samples.append(Sample(subject, condition, number, values))
    return results


def seconds_of(costs):
    """Return results of `{(subject, condition): [seconds of each round]}`."""
    return results_of({key: {"seconds": values} for key, values in costs.items()})
