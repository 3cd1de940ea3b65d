"""Instructions instead of time: counted by valgrind, the same in every run.

No neighbour on the machine moves them, so a change of one in a thousand can be seen. They say
nothing of caches. What is counted is one more call of the work: a process that does it three times,
less a process that does it twice.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.measuring import child_command
from benchmarks.tables import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.conditions import Condition
    from benchmarks.subjects import Subject

WORK: Final = ("allocation", "tasks", "native", "nesting", "pyperformance", "preload")
COUNTED: Final = re.compile(r"Collected : (\d+)")


def count(subjects: Sequence[Subject], keys: frozenset[str]) -> int:
    """Print a table of millions of instructions, and return the exit status."""
    if shutil.which("valgrind") is None:
        print("--instructions needs valgrind, which is not installed", file=sys.stderr)
        return 1
    for subject in subjects:
        if subject.group not in WORK or subject.why_not():
            continue
        found = {}
        for condition in subject.conditions:
            if condition.key not in keys or condition.slow or condition.why_not():
                continue
            found[condition] = extra(subject, condition)
            print(".", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        base = next(iter(found.values()), 0.0)
        rows = [
            [condition.label, f"{value:,.3f}", f"{value / base:.4f}"]
            for condition, value in found.items()
        ]
        print(table([subject.name, "million instructions", "ratio"], rows), end="\n\n")
    return 0


def extra(subject: Subject, condition: Condition) -> float:
    """Return the millions of instructions that one more call of the work takes."""
    return _counted(subject, condition, 2) - _counted(subject, condition, 1)


def _counted(subject: Subject, condition: Condition, repeats: int) -> float:
    with tempfile.TemporaryDirectory(prefix="allocmeter-benchmark-") as directory:
        scratch = Path(directory)
        counted = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        child = subprocess.run(
            [
                *counted,
                *child_command(subject, condition, scratch, repeats, quick=False),
            ],
            env=condition.environment(scratch),
            capture_output=True,
            text=True,
            check=True,
        )
    found = COUNTED.search(child.stderr)
    if found is None:
        raise RuntimeError(f"valgrind said nothing of its count:\n{child.stderr}")
    return int(found[1]) / 1e6
