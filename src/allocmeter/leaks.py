"""Find memory that an operation allocated and nobody has freed since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from allocmeter._core.own import OWN
from allocmeter.callables import is_async
from allocmeter.checks import check_count
from allocmeter.errors import LeakError
from allocmeter.leak_check import Repetition
from allocmeter.observing import observed_scope, read_stats, stop_observing
from allocmeter.scopes import measure
from allocmeter.stats import AllocationStats
from allocmeter.tolerance import limit_text, limits, line_of_assertion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from types import TracebackType
    from typing import Self

    from allocmeter._core.types import NativeScope
    from allocmeter.leak_check import LeakCheck

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

    def assert_no_leaks(
        self, max_bytes: int | None = None, max_allocations: int | None = None
    ) -> None:
        """Raise if more memory is still alive than is tolerated.

        Without arguments none is; with only one of them, the other is unlimited.

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
            if max_bytes is not None:
                check_count("max_bytes", max_bytes)
            if max_allocations is not None:
                check_count("max_allocations", max_allocations)
            most_bytes, most_blocks = limits(max_bytes, max_allocations)
            delta = self.delta()
            if delta.net_bytes <= most_bytes and delta.net_allocations <= most_blocks:
                return
            raise LeakError(
                f"memory leak in {self._subject()}, found at {line_of_assertion()}: "
                f"net blocks {delta.net_allocations} (tolerated {limit_text(most_blocks)}), "
                f"net bytes {delta.net_bytes} (tolerated {limit_text(most_bytes)}). "
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
            repetition = Repetition(fn, iterations, warmup)
            if is_async(fn):
                return repetition.run_async()
        return repetition.run()


async def _completed(value: T) -> T:
    return value
