"""Call a function again and again, and tell whether live memory goes on growing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise, repeat
from typing import TYPE_CHECKING, Any

from allocmeter._core.own import OWN
from allocmeter.awaitables import refuse_awaitable
from allocmeter.errors import LeakError
from allocmeter.observing import read_stats
from allocmeter.scopes import measure
from allocmeter.tolerance import limit_text, limits, line_of_assertion
from allocmeter.units import human_bytes, human_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocmeter.stats import AllocationStats


@dataclass(frozen=True, slots=True)
class LeakCheck:
    """How live memory grew from one call of a function to the next.

    A leak goes on, while a container grows now and then, and an event loop's tables grow and
    shrink. So only growth through all ups and downs counts: in the middle fifth of the
    iterations live memory must stay above all of the first fifth, and in the last fifth above all
    of the middle one. The smaller of these two rises, per iteration, is the growth; it is 0 if
    either is missing.

    Attributes:
        name: of the function.
        net_bytes: for each iteration, the bytes by which live memory grew; negative if it shrank.
        net_allocations: for each iteration, the same in blocks.
    """

    name: str
    net_bytes: tuple[int, ...]
    net_allocations: tuple[int, ...]

    @property
    def growth_bytes(self) -> float:
        """Bytes per iteration by which live memory goes on growing."""
        return _lasting_growth(self.net_bytes)

    @property
    def growth_allocations(self) -> float:
        """Blocks per iteration by which live memory goes on growing."""
        return _lasting_growth(self.net_allocations)

    @property
    def has_leaks(self) -> bool:
        """Whether live memory goes on growing, in bytes or in blocks."""
        return self.growth_bytes > 0 or self.growth_allocations > 0

    def assert_no_leaks(
        self, max_bytes: float | None = None, max_allocations: float | None = None
    ) -> None:
        """Raise if live memory grows by more than is tolerated.

        Without arguments no growth is; with only one of them, the other is unlimited.

        Args:
            max_bytes: growth per iteration that is tolerated, in bytes.
            max_allocations: growth per iteration that is tolerated, in blocks.

        Raises:
            LeakError: it grows by more; the error carries what all iterations together left
                behind.
        """
        with OWN:
            most_bytes, most_blocks = limits(max_bytes, max_allocations)
            if self.growth_bytes <= most_bytes and self.growth_allocations <= most_blocks:
                return
            raise LeakError(
                f"memory leak in {self}, found at {line_of_assertion()}; "
                f"tolerated per iteration: {limit_text(most_blocks)} blocks, "
                f"{limit_text(most_bytes)} bytes. "
                "net_bytes and net_allocations tell what each iteration left behind.",
                allocations=sum(self.net_allocations),
                bytes=sum(self.net_bytes),
                name=self.name,
            )

    def __str__(self) -> str:
        return (
            f"{self.name}: +{human_count(self.growth_allocations)} blocks and "
            f"+{human_bytes(self.growth_bytes)} per iteration over "
            f"{human_count(len(self.net_bytes))} iterations"
        )


def _lasting_growth(net: tuple[int, ...]) -> float:
    live = list(accumulate(net, initial=0))
    width = max(1, len(live) // 5)
    gap = width if len(live) >= 5 else 0
    first, middle, last = live[:width], live[width + gap : -width - gap], live[-width:]
    if not middle:
        return float(max(0, live[-1]))
    rise = min(min(middle) - max(first), min(last) - max(middle))
    return max(0.0, rise / (gap + 1))


class Repetition:
    """Calls a function inside one scope, and notes what is alive after each call."""

    def __init__(self, fn: Callable[[], Any], iterations: int, warmup: int) -> None:
        import gc

        self._fn = fn
        # Counting with a range would allocate its larger numbers inside the scope.
        self._warmup = repeat(None, warmup)
        self._iterations = repeat(None, iterations)
        self._collect = gc.collect
        self._scope = measure()
        self._seen: list[AllocationStats] = []

    def run(self) -> LeakCheck:
        """Call a plain function.

        Raises:
            TypeError: it returned an awaitable.
        """
        with self._scope:
            for _ in self._warmup:
                refuse_awaitable(self._fn, self._fn())
            self._note()
            for _ in self._iterations:
                refuse_awaitable(self._fn, self._fn())
                self._note()
        return self._result()

    async def run_async(self) -> LeakCheck:
        """Call an async function, and await it each time."""
        with self._scope:
            for _ in self._warmup:
                await self._fn()
            self._note()
            for _ in self._iterations:
                await self._fn()
                self._note()
        return self._result()

    def _note(self) -> None:
        self._collect()
        with OWN:
            self._seen.append(read_stats(self._scope))

    def _result(self) -> LeakCheck:
        with OWN:
            steps = [after - before for before, after in pairwise(self._seen)]
            return LeakCheck(
                name=getattr(self._fn, "__qualname__", None) or repr(self._fn),
                net_bytes=tuple(step.net_bytes for step in steps),
                net_allocations=tuple(step.net_allocations for step in steps),
            )
