"""What pytest's summary says about the memory of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocmeter.renderers.printable import printable
from allocmeter.testing.tables import WIDEST_TEST, changed, largest
from allocmeter.units import human_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

    from allocmeter.testing.baseline_format import Baseline
    from allocmeter.testing.comparison import TestsComparison
    from allocmeter.testing.conclusion import Conclusion
    from allocmeter.testing.options import Options


def heading(shown: str, baseline: Baseline) -> str:
    """Return one line on a baseline.

    Args:
        shown: its file, as messages give it.
        baseline: what is in it.
    """
    return f"{shown} ({printable(baseline.created_at, 40)}, {printable(baseline.python, 40)})"


def write(terminal: pytest.TerminalReporter, conclusion: Conclusion, options: Options) -> None:
    """Write the section of the summary."""
    if options.measures_all:
        _list_largest(terminal, conclusion, options)
    elif conclusion.is_failure:
        terminal.section("allocmeter")
    if conclusion.comparison is not None:
        terminal.line("")
        terminal.line(f"compared with {conclusion.title}: {_counts(conclusion.comparison)}")
        for warning in conclusion.comparison.warnings:
            terminal.line(f"warning: {printable(warning, 1000)}", yellow=True)
        for line in changed(conclusion.comparison.both, options.top):
            terminal.line(line)
        for line in _lists(conclusion.comparison, options.top):
            terminal.line(line)
    for line in _remarks(conclusion, options):
        terminal.line(line)
    for line in _failures(conclusion):
        terminal.line(line, red=True)
    if conclusion.saving:
        terminal.line(conclusion.saving)


def _list_largest(
    terminal: pytest.TerminalReporter, conclusion: Conclusion, options: Options
) -> None:
    total = len(conclusion.tests)
    shown = min(total, options.top or total)
    terminal.section(f"allocmeter: {shown:,} of {total:,} measured tests, by {options.sort}")
    if total:
        for line in largest(conclusion.tests, options.sort, options.top):
            terminal.line(line)


def _counts(comparison: TestsComparison) -> str:
    differ = sum(difference.is_change for difference in comparison.both)
    counts = [(len(comparison.both) - differ, "unchanged"), (differ, "changed")]
    counts += [(len(comparison.new), "new"), (len(comparison.vanished), "vanished")]
    counts += [(comparison.unseen, "of the baseline not measured now")]
    return ", ".join(f"{human_count(count)} {what}" for count, what in counts if count) or "no test"


def _remarks(conclusion: Conclusion, options: Options) -> Iterator[str]:
    for test, reason in conclusion.by_chance:
        yield f"varies  {printable(test, WIDEST_TEST)}: {reason}"
    once = sum(figures.rounds == 1 for figures in conclusion.tests.values())
    if options.rounds > 1 and once:
        tests = "1 test was" if once == 1 else f"{human_count(once)} tests were"
        yield f"{tests} measured in one round only: what varies there is not known"


def _lists(comparison: TestsComparison, top: int) -> Iterator[str]:
    for what, tests in (("new", comparison.new), ("vanished", comparison.vanished)):
        shown: Sequence[str] = tests[:top] if top else tests
        for test in shown:
            yield f"{what}  {printable(test, WIDEST_TEST)}"
        if hidden := len(tests) - len(shown):
            yield f"and {human_count(hidden)} more {what}"


def _failures(conclusion: Conclusion) -> Iterator[str]:
    for violation in conclusion.regressions:
        yield f"FAILED  {printable(violation.name, WIDEST_TEST)}: {violation.reason}"
    for violation in conclusion.improvements:
        yield (
            f"FAILED  {printable(violation.name, WIDEST_TEST)}: {violation.reason}; "
            "--allocmeter-ratchet fails for it until it is saved"
        )
    for owner, reason in conclusion.generous:
        yield f"FAILED  {printable(owner, WIDEST_TEST)}: limit_allocations {reason}"
    if conclusion.error:
        yield f"FAILED  {conclusion.error}"
