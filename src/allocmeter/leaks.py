"""Find memory that an operation allocated and nobody has freed since."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise, repeat
from typing import TYPE_CHECKING, Any, TypeVar, overload

from allocmeter._core.figures import NOW, current_scope, read_process, read_scope
from allocmeter._core.own import OWN
from allocmeter.callables import is_async
from allocmeter.checks import check_count
from allocmeter.errors import LeakError
from allocmeter.scopes import measure
from allocmeter.stats import AllocationStats
from allocmeter.tracking import is_tracking, start_tracking, stop_tracking

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from types import TracebackType
    from typing import Self

    from allocmeter._core.types import NativeScope

T = TypeVar("T")


class LeakDetector:
    """Tell what an operation allocated that is still alive now.

    As a context manager (`with` or `async with`, once per object) it opens a scope of its own
    and looks at that. As a plain object it looks at the scope that is current where it is made,
    from then on; outside every scope it turns process-wide tracking on and looks at the process.

    Every figure is computed anew when it is asked for, also after the block has ended: what is
    freed later is no longer a leak. Figures may be read from any task or thread.

    Args:
        name: for messages and, as a context manager, of the scope in the report.

    Raises:
        BackendUnavailableError: the native library cannot be used.
    """

    __slots__ = ("_baseline", "_entered", "_name", "_scope")

    def __init__(self, name: str | None = None) -> None:
        with OWN:
            self._name = name
            self._entered = False
            self._scope: NativeScope | None = observed_scope()
            self._baseline = read_stats(self._scope)

    @property
    def name(self) -> str | None:
        """The name given, or else that of the scope looked at."""
        if self._name is None and self._scope is not None:
            return self._scope.name
        return self._name

    def delta(self) -> AllocationStats:
        """Return what was allocated and freed since the baseline; net figures may be negative."""
        with OWN:
            return read_stats(self._scope) - self._baseline

    @property
    def net_allocations(self) -> int:
        """Blocks allocated less blocks freed since the baseline."""
        with OWN:
            return self.delta().net_allocations

    @property
    def net_bytes(self) -> int:
        """Bytes allocated less bytes freed since the baseline."""
        with OWN:
            return self.delta().net_bytes

    def has_leaks(self) -> bool:
        """Tell whether more bytes or more blocks are alive than at the baseline."""
        with OWN:
            delta = self.delta()
            return delta.net_bytes > 0 or delta.net_allocations > 0

    def assert_no_leaks(self, max_bytes: int = 0, max_allocations: int = 0) -> None:
        """Raise if more memory is still alive than is tolerated.

        Args:
            max_bytes: net bytes that are tolerated.
            max_allocations: net blocks that are tolerated.

        Raises:
            LeakError: more bytes or more blocks are alive. The message names the scope, both
                figures and the caller's line.
            TypeError: a tolerance is not an `int`.
            ValueError: a tolerance is negative.
        """
        with OWN:
            check_count("max_bytes", max_bytes)
            check_count("max_allocations", max_allocations)
            delta = self.delta()
            if delta.net_bytes <= max_bytes and delta.net_allocations <= max_allocations:
                return
            raise LeakError(
                f"memory leak in {self._subject()}, found at {_caller()}: "
                f"net blocks {delta.net_allocations} (tolerated {max_allocations}), "
                f"net bytes {delta.net_bytes} (tolerated {max_bytes}). "
                "Drop what still refers to them, or tolerate them if they are meant to stay.",
                allocations=delta.net_allocations,
                bytes=delta.net_bytes,
                name=self.name,
            )

    def _subject(self) -> str:
        if self.name is not None:
            return f"scope {self.name!r}"
        return "the process" if self._scope is None else "an unnamed scope"

    def __enter__(self) -> Self:
        with OWN:
            if self._entered:
                raise RuntimeError(
                    "this LeakDetector has been entered before and keeps the figures of that "
                    "block: make a new one for each block"
                )
            self._entered = True
            stop_observing(self._scope)
            self._scope = measure(self._name)
            self._baseline = AllocationStats()
        self._scope.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._scope is not None
        self._scope.__exit__(exc_type, exc_value, traceback)

    def __aenter__(self) -> Coroutine[Any, Any, Self]:
        self.__enter__()
        with OWN:
            return _completed(self)

    def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> Coroutine[Any, Any, None]:
        self.__exit__(exc_type, exc_value, traceback)
        with OWN:
            return _completed(None)

    # An awaitable is a result too; the first overload that fits is taken.
    @overload
    @classmethod
    def check(  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
        cls, fn: Callable[[], Awaitable[object]], *, iterations: int = 10, warmup: int = 2
    ) -> Coroutine[Any, Any, LeakCheck]: ...

    @overload
    @classmethod
    def check(
        cls, fn: Callable[[], object], *, iterations: int = 10, warmup: int = 2
    ) -> LeakCheck: ...

    @classmethod
    def check(cls, fn: Callable[[], Any], *, iterations: int = 10, warmup: int = 2) -> Any:
        """Call `fn` again and again, and tell how live memory grows from call to call.

        All calls share one scope, so that a call which replaces what an earlier one has cached
        is not taken for a leak. After each call its result is dropped and garbage is collected.

        Args:
            fn: a callable without arguments, plain or async.
            iterations: calls that are looked at. With other tasks on the event loop give it more
                than the default, so that a leak stands out from the loop's own bookkeeping.
            warmup: calls before those; they fill caches and set the baseline.

        Returns:
            A `LeakCheck`; an awaitable of it if `fn` is async.

        Raises:
            TypeError: a number is not an `int`; `fn` is a generator function, or a plain
                callable that returned an awaitable.
            ValueError: `iterations` is below 1, or `warmup` below 0.
            BaseException: whatever `fn` raised.
        """
        with OWN:
            check_count("iterations", iterations, 1)
            check_count("warmup", warmup)
            repetition = _Repetition(fn, iterations, warmup)
            if is_async(fn):
                return repetition.run_async()
        return repetition.run()


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

    def assert_no_leaks(self, max_bytes: float = 0, max_allocations: float = 0) -> None:
        """Raise if live memory grows by more than is tolerated.

        Args:
            max_bytes: growth per iteration that is tolerated, in bytes.
            max_allocations: growth per iteration that is tolerated, in blocks.

        Raises:
            LeakError: it grows by more; the error carries what all iterations together left
                behind.
        """
        with OWN:
            if self.growth_bytes <= max_bytes and self.growth_allocations <= max_allocations:
                return
            raise LeakError(
                f"memory leak in {self}, found at {_caller()}; "
                f"tolerated were {max_allocations} blocks and {max_bytes} bytes per iteration. "
                "net_bytes and net_allocations tell what each iteration left behind.",
                allocations=sum(self.net_allocations),
                bytes=sum(self.net_bytes),
                name=self.name,
            )

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.growth_allocations:+.1f} blocks and {self.growth_bytes:+.1f} "
            f"bytes per iteration over {len(self.net_bytes)} iterations"
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


class _Repetition:
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
        with self._scope:
            for _ in self._warmup:
                refuse_awaitable(self._fn, self._fn())
            self._note()
            for _ in self._iterations:
                refuse_awaitable(self._fn, self._fn())
                self._note()
        return self._result()

    async def run_async(self) -> LeakCheck:
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


def observed_scope() -> NativeScope | None:
    """Return the current scope; outside every scope, track the process and return `None`."""
    global _process_observers, _tracking_is_ours  # noqa: PLW0603 - tracking is process-wide too
    scope = current_scope()
    if scope is None:
        if not is_tracking():
            start_tracking()
            _process_observers, _tracking_is_ours = 0, True
        _process_observers += 1
    return scope


def stop_observing(scope: NativeScope | None) -> None:
    """Undo `observed_scope` for an object that is entered, and so gets a scope of its own.

    Only on entering does it show that an object made outside every scope needs no tracking.
    """
    global _process_observers, _tracking_is_ours  # noqa: PLW0603
    if scope is None:
        _process_observers -= 1
        if _tracking_is_ours and not _process_observers:
            _tracking_is_ours = False
            stop_tracking()


_process_observers = 0
_tracking_is_ours = False


def read_stats(scope: NativeScope | None, moment: int = NOW) -> AllocationStats:
    """Return the figures of a scope at a moment, or without a scope of the process now."""
    figures = read_process() if scope is None else read_scope(scope, moment)
    return AllocationStats.from_figures(figures)


def refuse_awaitable(fn: Callable[..., Any], result: object) -> None:
    """Raise `TypeError` if a plain callable returned work that was not done yet."""
    if not hasattr(type(result), "__await__"):
        return
    with OWN:
        from inspect import iscoroutine

        if iscoroutine(result):
            result.close()  # or it would warn that it was never awaited
        raise TypeError(
            f"{fn!r} is no async function, but returned an awaitable, which has not been run: "
            "pass the async function itself, or an async function that awaits it"
        )


async def _completed(value: T) -> T:
    return value


def _caller() -> str:
    from traceback import extract_stack

    caller, _assertion, _here = extract_stack(limit=3)
    return f"{caller.filename}:{caller.lineno}"
