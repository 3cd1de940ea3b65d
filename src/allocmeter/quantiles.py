"""Percentiles and the median, with the conventions of numpy and of the standard library."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def percentile(values: Iterable[float], p: float) -> float:
    """Return the `p`-th percentile of `values`, interpolated linearly.

    The convention is type 7 of Hyndman and Fan (1996), the default of `numpy.percentile`, and
    the arithmetic is numpy's too, so that both give the same float.

    Args:
        values: finite numbers in any order and any unit.
        p: a number from 0 to 100; it need not be whole.

    Returns:
        The percentile in the unit of `values`; 0 if there are none.

    Raises:
        TypeError: `p` is not a number.
        ValueError: `p` lies outside 0 to 100, or it or one of the values is not finite.
    """
    if isinstance(p, bool) or not isinstance(p, (int, float)):
        raise TypeError(f"a percentile is a number from 0 to 100, not {type(p).__name__} ({p!r})")
    # Written so that NaN, for which every comparison is false, is refused as well.
    if not 0 <= p <= 100:
        raise ValueError(f"a percentile is a number from 0 to 100, not {p!r}")
    ordered = _finite_sorted(values)
    if not ordered:
        return 0.0
    position = (len(ordered) - 1) * (p / 100)
    below = math.floor(position)
    weight = position - below
    low = ordered[below]
    high = ordered[min(below + 1, len(ordered) - 1)]
    # From the nearer neighbour, as numpy does: the result is then monotonic in `p` and reaches
    # the upper neighbour exactly.
    if weight >= 0.5:
        return high - (high - low) * (1 - weight)
    return low + (high - low) * weight


def median(values: Iterable[float]) -> float:
    """Return the median of `values` as `statistics.median` defines it.

    Args:
        values: finite numbers in any order and any unit.

    Returns:
        The middle value, or the mean of the two middle ones; 0 if there are none.

    Raises:
        ValueError: one of the values is not finite.
    """
    from statistics import median as standard_median

    ordered = _finite_sorted(values)
    return standard_median(ordered) if ordered else 0.0


def check_finite(values: Iterable[float]) -> None:
    """Refuse infinities and NaN, which have no place in an order or a range.

    Raises:
        ValueError: one of the values is not finite.
    """
    for value in values:
        if not math.isfinite(value):
            raise ValueError(f"values must be finite numbers; got {value!r}")


def _finite_sorted(values: Iterable[float]) -> list[float]:
    ordered = list(values)
    check_finite(ordered)
    ordered.sort()
    return ordered
