"""The tables of tests in pytest's summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allocmeter.limits import METRICS
from allocmeter.renderers.printable import printable
from allocmeter.testing.metrics import figure
from allocmeter.units import human_bytes, human_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from allocmeter.comparison import Change
    from allocmeter.limits import Metric
    from allocmeter.testing.comparison import Difference
    from allocmeter.testing.figures import TestFigures

# A node id is shown whole, to be copied: what is longer holds no name that somebody reads.
WIDEST_TEST: Final = 400


def largest(tests: Mapping[str, TestFigures], sort: Metric, top: int) -> list[str]:
    """Return the lines of the table of the tests that allocate most.

    Args:
        tests: the figures by node id.
        sort: the column to sort by, largest first.
        top: how many tests to show; 0 for all.
    """
    order = sorted(tests, key=lambda test: (-figure(tests[test], sort), test))
    shown = order[:top] if top else order
    rows = [[_shown(metric)(figure(tests[test], metric)) for metric in METRICS] for test in shown]
    return list(_aligned(rows, shown))


def changed(differences: Sequence[Difference], top: int) -> list[str]:
    """Return the lines of the table of the tests that differ from the baseline.

    Args:
        differences: of any tests; those that changed by most bytes come first.
        top: how many tests to show; 0 for all.
    """
    found = [difference for difference in differences if difference.is_change]
    found.sort(key=lambda each: (-abs(each.of("bytes").absolute), each.test))
    shown = found[:top] if top else found
    rows = [[_changed(metric, each.of(metric)) for metric in METRICS] for each in shown]
    lines = list(_aligned(rows, [each.test for each in shown])) if shown else []
    if hidden := len(found) - len(shown):
        lines.append(f"and {human_count(hidden)} more that changed")
    return lines


def _shown(metric: Metric) -> Callable[[float], str]:
    return human_count if metric == "allocations" else human_bytes


def _changed(metric: Metric, change: Change) -> str:
    if not change.absolute:
        return "="
    shown = _shown(metric)
    sign = "+" if change.absolute > 0 else ""
    share = f" ({change.relative:+.1%})" if change.baseline else ""
    return f"{sign}{shown(change.absolute)}{share}"


def _aligned(rows: Sequence[Sequence[str]], tests: Sequence[str]) -> Iterator[str]:
    cells: list[Sequence[str]] = [METRICS, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row, test in zip(cells, ["test", *tests], strict=True):
        figures = "  ".join(map(str.rjust, row, widths))
        yield f"{figures}  {printable(test, WIDEST_TEST)}"
