"""Running the call of one test measured, and failing it if it took more than it may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allocmeter.backend import install
from allocmeter.errors import AllocmeterError
from allocmeter.testing.details import SECTION, details
from allocmeter.testing.examples import Examples
from allocmeter.testing.figures import FIGURES
from allocmeter.testing.markers import asked_of
from allocmeter.testing.measurement import Measurement
from allocmeter.testing.properties import forget, note_figures, note_findings
from allocmeter.testing.rounds import rounds_of
from allocmeter.testing.wrapping import hypothesis_handle, replaced

if TYPE_CHECKING:
    from collections.abc import Generator

    from allocmeter.testing.markers import Asked


def run_measured(item: pytest.Function) -> Generator[None, object, object]:
    """Measure the call of an item, and leave its figures in the item's stash.

    Raises:
        pytest.fail.Exception: a limit of its markers was exceeded, or could not be checked.
    """
    _forget_earlier_run(item)
    asked = _asked_of(item)
    if asked is None:
        return (yield)
    has_examples = hypothesis_handle(item) is not None
    rounds = rounds_of(item, asked.rounds, has_examples=has_examples)
    measurement = Measurement(asked, rounds, Examples().examine if has_examples else None)
    try:
        with replaced(item, measurement):
            result = yield
    finally:
        if measurement.figures is not None and not measurement.unavailable:
            item.stash[FIGURES] = measurement.figures
            note_figures(item, measurement.figures)
        if findings := measurement.refused or measurement.findings():
            item.add_report_section("call", SECTION, details(findings))
            note_findings(item, findings)
    if asked.by_marker and not _unittest_has_failed(item):
        _judge(item, measurement)
    return result


def _forget_earlier_run(item: pytest.Function) -> None:
    if FIGURES in item.stash:
        del item.stash[FIGURES]
    forget(item)


def _asked_of(item: pytest.Function) -> Asked | None:
    """Return what to measure; `None`: it cannot be, and need not."""
    problem, asked = "", None
    try:
        asked = asked_of(item)
        install()
    except pytest.UsageError as error:
        # Of a marker that a fixture added, or in a worker of xdist; see `collecting`.
        problem = str(error)
    except AllocmeterError as error:
        if asked is None or not asked.by_marker:
            return None
        problem = f"{item.name} could not be measured: {error}"
    if problem:
        pytest.fail(problem, pytrace=False)
    return asked


def _judge(item: pytest.Function, measurement: Measurement) -> None:
    """Fail a test that has passed otherwise, if a limit is exceeded or could not be checked."""
    __tracebackhide__ = True
    if measurement.figures is None or measurement.unavailable:
        reason = measurement.unavailable or (
            "its function was not called where it could be measured; is the plugin that runs it "
            "one that calls something else?"
        )
        pytest.fail(f"{item.name} could not be measured: {reason}", pytrace=False)
    if findings := measurement.findings():
        pytest.fail(findings.headline(item.name), pytrace=False)


def _unittest_has_failed(item: pytest.Function) -> bool:
    # unittest keeps what its tests raise until pytest asks for it; so to pytest they all return.
    return bool(getattr(item, "_excinfo", None))
