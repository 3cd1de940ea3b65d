"""Measure an operation many times and describe how its figures spread."""

# ruff: noqa: SLF001 - the classes of this module work on each other's records.

from __future__ import annotations

import functools
import math
from collections import deque
from dataclasses import asdict, dataclass, fields
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, TypeVar, cast, get_args, overload

from allocmeter import scopes
from allocmeter._core.callbacks import CANCELLED, FAILED, SUCCEEDED, classify
from allocmeter._core.own import OWN
from allocmeter.errors import ReportFormatError
from allocmeter.histogram import AllocationHistogram
from allocmeter.quantiles import median, percentile
from allocmeter.stats import AllocationStats
from allocmeter.tracker import call_measured, is_coroutine_function
from allocmeter.units import human_bytes, human_count

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from types import TracebackType
    from typing import Self

P = ParamSpec("P")
T = TypeVar("T")

Quantity = Literal[
    "allocations",
    "deallocations",
    "reallocations",
    "bytes_allocated",
    "bytes_deallocated",
    "net_allocations",
    "net_bytes",
    "peak_bytes",
    "peak_allocations",
]

_COMPARED: Final[tuple[Quantity, ...]] = ("bytes_allocated", "allocations")

SCHEMA_VERSION: Final = 1
_KIND: Final = "allocmeter-profile"


