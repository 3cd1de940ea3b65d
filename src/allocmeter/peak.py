"""Exact peaks of live memory, with a bounded timeline of how it got there."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from allocmeter._core.figures import FINAL, NOW, HighWaterMark, read_scope
from allocmeter._core.own import OWN, own_context
from allocmeter.callables import is_async
from allocmeter.checks import check_count
from allocmeter.leaks import observed_scope, read_stats, refuse_awaitable, stop_observing
from allocmeter.process import rss_bytes
from allocmeter.scopes import measure
from allocmeter.stats import AllocationStats

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from types import TracebackType
    from typing import Self

    from allocmeter._core.structures import Figures
    from allocmeter._core.types import NativeScope

P = ParamSpec("P")
T = TypeVar("T")


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


@dataclass(frozen=True, slots=True)
class MemoryPeak:
    """The highest values that live memory reached, each at its own moment.

    Attributes:
        bytes: most bytes alive at once.
        allocations: most blocks alive at once.
    """

    bytes: int
    allocations: int


class PeakMemoryTracker:
    """Tell how far the live memory of an operation rises.

    `async with` (once per object) opens a scope of its own and samples it from a background
    task, on asyncio and trio alike; `with` does the same without the task, so that only
    `sample()` adds to the timeline. As a plain object the tracker looks at the scope that is
    current where it is made, from then on; outside every scope it turns process-wide tracking
    on and looks at the process.

    The peaks are exact and do not come from the samples: what is allocated and freed between
    two of them counts. Neither the sampler nor anything else the tracker does is in the figures.
    A sampler that fails is logged and stops; the operation goes on. As with any task group,
    leave `async with` in the task that entered it, and do not yield from a generator inside it.

    Figures may be read from any task or thread, and stay final once the block has ended;
    `sample()` and `reset()` are for one thread at a time.

    Args:
        interval: seconds between two samples of the background task.
        max_samples: most samples kept. When there are more, every second one is dropped and
            from then on only every second one is kept, so the timeline still reaches back to
            the beginning and stays evenly spaced.

    Raises:
        BackendUnavailableError: the native library cannot be used.
        TypeError: an argument is not a number, or `max_samples` not an `int`.
        ValueError: `interval` is not positive and finite, or `max_samples` is below 2.
    """

    __slots__ = (
        "_baseline",
        "_entered",
        "_final",
        "_interval",
        "_mark",
        "_sampler",
        "_scope",
        "_started",
        "_timeline",
    )

    def __init__(self, interval: float = 0.01, max_samples: int = 10_000) -> None:
        with OWN:
            self._interval = _checked_interval(interval)
            self._timeline = _Timeline(check_count("max_samples", max_samples, 2))
            self._entered = False
            self._final: tuple[AllocationStats, MemoryPeak] | None = None
            self._sampler: _Sampler | None = None
            self._scope: NativeScope | None = observed_scope()
            # The mark first: it then covers the moment of the baseline, so no peak is below zero.
            self._mark: HighWaterMark | None = HighWaterMark(self._scope)
            self._start(read_stats(self._scope))

    def sample(self) -> MemorySample:
        """Add live memory, as of now, to the timeline.

        Returns:
            The sample, also if the thinned timeline did not keep it.

        Raises:
            RuntimeError: the block has ended.
        """
        with OWN:
            self._check_running()
            current = self._total() - self._baseline
            elapsed = time.perf_counter() - self._started
            sample = MemorySample(elapsed, current.net_bytes, current.net_allocations, rss_bytes())
            self._timeline.add(sample)
            return sample

    @property
    def samples(self) -> tuple[MemorySample, ...]:
        """The timeline so far, oldest first; at most `max_samples`."""
        with OWN:
            return tuple(self._timeline.samples)

    @property
    def current(self) -> AllocationStats:
        """What was allocated and freed since the baseline; net figures are what is alive."""
        with OWN:
            return self._total() - self._baseline if self._final is None else self._final[0]

    @property
    def peak_bytes(self) -> int:
        """Most bytes alive at once since the baseline, beyond those alive at the baseline."""
        with OWN:
            return self._peak().bytes

    @property
    def peak_allocations(self) -> int:
        """Most blocks alive at once since the baseline, beyond those alive at the baseline."""
        with OWN:
            return self._peak().allocations

    def reset(self) -> None:
        """Move the baseline to now: clear the timeline, and let peaks start from what is alive.

        Raises:
            RuntimeError: the block has ended.
        """
        with OWN:
            self._check_running()
            if self._mark is None:
                self._mark = HighWaterMark(self._scope)
            else:
                self._mark.reset()
            self._start(self._total())

    # An awaitable is a result too; the first overload that fits is taken.
    @overload
    def track(  # type: ignore[overload-overlap]
        self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, tuple[T, MemoryPeak]]: ...

    @overload
    def track(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> tuple[T, MemoryPeak]: ...

    def track(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call `fn` in a scope of its own, sampled in the background if `fn` is async.

        May be called again when the operation has ended; the timeline then starts afresh. An
        operation that fails leaves its figures in the tracker.

        Args:
            fn: a plain or async callable.
            args: passed to `fn`.
            kwargs: passed to `fn`; unpacking them takes a few temporary blocks in the scope.

        Returns:
            `(result, peak)`; an awaitable of that if `fn` is async.

        Raises:
            RuntimeError: the tracker is in use.
            TypeError: `fn` is a generator function, or a plain callable that returned an
                awaitable.
            BaseException: whatever `fn` raised.
        """
        with OWN:
            self._entered = self._entered and self._final is None
            if is_async(fn):
                return self._track_async(fn, args, kwargs)
        with self:
            result = fn(*args, **kwargs) if kwargs else fn(*args)
        refuse_awaitable(fn, result)
        with OWN:
            return result, self._peak()

    async def _track_async(
        self, fn: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, MemoryPeak]:
        async with self:
            result = await (fn(*args, **kwargs) if kwargs else fn(*args))
        with OWN:
            return result, self._peak()

    def __enter__(self) -> Self:
        with OWN:
            scope = self._begin()
        scope.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._scope is not None
        self._scope.__exit__(exc_type, exc_value, traceback)
        with OWN:
            self._finish()

    def __aenter__(self) -> Coroutine[Any, Any, Self]:
        with OWN:
            return self._enter_sampled()

    def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> Coroutine[Any, Any, None]:
        assert self._scope is not None
        self._scope.__exit__(exc_type, exc_value, traceback)
        with OWN:
            return self._leave_sampled()

    async def _enter_sampled(self) -> Self:
        with OWN:
            scope = self._begin()
            self._sampler = sampler = _Sampler(self, self._interval)
        with own_context():
            await sampler.start()
        try:
            scope.__enter__()
        except BaseException:
            with own_context():
                await sampler.stop()
            raise
        return self

    async def _leave_sampled(self) -> None:
        with OWN:
            sampler, self._sampler = self._sampler, None
        assert sampler is not None
        try:
            with OWN:
                sampler.take_sample()
                self._finish()
        finally:
            with own_context():
                await sampler.stop()

    def _begin(self) -> measure:
        if self._entered:
            raise RuntimeError(
                "this PeakMemoryTracker has been entered before, and keeps the figures of that "
                "block: make a new one for each block"
            )
        stop_observing(self._scope)
        self._entered = True
        self._final = None
        self._mark = None
        self._scope = scope = measure()
        self._start(AllocationStats())
        return scope

    def _start(self, baseline: AllocationStats) -> None:
        self._baseline = baseline
        self._timeline.clear()
        self._started = time.perf_counter()

    def _finish(self) -> None:
        self._final = self._total() - self._baseline, self._peak()

    def _check_running(self) -> None:
        if self._final is not None:
            raise RuntimeError(
                "the block this PeakMemoryTracker looked at has ended; its figures and samples "
                "are kept, and a new tracker is needed for new ones"
            )

    def _total(self) -> AllocationStats:
        # A scope of our own has figures that are final when it ends; one that was merely found
        # current may end at any time, and what it does later counts.
        return read_stats(self._scope, FINAL if self._entered else NOW)

    def _peak(self) -> MemoryPeak:
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


