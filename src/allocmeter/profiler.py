"""Measure an operation many times and describe how its figures spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast, overload

from allocmeter import profile_format, scopes
from allocmeter._core.own import OWN
from allocmeter.calls import call_measured, wrap
from allocmeter.comparison import ProfileComparison
from allocmeter.run_log import ProfiledBlock, RunLog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Self

    from allocmeter.histogram import AllocationHistogram
    from allocmeter.runs import Quantity
    from allocmeter.stats import AllocationStats

P = ParamSpec("P")
T = TypeVar("T")


class AllocationProfiler:
    """Collect the figures of an operation that runs many times.

    Every run has a scope of its own, so runs may overlap in any number of tasks and threads.
    Figures are stored after a run's scope was left and are charged to this library. Means,
    medians, percentiles and histograms describe the successful runs that are kept; of nothing
    they are 0.

    Args:
        name: of every scope opened, under which `report()` lists them too; `None` for unnamed.
        max_measurements: how many successes, and how many failures, to keep, the latest ones;
            `None` keeps all.

    Raises:
        TypeError: `name` is not a string, or `max_measurements` not an `int`.
        ValueError: `max_measurements` is below 1.
    """

    def __init__(self, name: str | None = None, max_measurements: int | None = None) -> None:
        with OWN:
            self._log = RunLog(name, max_measurements)

    def reset(self) -> None:
        """Forget everything measured so far; a run still open is stored when it ends."""
        with OWN:
            self._log.clear()

    @overload
    def profile(
        self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T]: ...

    @overload
    def profile(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...

    def profile(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call `fn`, store what it allocated and return its result.

        Args:
            fn: plain or async, as for `AllocationTracker.measure`.
            args: passed to `fn`.
            kwargs: passed to `fn`.

        Returns:
            The result, or an awaitable of it if `fn` is async.

        Raises:
            TypeError: `fn` is a generator function; calling it would only create the generator.
            BackendUnavailableError: the native library cannot be used.
            BaseException: whatever `fn` raised; the run is stored as a failure.
        """
        return call_measured(self._log, fn, args, kwargs)

    def measure(self) -> ProfiledBlock:
        """Return a context manager, for `with` or `async with`, that measures its block once.

        Entering it gives the block's scope. A block left by an exception is stored as a failure.
        """
        with OWN:
            return ProfiledBlock(self._log, scopes.measure(self.name))

    def __call__(self, fn: Callable[P, T]) -> Callable[P, T]:
        """Decorate a function so that every call of it is profiled.

        Args:
            fn: a plain or coroutine function or method; above `@classmethod` or `@staticmethod`
                works as well as below.

        Returns:
            A function of the same signature, which is a coroutine function if `fn` is one.

        Raises:
            TypeError: `fn` is a class, a generator function, or not callable.
        """
        if isinstance(fn, (classmethod, staticmethod)):
            return cast("Callable[P, T]", type(fn)(self(fn.__func__)))
        if isinstance(fn, type) or not callable(fn):
            raise TypeError(
                f"only a function or a callable object can be profiled, not {fn!r}; "
                "decorate the methods of a class instead"
            )
        return wrap(self._log, fn)

    @property
    def name(self) -> str | None:
        """The name given to every scope."""
        return self._log.name

    @property
    def max_measurements(self) -> int | None:
        """How many successes, and how many failures, are kept; `None` for all."""
        return self._log.max_measurements

    @property
    def count(self) -> int:
        """Successful runs since the last reset, those no longer kept included."""
        return self._log.count

    @property
    def errors(self) -> int:
        """Runs that ended in an exception other than a cancellation."""
        return self._log.errors

    @property
    def cancelled(self) -> int:
        """Runs that were cancelled."""
        return self._log.cancelled

    @property
    def failures(self) -> int:
        """Runs that raised or were cancelled."""
        return self._log.failures

    @property
    def measurements(self) -> tuple[AllocationStats, ...]:
        """The figures of the successful runs kept, in the order in which they ended."""
        with OWN:
            return tuple(run.stats for run in self._log.runs().measurements)

    @property
    def failed_measurements(self) -> tuple[AllocationStats, ...]:
        """The figures of the failed runs kept, up to the moment each of them failed."""
        with OWN:
            return tuple(run.stats for run in self._log.runs().failed_measurements)

    @property
    def mean_bytes(self) -> float:
        """Arithmetic mean of the bytes allocated per run."""
        with OWN:
            return self._log.runs().mean("bytes_allocated")

    @property
    def median_bytes(self) -> float:
        """Median of the bytes allocated per run, as `statistics.median` has it."""
        with OWN:
            return self._log.runs().median("bytes_allocated")

    def percentile_bytes(self, p: float) -> float:
        """Return the `p`-th percentile of the bytes allocated per run.

        Args:
            p: a number from 0 to 100; neighbours are interpolated as `numpy.percentile` does.

        Raises:
            TypeError: `p` is not a number.
            ValueError: `p` lies outside 0 to 100.
        """
        with OWN:
            return self._log.runs().percentile("bytes_allocated", p)

    @property
    def mean_allocations(self) -> float:
        """Arithmetic mean of the blocks allocated per run."""
        with OWN:
            return self._log.runs().mean("allocations")

    @property
    def median_allocations(self) -> float:
        """Median of the blocks allocated per run, as `statistics.median` has it."""
        with OWN:
            return self._log.runs().median("allocations")

    def percentile_allocations(self, p: float) -> float:
        """Return the `p`-th percentile of the blocks allocated per run.

        Args:
            p: as for `percentile_bytes`.

        Raises:
            TypeError: `p` is not a number.
            ValueError: `p` lies outside 0 to 100.
        """
        with OWN:
            return self._log.runs().percentile("allocations", p)

    def histogram(self, buckets: int = 10, of: Quantity = "bytes_allocated") -> AllocationHistogram:
        """Return how a quantity is spread over the successful runs kept.

        Args:
            buckets: how many buckets of equal width.
            of: a counter or net figure of `AllocationStats`, or `"peak_bytes"` or
                `"peak_allocations"`, the high-water marks of a run's live memory.

        Raises:
            TypeError: `buckets` is not an `int`.
            ValueError: `buckets` is below 1, or there is no such quantity.
        """
        with OWN:
            return self._log.runs().histogram(of, buckets)

    def merge(self, other: AllocationProfiler) -> None:
        """Add everything another profiler measured, after what is here; it stays unchanged.

        With `max_measurements` the earliest measurements give way; counts are added in full.

        Raises:
            TypeError: `other` is not a profiler.
        """
        if not isinstance(other, AllocationProfiler):
            raise TypeError(f"only a profiler can be merged, not {type(other).__name__}")
        with OWN:
            # One lock at a time: two profilers may be merged into each other at once.
            self._log.extend(other._log.runs())

    def compare(self, baseline: AllocationProfiler) -> ProfileComparison:
        """Return how this profiler's figures differ from those of an earlier one.

        Args:
            baseline: what to compare with, for example restored by `from_json`.

        Raises:
            TypeError: `baseline` is not a profiler.
            ValueError: one of the two has no successful run, so there is nothing to compare.
        """
        if not isinstance(baseline, AllocationProfiler):
            raise TypeError(f"only profilers can be compared, not {type(baseline).__name__}")
        with OWN:
            return ProfileComparison.between(baseline._log.runs(), self._log.runs())

    def to_json(self) -> str:
        """Return all measurements as JSON text, for `from_json` in this or another process."""
        with OWN:
            return profile_format.write(self._log)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Rebuild a profiler from what `to_json` gave; it can go on measuring.

        Args:
            text: the whole document; fields that this version does not know are ignored.

        Raises:
            ReportFormatError: the text is damaged, is not a profile, or has a newer schema.
        """
        with OWN:
            saved = profile_format.read(text)
            profiler = cls(saved.name, saved.max_measurements)
            profiler._log.extend(saved.runs())
            return profiler

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        return f"<AllocationProfiler{name}: {self.count} measured, {self.failures} failed>"
