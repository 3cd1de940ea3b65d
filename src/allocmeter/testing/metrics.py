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