class _Timeline:
    """Samples at even distances, the distance doubling whenever there are too many."""

    __slots__ = ("_limit", "_offered", "_stride", "samples")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.clear()

    def clear(self) -> None:
        self.samples: list[MemorySample] = []
        self._offered = 0
        self._stride = 1

    def add(self, sample: MemorySample) -> None:
        if self._offered % self._stride == 0:
            self.samples.append(sample)
            if len(self.samples) > self._limit:
                del self.samples[1::2]
                self._stride *= 2
        self._offered += 1


class _Sampler:
    """The background task of one `async with`."""

    __slots__ = ("_failed", "_group", "_interval", "_sleeping", "_tracker")

    def __init__(self, tracker: PeakMemoryTracker, interval: float) -> None:
        self._tracker = tracker
        self._interval = interval
        self._failed = False

    async def start(self) -> None:
        from anyio import CancelScope, create_task_group

        # Shielded: a sampler that is cancelled together with the operation would have the task
        # group raise, in place of the operation's own exception.
        self._sleeping = CancelScope(shield=True)
        self._group = create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._run)

    async def stop(self) -> None:
        self._sleeping.cancel()
        # The group is to wait for the sampler and for nothing else. It is not told of the
        # operation's exception, which it would wrap in a group, and must not be interrupted by
        # a cancellation that the operation has seen already or will see at its next await.
        self._group.cancel_scope.shield = True
        await self._group.__aexit__(None, None, None)

    async def _run(self) -> None:
        from anyio import get_cancelled_exc_class, sleep

        # Somebody may cancel every task of an event loop; that must not end the group, and with
        # it the operation.
        with suppress(get_cancelled_exc_class()), self._sleeping:
            while not self._failed:
                await sleep(self._interval)
                if not self._sleeping.cancel_called:
                    self.take_sample()

    def take_sample(self) -> None:
        with OWN:
            if self._failed:
                return
            try:
                self._tracker.sample()
            except Exception:
                from logging import getLogger

                self._failed = True
                getLogger("allocmeter").exception(
                    "the memory sampler failed and has stopped; the peaks stay exact, and the "
                    "timeline ends here"
                )


def _checked_interval(interval: object) -> float:
    if not isinstance(interval, (int, float)) or isinstance(interval, bool):
        raise TypeError(
            f"interval is a number of seconds, not {type(interval).__name__} ({interval!r})"
        )
    if not 0 < interval < float("inf"):  # NaN fails every comparison
        raise ValueError(f"interval must be a positive, finite number of seconds, not {interval}")
    return interval
