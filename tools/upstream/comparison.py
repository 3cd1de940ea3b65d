"""Telling what measuring changed from what changes by itself."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from results import MISSING, PASSED, PROCESS
from runs import WITHOUT

if TYPE_CHECKING:
    from runs import Run

ATTEMPTS = 3
_KNOWN = Path(__file__).with_name("known.toml")


@dataclass(frozen=True)
class Difference:
    """A test that passed without us, and did not with us.

    Attributes:
        test: its name.
        outcome: what became of it.
        verdict: `"known"` for a reason given in known.toml, `"unsteady"` if it passed with us when
            it was run again, else `"caused"`.
        reason: of a known one.
    """

    test: str
    outcome: str
    verdict: str = "caused"
    reason: str = ""


@dataclass(frozen=True)
class Compared:
    """A run with us beside the one without.

    Attributes:
        without: outcome of each test.
        measured: likewise.
        allocations: how many were recorded.
    """

    run: Run
    without: dict[str, str]
    measured: dict[str, str]
    allocations: int
    differences: list[Difference] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether we are to blame for something, or have measured nothing."""
        blamed = any(difference.verdict == "caused" for difference in self.differences)
        return blamed or self.allocations == 0


def compare(run: Run) -> Compared:
    """Run a part without us and with us, and what differs up to three times more."""
    plain = replace(run, way=WITHOUT)
    without, measured = _outcomes(plain), _outcomes(run)
    differences = []
    if PROCESS in measured and PROCESS not in without:
        ending, measured = _ended(run, measured)
        differences.append(ending)
    if PROCESS not in measured:  # else what is missing has its reason
        differences += [
            _judged(run, plain, Difference(test, measured.get(test, MISSING)))
            for test, outcome in without.items()
            if outcome == PASSED and measured.get(test, MISSING) != PASSED
        ]
    return Compared(run, without, measured, run.allocations(), differences)


@cache
def _outcomes(run: Run) -> dict[str, str]:
    """Run everything; but only once without us, however many ways there are to compare it with."""
    return run.outcomes()


def known(run: Run, test: str) -> str | None:
    """Return why a test is known to differ, `None` if it is not."""
    for entry in tomllib.loads(_KNOWN.read_text(encoding="utf-8")).get("difference", []):
        versions = entry.get("interpreters", [run.interpreter.version])
        of_version = any(run.interpreter.version.startswith(version) for version in versions)
        if of_version and run.way in entry.get("ways", [run.way]) and test in entry["tests"]:
            return str(entry["reason"])
    return None


def _ended(run: Run, measured: dict[str, str]) -> tuple[Difference, dict[str, str]]:
    """Repeat what crashed, hung or failed without a failing test."""
    difference = Difference(PROCESS, measured[PROCESS])
    for attempt in range(1, ATTEMPTS + 1):
        again = run.outcomes([], attempt)
        if PROCESS not in again:
            return replace(difference, verdict="unsteady"), again
    return difference, measured


def _judged(run: Run, plain: Run, difference: Difference) -> Difference:
    """Repeat a test alone; or among the others, where it does not pass alone without us either."""
    test = difference.test
    if (reason := known(run, test)) is not None:
        return replace(difference, verdict="known", reason=reason)
    for attempt in range(1, ATTEMPTS + 1):
        alone = plain.outcomes([test], attempt).get(test) == PASSED
        if run.outcomes([test] if alone else [], attempt).get(test) == PASSED:
            return replace(difference, verdict="unsteady")
    return difference
