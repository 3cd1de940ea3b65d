"""Exact peaks of live memory, with a bounded timeline of how it got there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from allocmeter._core.own import OWN, own_context
from allocmeter.awaitables import refuse_awaitable
from allocmeter.callables import is_async
from allocmeter.checks import check_count
from allocmeter.live_memory import LiveMemory
from allocmeter.observing import observed_scope, stop_observing
from allocmeter.process import rss_bytes
from allocmeter.sampler import Sampler, check_interval
from allocmeter.scopes import measure
from allocmeter.timeline import MemorySample, Timeline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from types import TracebackType
    from typing import Self

    from allocmeter._core.types import NativeScope
    from allocmeter.live_memory import MemoryPeak
    from allocmeter.stats import AllocationStats

P = ParamSpec("P")
T = TypeVar("T")


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

    __slots__ = ("_entered", "_interval", "_live", "_sampler", "_scope", "_timeline")

    def __init__(self, interval: float = 0.01, max_samples: int = 10_000) -> None:
        with OWN:
            self._interval = check_interval(interval)
            self._timeline = Timeline(check_count("max_samples", max_samples, 2))
            self._entered = False
            self._sampler: Sampler | None = None
            self._scope: NativeScope | None = observed_scope()
            self._live = LiveMemory.found(self._scope)
            self._timeline.restart()

    def sample(self) -> MemorySample:
        """Add live memory, as of now, to the timeline.

        Returns:
            The sample, also if the thinned timeline did not keep it.

        Raises:
            RuntimeError: the block has ended.
        """
        with OWN:
            self._check_running()
            current = self._live.current
            elapsed = self._timeline.elapsed()
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
            return self._live.current

    @property
    def peak_bytes(self) -> int:
        """Most bytes alive at once since the baseline, beyond those alive at the baseline."""
        with OWN:
            return self._live.peak.bytes

    @property
    def peak_allocations(self) -> int:
        """Most blocks alive at once since the baseline, beyond those alive at the baseline."""
        with OWN:
            return self._live.peak.allocations

    def reset(self) -> None:
        """Move the baseline to now: clear the timeline, and let peaks start from what is alive.

        Raises:
            RuntimeError: the block has ended.
        """
        with OWN:
            self._check_running()
            self._live.reset()
            self._timeline.restart()

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
            self._entered = self._entered and not self._live.is_final
            if is_async(fn):
                return self._track_async(fn, args, kwargs)
        with self:
            result = fn(*args, **kwargs) if kwargs else fn(*args)
        refuse_awaitable(fn, result)
        with OWN:
            return result, self._live.peak

    async def _track_async(
        self, fn: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, MemoryPeak]:
        async with self:
            result = await (fn(*args, **kwargs) if kwargs else fn(*args))
        with OWN:
            return result, self._live.peak

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
            self._live.finish()

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
            self._sampler = sampler = Sampler(self.sample, self._interval)
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
                self._live.finish()
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
        self._scope = scope = measure()
        self._live = LiveMemory.of_own(scope)
        self._timeline.restart()
        return scope

    def _check_running(self) -> None:
        if self._live.is_final:
            raise RuntimeError(
                "the block this PeakMemoryTracker looked at has ended; its figures and samples "
                "are kept, and a new tracker is needed for new ones"
            )
