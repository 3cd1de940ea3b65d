"""Failing single examples of Hypothesis, which then looks for a smaller one that fails as well."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

from allocmeter.errors import BudgetExceededError, LeakError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from allocmeter.testing.findings import Findings
    from allocmeter.testing.measurement import Measurement


class Examples:
    """Refuses examples of one test that take more than they may.

    Hypothesis runs an example again, partly with a trace function that allocates for itself, and
    calls a test flaky that does not fail each time. So what has been found of an example stands.
    """

    def __init__(self) -> None:
        self._refused: dict[Hashable, Findings] = {}

    def examine(self, measurement: Measurement) -> None:
        """Raise if the example that has just been run took more than it may, now or before.

        Raises:
            BudgetExceededError: it exceeded its budget.
            LeakError: it leaks, and did not exceed its budget.
        """
        __tracebackhide__ = True
        example = _current_example()
        findings = self._refused.get(example) or measurement.findings()
        if findings is None:
            return
        if example is not None:
            self._refused[example] = findings
        measurement.refused = findings
        _refuse(findings)


def _current_example() -> Hashable | None:
    """Return what identifies the example that is being run, `None` if that cannot be told.

    The values drawn would not do: what `st.data()` draws is no argument of the test. The choices
    they are made of are not public, so they may not be found where they are.
    """
    control: Any = sys.modules.get("hypothesis.control")
    try:
        data = control.current_build_context().data
        return tuple(data.choices if hasattr(data, "choices") else data.buffer)
    except Exception:  # noqa: BLE001 - without it, an example may be called flaky: no more than that
        return None


def _refuse(findings: Findings) -> NoReturn:
    __tracebackhide__ = True
    figures, text = findings.figures, findings.headline("the example")
    if not findings.excesses:
        raise LeakError(
            text, allocations=figures.retained_allocations, bytes=figures.retained_bytes
        )
    raise BudgetExceededError(
        text,
        allocations=figures.allocations,
        bytes=figures.bytes_allocated,
        peak_bytes=figures.peak_bytes,
    )