@dataclass(frozen=True, slots=True)
class _Record:
    stats: AllocationStats
    peak_bytes: int
    peak_allocations: int

    def figure(self, of: Quantity) -> int:
        figure: int = getattr(self if of.startswith("peak_") else self.stats, of)
        return figure


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
        if name is not None and not isinstance(name, str):
            raise TypeError(f"a profiler's name must be a str, not {type(name).__name__}")
        if max_measurements is not None:
            _check_count("max_measurements", max_measurements, least=1)
        self._name = name
        self._max_measurements = max_measurements
        # Re-entrant: a finalizer that runs while a figure is stored may use this profiler too.
        self._lock = RLock()
        self.reset()

    def reset(self) -> None:
        """Forget everything measured so far; a run still open is stored when it ends."""
        with OWN, self._lock:
            self._count = self._errors = self._cancelled = 0
            self._successes: deque[_Record] = deque(maxlen=self._max_measurements)
            self._failures: deque[_Record] = deque(maxlen=self._max_measurements)

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
        return call_measured(self, fn, args, kwargs)

    def measure(self) -> ProfiledBlock:
        """Return a context manager, for `with` or `async with`, that measures its block once.

        Entering it gives the block's scope. A block left by an exception is stored as a failure.
        """
        with OWN:
            return ProfiledBlock(self, scopes.measure(self._name))

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
        from inspect import iscoroutinefunction

        if isinstance(fn, (classmethod, staticmethod)):
            return cast("Callable[P, T]", type(fn)(self(fn.__func__)))
        if isinstance(fn, type) or not callable(fn):
            raise TypeError(
                f"only a function or a callable object can be profiled, not {fn!r}; "
                "decorate the methods of a class instead"
            )
        if not (is_coroutine_function(fn) or iscoroutinefunction(fn)):

            @functools.wraps(fn)
            def profiled(*args: P.args, **kwargs: P.kwargs) -> T:
                return cast("T", call_measured(self, fn, args, kwargs))

            return profiled

        @functools.wraps(fn)
        async def profiled_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            return await call_measured(self, fn, args, kwargs)

        return cast("Callable[P, T]", profiled_async)

    @property
    def name(self) -> str | None:
        """The name given to every scope."""
        return self._name

    @property
    def max_measurements(self) -> int | None:
        """How many successes, and how many failures, are kept; `None` for all."""
        return self._max_measurements

    @property
    def count(self) -> int:
        """Successful runs since the last reset, those no longer kept included."""
        return self._count

    @property
    def errors(self) -> int:
        """Runs that ended in an exception other than a cancellation."""
        return self._errors

    @property
    def cancelled(self) -> int:
        """Runs that were cancelled."""
        return self._cancelled

    @property
    def failures(self) -> int:
        """Runs that raised or were cancelled."""
        with self._lock:
            return self._errors + self._cancelled

    @property
    def measurements(self) -> tuple[AllocationStats, ...]:
        """The figures of the successful runs kept, in the order in which they ended."""
        with OWN, self._lock:
            return tuple(record.stats for record in self._successes)

    @property
    def failed_measurements(self) -> tuple[AllocationStats, ...]:
        """The figures of the failed runs kept, up to the moment each of them failed."""
        with OWN, self._lock:
            return tuple(record.stats for record in self._failures)

    @property
    def mean_bytes(self) -> float:
        """Arithmetic mean of the bytes allocated per run."""
        return self._mean("bytes_allocated")

    @property
    def median_bytes(self) -> float:
        """Median of the bytes allocated per run, as `statistics.median` has it."""
        return self._median("bytes_allocated")

    def percentile_bytes(self, p: float) -> float:
        """Return the `p`-th percentile of the bytes allocated per run.

        Args:
            p: a number from 0 to 100; neighbours are interpolated as `numpy.percentile` does.

        Raises:
            TypeError: `p` is not a number.
            ValueError: `p` lies outside 0 to 100.
        """
        return self._percentile("bytes_allocated", p)

    @property
    def mean_allocations(self) -> float:
        """Arithmetic mean of the blocks allocated per run."""
        return self._mean("allocations")

    @property
    def median_allocations(self) -> float:
        """Median of the blocks allocated per run, as `statistics.median` has it."""
        return self._median("allocations")

    def percentile_allocations(self, p: float) -> float:
        """Return the `p`-th percentile of the blocks allocated per run.

        Args:
            p: as for `percentile_bytes`.

        Raises:
            TypeError: `p` is not a number.
            ValueError: `p` lies outside 0 to 100.
        """
        return self._percentile("allocations", p)

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
        if of not in get_args(Quantity):
            known = ", ".join(get_args(Quantity))
            raise ValueError(f"no quantity {of!r} is measured; there are {known}")
        with OWN:
            unit: Literal["bytes", "blocks"] = "bytes" if "bytes" in of else "blocks"
            return AllocationHistogram(self._figures(of), buckets, unit=unit)

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
            with other._lock:
                counts = other._count, other._errors, other._cancelled
                successes, failures = tuple(other._successes), tuple(other._failures)
            with self._lock:
                self._count += counts[0]
                self._errors += counts[1]
                self._cancelled += counts[2]
                self._successes.extend(successes)
                self._failures.extend(failures)

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
        changes: list[Change] = []
        with OWN:
            for of in _COMPARED:
                before, now = baseline._figures(of), self._figures(of)
                if not before or not now:
                    raise ValueError(
                        f"the {'profiler' if before else 'baseline'} has no successful "
                        "measurement, so a change cannot be told; run the operation under it first"
                    )
                changes += (
                    Change(_mean(before), _mean(now)),
                    Change(median(before), median(now)),
                    Change(percentile(before, 95), percentile(now, 95)),
                )
            return ProfileComparison(*changes)

    def to_json(self) -> str:
        """Return all measurements as JSON text, for `from_json` in this or another process."""
        import json

        with OWN, self._lock:
            return json.dumps(
                {
                    "schema_version": SCHEMA_VERSION,
                    "kind": _KIND,
                    "name": self._name,
                    "max_measurements": self._max_measurements,
                    "count": self._count,
                    "errors": self._errors,
                    "cancelled": self._cancelled,
                    "measurements": [asdict(record) for record in self._successes],
                    "failed_measurements": [asdict(record) for record in self._failures],
                }
            )

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Rebuild a profiler from what `to_json` gave; it can go on measuring.

        Args:
            text: the whole document; fields that this version does not know are ignored.

        Raises:
            ReportFormatError: the text is damaged, is not a profile, or has a newer schema.
        """
        import json

        with OWN:
            try:
                data = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise ReportFormatError(f"not a profile: the text is no JSON ({error})") from error
            if not isinstance(data, dict) or data.get("kind") != _KIND:
                raise ReportFormatError("not a profile: expected what AllocationProfiler saved")
            _check_version(data.get("schema_version"))
            try:
                profiler = cls(data["name"], data["max_measurements"])
                profiler._restore(data)
            except ReportFormatError:
                raise
            except KeyError as error:
                raise ReportFormatError(f"damaged profile: the field {error} is missing") from error
            except (TypeError, ValueError) as error:
                raise ReportFormatError(f"damaged profile: {error}") from error
            return profiler

    def __repr__(self) -> str:
        name = "" if self._name is None else f" {self._name!r}"
        return f"<AllocationProfiler{name}: {self._count} measured, {self.failures} failed>"

    def _restore(self, data: dict[str, Any]) -> None:
        self._count = _check_count("count", data["count"])
        self._errors = _check_count("errors", data["errors"])
        self._cancelled = _check_count("cancelled", data["cancelled"])
        for field, kept, seen in (
            ("measurements", self._successes, self._count),
            ("failed_measurements", self._failures, self._errors + self._cancelled),
        ):
            records = data[field]
            if not isinstance(records, list):
                raise TypeError(f"{field} must be a list, not {type(records).__name__}")
            most = seen if self._max_measurements is None else min(seen, self._max_measurements)
            if len(records) > most:
                raise ValueError(f"{field} holds {len(records)} entries of at most {most}")
            kept.extend(_read_record(record) for record in records)

    def settle(self, scope: scopes.measure, result: T, error: BaseException | None) -> T:
        """Store a closed scope of `profile`; not meant to be called by users."""
        self._store(scope, None if error is None else type(error))
        return result

    def _store(self, scope: scopes.measure, exc_type: type[BaseException] | None) -> None:
        outcome = SUCCEEDED if exc_type is None else classify(exc_type)
        record = _Record(scope.stats, scope.peak_bytes, scope.peak_allocations)
        with self._lock:
            if outcome == SUCCEEDED:
                self._count += 1
                self._successes.append(record)
                return
            self._cancelled += outcome == CANCELLED
            self._errors += outcome == FAILED
            self._failures.append(record)

    def _figures(self, of: Quantity) -> list[int]:
        with self._lock:
            return [record.figure(of) for record in self._successes]

    def _mean(self, of: Quantity) -> float:
        with OWN:
            return _mean(self._figures(of))

    def _median(self, of: Quantity) -> float:
        with OWN:
            return median(self._figures(of))

    def _percentile(self, of: Quantity, p: float) -> float:
        with OWN:
            return percentile(self._figures(of), p)


class ProfiledBlock:
    """What `AllocationProfiler.measure` returns: measures one block and stores its figures."""

    __slots__ = ("_profiler", "_scope")

    def __init__(self, profiler: AllocationProfiler, scope: scopes.measure) -> None:
        self._profiler = profiler
        self._scope = scope

    # Entering is the last and leaving the first thing done, and the scope itself makes the
    # coroutines of the async pair, so that nothing of ours is allocated inside it.

    def __enter__(self) -> scopes.measure:
        return self._scope.__enter__()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._scope.__exit__(exc_type, exc, traceback)
        with OWN:
            self._profiler._store(self._scope, exc_type)

    def __aenter__(self) -> Awaitable[scopes.measure]:
        return self._scope.__aenter__()

    def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> Awaitable[None]:
        left = self._scope.__aexit__(exc_type, exc, traceback)
        with OWN:
            self._profiler._store(self._scope, exc_type)
        return left


@dataclass(frozen=True, slots=True)
class Change:
    """How one figure differs from its baseline.

    Attributes:
        baseline: the figure before.
        current: the figure now.
    """

    baseline: float
    current: float

    @property
    def absolute(self) -> float:
        """The difference, in the unit of the figure; positive if it grew."""
        return self.current - self.baseline

    @property
    def relative(self) -> float:
        """The difference as a share of the baseline: 0.1 is 10 % more; infinite from 0."""
        if self.baseline == 0:
            return math.copysign(math.inf, self.current) if self.current else 0.0
        return self.absolute / self.baseline


@dataclass(frozen=True, slots=True)
class ProfileComparison:
    """How the successful runs of a profiler differ from a baseline's; `str()` is a table.

    Attributes:
        mean_bytes: change of the mean of bytes allocated per run.
        median_bytes: change of their median.
        p95_bytes: change of their 95th percentile.
        mean_allocations: change of the mean of blocks allocated per run.
        median_allocations: change of their median.
        p95_allocations: change of their 95th percentile.
    """

    mean_bytes: Change
    median_bytes: Change
    p95_bytes: Change
    mean_allocations: Change
    median_allocations: Change
    p95_allocations: Change

    def __str__(self) -> str:
        lines = [f"{'':<18} {'baseline':>12} {'now':>12} {'change':>12} {'relative':>8}"]
        for field in fields(self):
            change: Change = getattr(self, field.name)
            shown = human_bytes if field.name.endswith("bytes") else human_count
            difference = ("+" if change.absolute > 0 else "") + shown(change.absolute)
            lines.append(
                f"{field.name.replace('_', ' '):<18} {shown(change.baseline):>12}"
                f" {shown(change.current):>12} {difference:>12} {change.relative:>+8.1%}"
            )
        return "\n".join(lines)


def _mean(figures: list[int]) -> float:
    return sum(figures) / len(figures) if figures else 0.0


def _check_count(name: str, value: object, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__} ({value!r})")
    if value < least:
        raise ValueError(f"{name} must be {least} or more; got {value}")
    return value


def _check_version(version: object) -> None:
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ReportFormatError(f"damaged profile: {version!r} is no schema version")
    if version > SCHEMA_VERSION:
        raise ReportFormatError(
            f"the profile has schema version {version}, and this allocmeter reads up to "
            f"{SCHEMA_VERSION}; upgrade allocmeter to read it"
        )


def _read_record(data: Any) -> _Record:
    if not isinstance(data, dict):
        raise TypeError(f"a measurement must be an object, not {type(data).__name__}")
    return _Record(
        AllocationStats.from_dict(data["stats"]),
        _check_count("peak_bytes", data["peak_bytes"]),
        _check_count("peak_allocations", data["peak_allocations"]),
    )
