"""How the tests of a run differ from a baseline, and which differ by too much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allocmeter.comparability import different_facts
from allocmeter.comparison import Change
from allocmeter.limits import METRICS
from allocmeter.regressions import Violation, growth_text
from allocmeter.testing.metrics import figure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allocmeter.limits import Limit, Metric
    from allocmeter.testing.baseline_format import Baseline
    from allocmeter.testing.figures import TestFigures
    from allocmeter.testing.selection import Selection


@dataclass(frozen=True, slots=True)
class Difference:
    """The figures of one test, then and now.

    Attributes:
        test: its node id.
        before: in the baseline.
        now: in this run.
    """

    test: str
    before: TestFigures
    now: TestFigures

    def of(self, metric: Metric) -> Change:
        """Return the change of one figure."""
        return Change(figure(self.before, metric), figure(self.now, metric))

    @property
    def is_change(self) -> bool:
        """Whether any figure differs."""
        return any(self.of(metric).absolute for metric in METRICS)


@dataclass(frozen=True, slots=True)
class TestsComparison:
    """How the tests of a run differ from a baseline.

    Attributes:
        both: the tests that passed in both.
        new: tests that only this run has.
        vanished: tests that this run would have selected, if they still existed.
        unseen: how many other tests only the baseline has: not selected, or not passed.
        warnings: one sentence for each reason not to trust the comparison.
    """

    both: tuple[Difference, ...]
    new: tuple[str, ...]
    vanished: tuple[str, ...]
    unseen: int
    warnings: tuple[str, ...]


def compare(baseline: Baseline, current: Baseline, selection: Selection) -> TestsComparison:
    """Compare the tests that passed now with a baseline.

    Args:
        baseline: of the earlier time.
        current: what this run would save.
        selection: which tests this run has selected.
    """
    before, now = baseline.tests, current.tests
    missing = [test for test in before if test not in now]
    vanished = tuple(test for test in missing if selection.has_lost(test))
    return TestsComparison(
        tuple(Difference(test, before[test], now[test]) for test in now if test in before),
        tuple(test for test in now if test not in before),
        vanished,
        len(missing) - len(vanished),
        tuple(_objections(baseline, current)),
    )


def regressions(comparison: TestsComparison, limits: Iterable[Limit]) -> tuple[Violation, ...]:
    """Return what grew by more than a limit allows."""
    wanted = tuple(limits)
    return tuple(
        _violation(difference, limit)
        for difference in comparison.both
        for limit in wanted
        if limit.exceeded_by(difference.of(limit.metric))
    )


def improvements(comparison: TestsComparison, limits: Iterable[Limit]) -> tuple[Violation, ...]:
    """Return what shrank by more than a limit would have allowed it to grow."""
    wanted = tuple(limits)
    return tuple(
        _violation(difference, limit)
        for difference in comparison.both
        for limit in wanted
        if limit.exceeded_by(_mirrored(difference.of(limit.metric)))
    )


def _mirrored(change: Change) -> Change:
    return Change(change.baseline, change.baseline - change.absolute)


def _violation(difference: Difference, limit: Limit) -> Violation:
    change = difference.of(limit.metric)
    reason = f"{limit.metric} {growth_text(limit, change)}"
    return Violation(difference.test, limit.metric, limit, change, reason)


def _objections(baseline: Baseline, current: Baseline) -> Iterator[str]:
    yield from different_facts(baseline, current)
    if baseline.domains != current.domains:
        yield (
            f"the baseline has memory of {' and '.join(baseline.domains)}, this run of "
            f"{' and '.join(current.domains)}: run pytest as it was run for the baseline"
        )
    both = [test for test in current.tests if test in baseline.tests]
    if not both:
        yield "no test is in both, so there is nothing to compare"
    then, now = ({side.tests[test].rounds for test in both} for side in (baseline, current))
    if then != now:
        yield (
            f"the baseline has the smallest figures of {_numbers(then)} rounds, this run of "
            f"{_numbers(now)}: of more rounds they are smaller"
        )


def _numbers(found: set[int]) -> str:
    return " or ".join(map(str, sorted(found)))
