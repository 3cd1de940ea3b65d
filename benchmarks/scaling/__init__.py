"""How cost and memory grow: each module goes along one axis and returns the figure at each point.

A figure is stored under "CURVE POINT", such as "fresh 1000". Costs are CPU seconds for each
allocation together with its free, the smallest of several repeats.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS = 3


def seconds_each(work: Callable[[], object], allocations: int) -> float:
    """Return the CPU seconds for each of the allocations that a call makes and frees."""
    best = float("inf")
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best / allocations
