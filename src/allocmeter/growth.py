"""How what the calls of a name retain grows with their number: a leak, or a cache that fills up.

The core samples, at even distances of calls, how much all finished calls retain. The growth is the
slope of those samples over the latest half of the calls. It is estimated as the median of the
slopes between any two samples, which single large steps (a list that grows, a collection of
garbage) do not disturb, with the confidence interval that belongs to it: P. K. Sen, "Estimates of
the regression coefficient based on Kendall's tau", Journal of the American Statistical Association
63 (1968).
"""

from __future__ import annotations

import math
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING, Final

from allocmeter.reports import RetainedGrowth

if TYPE_CHECKING:
    from collections.abc import Sequence

    Sample = tuple[int, int, int]  # calls, bytes and blocks that all of them retained then

# Fewer tell nothing of a trend; more than that many make the pairs of them too many.
_MIN_SAMPLES: Final = 8
_MAX_SAMPLES: Final = 32

_WARMED_UP: Final = 0.1  # share of the calls that may have made what all of them use

_NORMAL_95: Final = 1.96  # standard deviations on either side that hold 95 % of a normal variable
_CALLS: Final = 1000  # that a growth is given for


def retained_growth(samples: Sequence[Sample]) -> RetainedGrowth | None:
    """Return the growth over the latest half of the calls, `None` where there are too few.

    Args:
        samples: of one name, oldest first, with a rising number of calls.
    """
    if len(samples) < 2 * _MIN_SAMPLES:
        return None
    calls = samples[-1][0]
    latest = [sample for sample in samples if 2 * sample[0] >= calls]
    earlier = [sample for sample in samples if _WARMED_UP * calls <= sample[0] <= calls / 2]
    low, middle, high = _slope(_thinned(latest))
    return RetainedGrowth(
        bytes_per_1000_calls=middle * _CALLS,
        low=low * _CALLS,
        high=high * _CALLS,
        earlier=_slope(_thinned(earlier))[1] * _CALLS,
    )


def _thinned(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Return at most so many of the samples as can be paired, evenly chosen, with the last one."""
    step = math.ceil(len(samples) / _MAX_SAMPLES)
    return samples[::-step][::-1]


def _slope(samples: Sequence[Sample]) -> tuple[float, float, float]:
    """Return lower limit, estimate and upper limit of the bytes that a call adds."""
    slopes = sorted(
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for earlier, later in combinations(samples, 2)
    )
    count = len(samples)
    deviation = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    reach = _NORMAL_95 * deviation
    lowest = max(math.floor((len(slopes) - reach) / 2), 0)
    return slopes[lowest], median(slopes), slopes[len(slopes) - 1 - lowest]
