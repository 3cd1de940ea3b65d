"""PeakMemoryTracker: calls of track(), and what is refused."""

import dataclasses
import functools
import math
import sys

import anyio
import pytest

from allocmeter import (
    BackendUnavailableError,
    measure,
    peak,
    stop_tracking,
)
from allocmeter._core.figures import current_scope
from allocmeter.live_memory import MemoryPeak
from allocmeter.peak import PeakMemoryTracker
from allocmeter.timeline import MemorySample

MIB = 1024 * 1024
# Computed here, because an `int` computed inside a block is one of its allocations.
ONE, TWO, THREE, TEN = (n * MIB for n in (1, 2, 3, 10))
HEADER = sys.getsizeof(b"")


@pytest.fixture(autouse=True)
def _tracking_is_off_around_each_test():
    stop_tracking()
    yield
    stop_tracking()


async def nothing():
    pass


class TestTrack:
    def test_a_plain_function_gives_its_result_and_the_peak(self):
        tracker = PeakMemoryTracker()
        result, peak = tracker.track(lambda a, *, b: (len(bytes(TEN)), a, b), 1, b=2)
        assert result == (TEN, 1, 2)
        assert TEN <= peak.bytes < TEN + 2000
        assert peak == MemoryPeak(tracker.peak_bytes, tracker.peak_allocations)
        assert tracker.samples == ()

    @pytest.mark.exact
    def test_nothing_but_the_function_is_in_the_peak(self):
        assert PeakMemoryTracker().track(bytes, TEN)[1] == MemoryPeak(TEN + HEADER, 1)
        assert PeakMemoryTracker().track(int)[1] == MemoryPeak(0, 0)

    @pytest.mark.anyio
    async def test_an_async_function_is_sampled_in_the_background(self):
        async def operation(size, *, pause):
            held = bytes(size)
            await anyio.sleep(pause)
            del held
            return "done"

        tracker = PeakMemoryTracker(interval=0.002)
        result, peak = await tracker.track(operation, TEN, pause=0.05)
        assert result == "done"
        assert TEN <= peak.bytes < TEN + MIB
        assert any(sample.net_bytes >= TEN for sample in tracker.samples)

    @pytest.mark.anyio
    async def test_every_kind_of_async_callable_is_awaited(self):
        class Endpoint:
            async def __call__(self):
                return "object"

            async def method(self, suffix):
                return "method" + suffix

        tracker = PeakMemoryTracker()
        assert (await tracker.track(Endpoint()))[0] == "object"
        assert (await tracker.track(Endpoint().method, "!"))[0] == "method!"
        assert (await tracker.track(functools.partial(Endpoint().method, "?")))[0] == "method?"

    @pytest.mark.exact
    def test_each_call_starts_afresh(self):
        tracker = PeakMemoryTracker()
        peaks = [tracker.track(bytes, size)[1].bytes for size in (THREE, ONE, TWO)]
        assert peaks == [THREE + HEADER, ONE + HEADER, TWO + HEADER]

    @pytest.mark.anyio
    async def test_a_failed_operation_leaves_its_figures_and_its_exception(self):
        def broken():
            bytes(TEN)
            raise KeyError("sync")

        async def broken_async():
            bytes(TEN)
            raise KeyError("async")

        tracker = PeakMemoryTracker()
        with pytest.raises(KeyError, match="sync"):
            tracker.track(broken)
        assert tracker.peak_bytes >= TEN
        with pytest.raises(KeyError, match="async"):
            await tracker.track(broken_async)
        assert tracker.peak_bytes >= TEN
        assert current_scope() is None

    @pytest.mark.anyio
    async def test_a_tracker_is_for_one_operation_at_a_time(self):
        tracker = PeakMemoryTracker()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tracker.track, functools.partial(anyio.sleep, 0.05))
            await anyio.sleep(0.01)
            with pytest.raises(RuntimeError, match="make a new one"):
                tracker.track(int)
            with pytest.raises(RuntimeError, match="make a new one"):
                await tracker.track(nothing)

    def test_what_cannot_be_tracked_is_refused(self):
        def items():
            yield 1

        with pytest.raises(TypeError, match="generator function"):
            PeakMemoryTracker().track(items)
        with pytest.raises(TypeError, match="pass the async function itself"):
            PeakMemoryTracker().track(lambda coroutine: coroutine(), nothing)


class TestUse:
    def test_a_tracker_opens_one_block_only(self):
        with PeakMemoryTracker() as tracker:
            with pytest.raises(RuntimeError, match="make a new one for each block"):
                tracker.__enter__()
            bytes(ONE)
        with pytest.raises(RuntimeError, match="keeps the figures"):
            tracker.__enter__()
        assert ONE <= tracker.peak_bytes < TWO

    @pytest.mark.anyio
    async def test_a_block_that_cannot_be_entered_leaves_no_sampler_behind(self, monkeypatch):
        class Refusing(measure):
            def __enter__(self):
                raise BackendUnavailableError("not today")

        monkeypatch.setattr(peak, "measure", Refusing)
        sampled = []
        monkeypatch.setattr(peak, "rss_bytes", lambda: sampled.append(1))
        with pytest.raises(BackendUnavailableError, match="not today"):
            async with PeakMemoryTracker(interval=0.001):
                pass
        await anyio.sleep(0.02)
        assert not sampled

    @pytest.mark.anyio
    async def test_an_async_block_opens_once_too(self):
        async with PeakMemoryTracker(interval=0.001) as tracker:
            with pytest.raises(RuntimeError, match="make a new one for each block"):
                async with tracker:
                    pass
            await anyio.sleep(0.01)
        assert tracker.samples
        with pytest.raises(RuntimeError, match="make a new one for each block"):
            async with tracker:
                pass

    @pytest.mark.parametrize("interval", [0, -1, -0.5, math.nan, math.inf])
    def test_an_interval_that_is_no_time_is_refused(self, interval):
        with pytest.raises(ValueError, match="positive, finite number of seconds"):
            PeakMemoryTracker(interval=interval)

    @pytest.mark.parametrize("interval", ["1", None, True, 1j, [1]])
    def test_an_interval_that_is_no_number_is_refused(self, interval):
        with pytest.raises(TypeError, match="number of seconds"):
            PeakMemoryTracker(interval=interval)

    @pytest.mark.parametrize("max_samples", [1, 0, -5])
    def test_a_timeline_without_two_ends_is_refused(self, max_samples):
        with pytest.raises(ValueError, match="2 or more"):
            PeakMemoryTracker(max_samples=max_samples)

    @pytest.mark.parametrize("max_samples", [2.0, "10", None, True])
    def test_a_number_of_samples_that_is_no_int_is_refused(self, max_samples):
        with pytest.raises(TypeError, match="max_samples must be an int"):
            PeakMemoryTracker(max_samples=max_samples)

    def test_samples_and_peaks_are_values(self):
        assert MemorySample(0.0, 1, 2, None) == MemorySample(0.0, 1, 2, None)
        assert MemoryPeak(1, 2) == MemoryPeak(1, 2)
        with pytest.raises(dataclasses.FrozenInstanceError):
            MemoryPeak(1, 2).bytes = 3
