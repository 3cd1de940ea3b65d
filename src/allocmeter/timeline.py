"""Samples of live memory over time, as many as may be kept."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MemorySample:
    """Live memory at one moment, relative to the baseline.

    Attributes:
        time: seconds since the tracker was made, entered or reset.
        net_bytes: bytes allocated since then and not freed; negative if more was freed.
        net_allocations: likewise in blocks.
        rss_bytes: resident set size of the whole process, `None` where it cannot be known.
    """

    time: float
    net_bytes: int
    net_allocations: int
    rss_bytes: int | None


class Timeline:
    """Samples at even distances, the distance doubling whenever there are too many."""

    __slots__ = ("_limit", "_offered", "_started", "_stride", "samples")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.restart()

    def restart(self) -> None:
        """Drop all samples, and count time from now on."""
        self.samples: list[MemorySample] = []
        self._offered = 0
        self._stride = 1
        self._started = time.perf_counter()

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return time.perf_counter() - self._started

    def add(self, sample: MemorySample) -> None:
        """Take a sample in, or leave it out if its turn is between two that are kept."""
        if self._offered % self._stride == 0:
            self.samples.append(sample)
            if len(self.samples) > self._limit:
                del self.samples[1::2]
                self._stride *= 2
        self._offered += 1
