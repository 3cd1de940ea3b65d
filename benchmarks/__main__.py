"""The benchmark suite: what allocmeter costs, beside nothing, beside the least and beside others.

    $ python -m benchmarks                      # everything, nine rounds; renews docs/benchmarks.md
    $ python -m benchmarks --quick              # rougher figures, into build/benchmarks
    $ python -m benchmarks --only allocation --conditions nothing,null_hook,scope
    $ python -m benchmarks --render FILE        # tables and plots of a former run
    $ python -m benchmarks --only allocation --instructions   # counted by valgrind

Every run is a fresh process. In each round every subject is run under every condition, one after
the other, and ratios are those of one round. Results are written while they come in: an
interruption keeps them, and makes tables and plots of them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import machine
from benchmarks.conditions import CONDITIONS
from benchmarks.paths import BUILT, DOCS
from benchmarks.results import Results
from benchmarks.session import Session
from benchmarks.subjects import SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.subjects import Subject

ROUNDS, QUICK_ROUNDS = 9, 2
GROUPS: Final = tuple(dict.fromkeys(subject.group for subject in SUBJECTS))


def chosen(only: Sequence[str]) -> list[Subject]:
    """Return the subjects of groups and names.

    Raises:
        ValueError: there is no such group or subject.
    """
    names = [subject.name for subject in SUBJECTS]
    unknown = [name for name in only if name not in GROUPS and name not in names]
    if unknown:
        raise ValueError(f"no group or subject {', '.join(unknown)}; groups: {', '.join(GROUPS)}")
    return [
        subject for subject in SUBJECTS if not only or subject.group in only or subject.name in only
    ]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, help=f"default: {ROUNDS}, or {QUICK_ROUNDS}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, shorter curves")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help=f"a group or a subject, repeatable; groups: {', '.join(GROUPS)}",
    )
    parser.add_argument("--conditions", help=f"some of {', '.join(CONDITIONS)}; default: all")
    parser.add_argument(
        "--output",
        type=Path,
        help=f"directory to write to; default: {DOCS.name} for everything, else build/benchmarks",
    )
    parser.add_argument("--render", type=Path, metavar="FILE", help="measure nothing")
    parser.add_argument(
        "--instructions", action="store_true", help="count them, once, instead of taking the time"
    )
    found = parser.parse_args()
    try:
        found.subjects = chosen(found.only)
    except ValueError as error:
        parser.error(str(error))
    found.keys = frozenset(found.conditions.split(",") if found.conditions else CONDITIONS)
    if unknown := found.keys - CONDITIONS.keys():
        parser.error(f"no condition {', '.join(sorted(unknown))}")
    whole = not (found.quick or found.only or found.conditions)
    found.output = found.output or (DOCS if whole else BUILT)
    found.rounds = found.rounds or (QUICK_ROUNDS if found.quick else ROUNDS)
    return found


def main() -> int:
    asked = options()
    if asked.instructions:
        from benchmarks.instructions import count

        return count(asked.subjects, asked.keys)
    if asked.render:
        results = Results.load(asked.render)
    else:
        results = Results(machine.facts())
        session = Session(
            results, asked.output / "benchmarks" / "results.json", asked.keys, quick=asked.quick
        )
        try:
            session.measure(asked.subjects, asked.rounds)
        except KeyboardInterrupt:
            print("interrupted: what was measured is kept", file=sys.stderr)
    from benchmarks.document import render

    render(results, asked.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
