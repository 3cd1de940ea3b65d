"""How the tests of a run differ from a baseline, and which differ by too much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allocmeter.comparability import different_facts
from allocmeter.comparison import Change
from allocmeter.limits import METRICS
from allocmeter.regressions import Violation, growth_text
from allocmeter.testing.metrics import figure, in_each_round
from allocmeter.units import human_bytes, human_count

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

    def range_text(self, metric: Metric) -> str:
        """Return how a figure varied from round to round, as a clause; empty if it did not."""
        shown = human_count if metric == "allocations" else human_bytes
        varied = []
        for when, figures in (("in the baseline", self.before), ("now", self.now)):
            found = in_each_round(figures, metric)
            if min(found) != max(found):
                varied.append(f"between {shown(min(found))} and {shown(max(found))} {when}")
        return f"varies {', '.join(varied)}" if varied else ""


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


def has_changed(difference: Difference, limit: Limit, *, shrunk: bool = False) -> bool:
    """Tell whether a test grew by more than a limit allows, beyond what varies by chance.

    Its smallest figure must have, and round by round, more must have taken more than have taken
    less, by half of all rounds. Where all rounds are the same, the smallest figure alone decides.

    Args:
        difference: the test, then and now.
        limit: the growth that is allowed.
        shrunk: whether to look for shrinkage by as much instead.
    """
    if not _is_beyond(difference.of(limit.metric), limit, shrunk=shrunk):
        return False
    sides = (in_each_round(side, limit.metric) for side in (difference.before, difference.now))
    changes = [Change(before, now) for before, now in zip(*sides, strict=False)]
    beyond = sum(_is_beyond(change, limit, shrunk=shrunk) for change in changes)
    against = sum(change.absolute > 0 if shrunk else change.absolute < 0 for change in changes)
    return (beyond - against) * 2 >= len(changes)


def _is_beyond(change: Change, limit: Limit, *, shrunk: bool) -> bool:
    return limit.exceeded_by(_mirrored(change) if shrunk else change)


def _mirrored(change: Change) -> Change:
    return Change(change.baseline, change.baseline - change.absolute)


def regressions(comparison: TestsComparison, limits: Iterable[Limit]) -> tuple[Violation, ...]:
    """Return what grew by more than a limit allows."""
    return tuple(_violations(comparison, limits, shrunk=False))


def improvements(comparison: TestsComparison, limits: Iterable[Limit]) -> tuple[Violation, ...]:
    """Return what shrank by more than a limit would have allowed it to grow."""
    return tuple(_violations(comparison, limits, shrunk=True))


def by_chance(comparison: TestsComparison, limits: Iterable[Limit]) -> Iterator[tuple[str, str]]:
    """Yield the tests that took more than a limit allows, maybe by chance, with the reason."""
    wanted = tuple(limits)
    for difference in comparison.both:
        for limit in wanted:
            change = difference.of(limit.metric)
            if limit.exceeded_by(change) and not has_changed(difference, limit):
                yield difference.test, _reason(difference, limit, change)


def _violations(
    comparison: TestsComparison, limits: Iterable[Limit], *, shrunk: bool
) -> Iterator[Violation]:
    wanted = tuple(limits)
    for difference in comparison.both:
        for limit in wanted:
            if has_changed(difference, limit, shrunk=shrunk):
                change = difference.of(limit.metric)
                reason = _reason(difference, limit, change)
                yield Violation(difference.test, limit.metric, limit, change, reason)


def _reason(difference: Difference, limit: Limit, change: Change) -> str:
    clauses = [growth_text(limit, change), difference.range_text(limit.metric)]
    return f"{limit.metric} {'; '.join(filter(None, clauses))}"


def _objections(baseline: Baseline, current: Baseline) -> Iterator[str]:
    yield from different_facts(baseline, current)
    if baseline.domains != current.domains:
        yield (
            f"the baseline has memory of {' and '.join(baseline.domains)}, this run of "
            f"{' and '.join(current.domains)}: run pytest as it was run for the baseline"
        )
    if not any(test in baseline.tests for test in current.tests):
        yield "no test is in both, so there is nothing to compare"
    if baseline.rounds != current.rounds:
        yield (
            f"the baseline has the smallest figures of {baseline.rounds} rounds, this run of "
            f"{current.rounds}: of more rounds they are smaller"
        )
