"""Shows how well the figures of tests repeat, and that a regression is found by them.

    python tools/repeatability --help

First it runs a suite of 50 async tests again and again, each time in a new process, and says which
tests vary. Then it compares a suite of many tests with a baseline: as it is, which must not fail,
and with one more allocation of 1 KiB in one test, which must be named. Exit status 1 if fewer than
95 % of the tests have the same number of allocations each time, if the bytes of others vary by more
than 0.5 %, if a comparison fails that should not, or if a regression is not found.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from regression import Comparisons
from suite_runs import rounds_option, run
from varying import spread, variation

_HERE = Path(__file__).parent
_STEADY, _LARGEST_SPREAD = 0.95, 0.005


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/repeatability", description=__doc__.split("\n", 1)[0]
    )
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="of each kind")
    parser.add_argument("--tests", type=int, default=200, metavar="N", help="that are compared")
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="of each test (default: the plugin's)"
    )
    parser.add_argument("--suite", default="test_steady.py", metavar="FILE", help="or another")
    parser.add_argument("--seed", type=int, default=0, help="of what is made worse")
    parser.add_argument("--only", choices=("varying", "regression"))
    return parser.parse_args()


def main() -> int:
    """Do what the command line asks for; return the exit status."""
    arguments = _arguments()
    good = True
    with TemporaryDirectory() as directory:
        root = Path(directory)
        if arguments.only != "regression":
            good &= _varies_little(root / "varying", arguments)
        if arguments.only != "varying":
            good &= _finds_regressions(root / "regression", arguments)
    return int(not good)


def _varies_little(root: Path, arguments: argparse.Namespace) -> bool:
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\n")
    suites = [_HERE / "test_steady.py", _HERE / arguments.suite]
    for suite in suites:  # others import from the first
        (root / suite.name).write_text(suite.read_text())
    for _ in range(arguments.runs):
        run(root, arguments.suite, "--allocmeter-save", *rounds_option(arguments.rounds))
    found = variation(root)
    for each in found:
        if each.is_varying or spread(each.bytes):
            print(each)
    steady = sum(not each.is_varying for each in found) / len(found)
    most = max((spread(each.bytes) for each in found), default=0)
    print(
        f"{arguments.runs} runs of {len(found)} tests: {steady:.1%} have the same number of "
        f"allocations each time; bytes vary by {most:.3%} at most"
    )
    return steady >= _STEADY and most <= _LARGEST_SPREAD


def _finds_regressions(root: Path, arguments: argparse.Namespace) -> bool:
    comparisons = Comparisons(root, arguments.tests, arguments.rounds)
    chosen = random.Random(arguments.seed)  # noqa: S311 - a sample
    alarms, missed = [], []
    for _ in range(arguments.runs):
        if named := comparisons.named():
            alarms += named
        worse = chosen.randrange(arguments.tests)
        if comparisons.named(worse) != [f"test_work_{worse:03}"]:
            missed.append(worse)
    print(
        f"{arguments.runs} comparisons of {arguments.tests} tests as they are: {len(alarms)} false "
        f"alarms {alarms or ''}\n{arguments.runs} with one more allocation of 1 KiB in one test: "
        f"{arguments.runs - len(missed)} named it and no other"
    )
    return not alarms and not missed


if __name__ == "__main__":
    sys.exit(main())
