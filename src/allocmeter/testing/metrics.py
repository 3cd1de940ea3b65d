"""The figures of tests by the names that options and markers give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from allocmeter.limits import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allocmeter.limits import Metric
    from allocmeter.testing.figures import TestFigures

_FIELDS: Final[Mapping[Metric, str]] = {
    "bytes": "bytes_allocated",
    "allocations": "allocations",
    "peak": "peak_bytes",
    "retained": "retained_bytes",
}
assert tuple(_FIELDS) == METRICS


def figure(figures: TestFigures, metric: Metric) -> int:
    """Return one figure of a test, in bytes or in blocks."""
    return cast("int", getattr(figures, _FIELDS[metric]))


def in_each_round(figures: TestFigures, metric: Metric) -> tuple[int, ...]:
    """Return one figure of a test in each round but the first, of several.

    The first is left out because it imports modules and fills caches.
    """
    name = _FIELDS[metric]
    steady = (getattr(figures, name),) * max(figures.rounds - 1, 1)
    return figures.each.get(name) or steady
