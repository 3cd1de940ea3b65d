"""Live memory relative to a baseline, and how high it rises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allocmeter._core.figures import FINAL, NOW, HighWaterMark, read_scope
from allocmeter.observing import read_stats
from allocmeter.stats import AllocationStats

if TYPE_CHECKING:
    from allocmeter._core.structures import Figures
    from allocmeter._core.types import NativeScope
    from allocmeter.scopes import measure


@dataclass(frozen=True, slots=True)
class MemoryPeak:
    """The highest values that live memory reached, each at its own moment.

    Attributes:
        bytes: most bytes alive at once.
        allocations: most blocks alive at once.
    """

    bytes: int
    allocations: int


class LiveMemory:
    """What a scope, or without one the process, has alive beyond what it had at a baseline."""

    __slots__ = ("_baseline", "_final", "_mark", "_moment", "_scope")

    def __init__(
        self,
        scope: NativeScope | None,
        mark: HighWaterMark | None,
        baseline: AllocationStats,
        moment: int,
    ) -> None:
        self._scope = scope
        self._mark = mark
        self._baseline = baseline
        self._moment = moment
        self._final: tuple[AllocationStats, MemoryPeak] | None = None

    @classmethod
    def found(cls, scope: NativeScope | None) -> LiveMemory:
        """Look from now on at a scope that was found current, or without one at the process.

        Such a scope may end at any time, and what it does later counts.
        """
        # The mark first: it then covers the moment of the baseline, so no peak is below zero.
        mark = HighWaterMark(scope)
        return cls(scope, mark, read_stats(scope), NOW)

    @classmethod
    def of_own(cls, scope: measure) -> LiveMemory:
        """Look at a scope that is about to be entered; its figures are final when it ends."""
        return cls(scope, None, AllocationStats(), FINAL)

    @property
    def is_final(self) -> bool:
        """Whether the figures stay as they are."""
        return self._final is not None

    @property
    def current(self) -> AllocationStats:
        """What was allocated and freed since the baseline."""
        return self._total() - self._baseline if self._final is None else self._final[0]

    @property
    def peak(self) -> MemoryPeak:
        """The highest values since the baseline, beyond what was alive at the baseline."""
        if self._final is not None:
            return self._final[1]
        high: HighWaterMark | Figures
        if self._mark is not None:
            high = self._mark
        else:  # the scope is our own and begins at the baseline, so its own peaks will do
            assert self._scope is not None
            high = read_scope(self._scope, FINAL)
        return MemoryPeak(
            high.peak_bytes - self._baseline.net_bytes,
            high.peak_allocations - self._baseline.net_allocations,
        )

    def reset(self) -> None:
        """Move the baseline to now, and let peaks start from what is alive."""
        if self._mark is None:
            self._mark = HighWaterMark(self._scope)
        else:
            self._mark.reset()
        self._baseline = self._total()

    def finish(self) -> None:
        """Keep the figures as they are now."""
        self._final = self.current, self.peak

    def _total(self) -> AllocationStats:
        return read_stats(self._scope, self._moment)
