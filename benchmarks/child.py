"""One subject under one condition: what a fresh process does.

    $ python benchmarks/child.py "slotted objects" scope ANSWER [--repeats 3] [--quick]

Writes a JSON object of figures to the file ANSWER. Figures of work are CPU seconds of the process:
what it waits for, and what its neighbours on the machine do, is not in them.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.conditions import CONDITIONS
from benchmarks.subjects import SUBJECTS

if TYPE_CHECKING:
    from benchmarks.subjects import Subject
    from benchmarks.workloads import Scope, Work


def fastest(work: Work, repeats: int) -> float:
    """Return the CPU seconds of the fastest of several calls, after one that does not count.

    What a call returns is freed within its time.
    """
    work()
    best = float("inf")
    for _ in range(repeats):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def figures(
    subject: Subject, scope: Scope | None, repeats: int, *, quick: bool
) -> dict[str, float]:
    """Measure a subject in this process, to which the condition applies already."""
    function = subject.function()
    if subject.group in ("scaling", "memory", "entering"):
        found: dict[str, float] = function(scope, quick=quick)
        return found
    work: Work = function(scope, *subject.arguments, **subject.options)
    return {"seconds": fastest(work, repeats)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("subject", choices=[subject.name for subject in SUBJECTS])
    parser.add_argument("condition", choices=list(CONDITIONS))
    parser.add_argument("answer", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="smaller curves")
    options = parser.parse_args()
    (subject,) = (subject for subject in SUBJECTS if subject.name == options.subject)
    condition = CONDITIONS[options.condition]
    scope = condition.start()
    # Curves of the slow ones end earlier.
    found = figures(subject, scope, options.repeats, quick=options.quick or condition.slow)
    options.answer.write_text(json.dumps(found), encoding="utf-8")
    if subject.group in ("scaling", "memory"):
        os._exit(0)  # to free ten million objects takes long, and nobody wants to know


if __name__ == "__main__":
    main()
