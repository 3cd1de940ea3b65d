"""Arrays of numpy, whose memory comes from malloc: the native domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.workloads import in_one_scope

if TYPE_CHECKING:
    from benchmarks.workloads import Scope, Work


def small_arrays(scope: Scope | None) -> Work:
    """A loop of arithmetic on arrays of a few hundred numbers, a new array for each result."""
    import numpy as np

    first = np.arange(300, dtype=np.float64)

    def work() -> float:
        total = 0.0
        for n in range(12_000):
            moved = first * 1.5 + n
            total += float((moved[1:] - moved[:-1]).sum())
        return total

    return in_one_scope(scope, work)
