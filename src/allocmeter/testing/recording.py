"""Collecting the figures of tests from their reports, which xdist brings from its workers."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from allocmeter.testing.baseline_format import parsed, plain
from allocmeter.testing.figures import FIGURES, TestFigures, with_smaller
from allocmeter.testing.generosity import MarkedBudget, budget_of
from allocmeter.testing.selection import Selection
from allocmeter.testing.settling import collect_between_tests

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

# Attributes of reports: what a report has beside its own attributes crosses to the controller.
_ATTRIBUTE = "allocmeter_figures"
_BUDGET = "allocmeter_budget"
_DESELECTED = "allocmeter_deselected"


class Recording:
    """Keeps the figures of the tests that passed, and knows which tests there are.

    A test that failed, was skipped or was expected to fail did not do all its work, so its figures
    say nothing. Of one that was run again, the time counts when it passed.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.tests: dict[str, TestFigures] = {}
        self.budgets: dict[str, MarkedBudget] = {}
        self.selection: Selection = Selection(config)
        self._ratchet = bool(config.option.allocmeter_ratchet)
        self._failed: set[str] = set()
        self._deselected: list[str] = []

    def pytest_runtest_logstart(self) -> None:
        """Have each test start without the garbage of those before."""
        collect_between_tests()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give the report of a call its figures."""
        report = yield
        if call.when == "call" and (figures := item.stash.get(FIGURES, None)) is not None:
            setattr(report, _ATTRIBUTE, plain(figures))
            if self._ratchet and (budget := budget_of(item)) is not None:
                setattr(report, _BUDGET, asdict(budget))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the figures of a test that passed."""
        test = report.nodeid
        self.selection.add([test])
        if report.failed:
            self._failed.add(test)
            self.tests.pop(test, None)
            self.budgets.pop(test, None)
        figures = getattr(report, _ATTRIBUTE, None)
        has_passed = report.passed and not hasattr(report, "wasxfail")
        if figures is not None and has_passed and test not in self._failed:
            found = parsed(figures)
            earlier = self.tests.get(test)  # where every worker runs every test
            self.tests[test] = found if earlier is None else with_smaller(found, earlier)
            if (budget := getattr(report, _BUDGET, None)) is not None:
                self.budgets[test] = MarkedBudget(**budget)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take note of the tests that are to be run."""
        self.selection.add(item.nodeid for item in session.items)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Take note of tests that are not."""
        self._deselect(item.nodeid for item in items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take note of files whose tests nobody knows."""
        if not report.passed:
            self.selection.add_uncollected(report.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Take note of what a worker of xdist has collected."""
        self.selection.add(ids)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take note of what a worker of xdist has deselected."""
        self._deselect(getattr(node, "workeroutput", {}).get(_DESELECTED, ()))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the controller what this worker has deselected."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_DESELECTED] = self._deselected

    def _deselect(self, tests: Iterable[str]) -> None:
        found = list(tests)
        self._deselected += found
        self.selection.add(found)
