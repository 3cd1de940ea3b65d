"""Get the result of one call together with what it allocated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from allocmeter.calls import call_measured
from allocmeter.stats import AllocationStats

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from allocmeter.scopes import measure

P = ParamSpec("P")
T = TypeVar("T")

_ATTRIBUTE = "__allocation_stats__"


class AllocationTracker:
    """Run a callable and return its result together with what it allocated.

    Every call has a scope of its own, and nothing is kept between calls, so one tracker, or
    the class itself, may be used from any number of tasks and threads at once. That is also
    why the figures of a failed call travel on its exception: kept on the tracker, they would
    be overwritten by a neighbour's.
    """

    __slots__ = ()

    @overload
    @staticmethod
    def measure(  # type: ignore[overload-overlap]  # the first that fits is meant to win
        fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, tuple[T, AllocationStats]]: ...

    @overload
    @staticmethod
    def measure(
        fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> tuple[T, AllocationStats]: ...

    @staticmethod
    def measure(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call `fn` in a new scope.

        Args:
            fn: a plain callable, or an async one: a coroutine function, a `functools.partial`
                of one, an object whose `__call__` is one, or anything that returns an
                awaitable.
            args: passed to `fn`.
            kwargs: passed to `fn`. For a plain callable the interpreter unpacks them inside the
                scope, so its figures have a few small blocks more, some of which it may keep
                for reuse; arguments by position cost nothing.

        Returns:
            `(result, stats)`, or an awaitable of that if `fn` is async. The coroutine that
            calling a coroutine function creates is not in the figures; running it is.

        Raises:
            TypeError: `fn` is a generator function; calling it would only create the generator.
            BackendUnavailableError: the native library cannot be used.
            BaseException: whatever `fn` raised, a cancellation included; ask `stats_of` what
                had been allocated by then.
        """
        return call_measured(_RESULTS_WITH_STATS, fn, args, kwargs)

    @staticmethod
    def stats_of(error: BaseException) -> AllocationStats | None:
        """Return the figures of the measured call that an exception came out of.

        Args:
            error: an exception caught around `measure`, or around awaiting what it returned.

        Returns:
            The final figures of the last measured call that the exception left, which is the
            outermost so far if calls were nested; `None` if it left none.
        """
        stats = error.__dict__.get(_ATTRIBUTE)
        return stats if isinstance(stats, AllocationStats) else None


class _ResultsWithStats:
    name = None

    def settle(
        self, scope: measure, result: T, error: BaseException | None
    ) -> tuple[T, AllocationStats]:
        stats = scope.stats
        if error is not None:
            # Straight into the dictionary: a frozen dataclass as an exception refuses setattr().
            error.__dict__[_ATTRIBUTE] = stats
        return result, stats


_RESULTS_WITH_STATS = _ResultsWithStats()
