"""PeakMemoryTracker: exact peaks, the timeline and its background sampler."""

import asyncio
import dataclasses
import functools
import gc
import itertools
import logging
import math
import sys
import threading
import time

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocmeter import (
    AllocationStats,
    BackendUnavailableError,
    is_tracking,
    measure,
    peak,
    stop_tracking,
)
from allocmeter._core.figures import current_scope
from allocmeter.peak import MemoryPeak, MemorySample, PeakMemoryTracker

MIB = 1024 * 1024
# Computed here, because an `int` computed inside a block is one of its allocations.
ONE, TWO, THREE, TEN, TWENTY = (n * MIB for n in (1, 2, 3, 10, 20))
HEADER = sys.getsizeof(b"")


@pytest.fixture(autouse=True)
def _tracking_is_off_around_each_test():
    stop_tracking()
    yield
    stop_tracking()


async def nothing():
    pass


async def until(condition):
    with anyio.fail_after(30):
        while not condition():
            await anyio.sleep(0.001)


class TestPeaks:
    @pytest.mark.exact
    def test_an_empty_block_has_no_peak(self):
        tracker = PeakMemoryTracker()
        with tracker:
            pass
        assert tracker.current == AllocationStats()
        assert (tracker.peak_bytes, tracker.peak_allocations) == (0, 0)

    @pytest.mark.exact
    @pytest.mark.anyio
    async def test_an_empty_async_block_has_no_peak(self):
        tracker = PeakMemoryTracker(interval=0.001)
        async with tracker:
            pass
        assert tracker.current == AllocationStats()
        assert (tracker.peak_bytes, tracker.peak_allocations) == (0, 0)

    @pytest.mark.exact
    def test_a_transient_between_two_samples_shows_in_the_peak(self):
        with PeakMemoryTracker() as tracker:
            tracker.sample()
            bytes(TEN)
            tracker.sample()
        assert [sample.net_bytes for sample in tracker.samples] == [0, 0]
        assert (tracker.peak_bytes, tracker.peak_allocations) == (TEN + HEADER, 1)

    @pytest.mark.anyio
    async def test_a_transient_between_two_samples_of_the_task_shows_in_the_peak(self):
        async with PeakMemoryTracker(interval=0.001) as tracker:
            await until(lambda: tracker.samples)
            bytes(TEN)
            await until(lambda: len(tracker.samples) >= 3)
        assert max(sample.net_bytes for sample in tracker.samples) < MIB
        assert TEN <= tracker.peak_bytes < TEN + MIB

    def test_bytes_and_blocks_peak_each_at_their_own_moment(self):
        kept = [None] * 100
        with PeakMemoryTracker() as tracker:
            bytes(ONE)
            for i in range(100):
                kept[i] = bytes(100)
            kept[:] = [None] * 100
        assert ONE <= tracker.peak_bytes < ONE + 2000
        assert 100 <= tracker.peak_allocations < 110
        assert tracker.current.net_bytes < 1000

    @pytest.mark.anyio
    async def test_child_tasks_and_worker_threads_count(self):
        async def child():
            held = bytes(TWO)
            await anyio.sleep(0.02)
            del held

        async with PeakMemoryTracker() as tracker, anyio.create_task_group() as tasks:
            tasks.start_soon(child)
            tasks.start_soon(child)
            await anyio.to_thread.run_sync(bytes, THREE)
        assert 4 * MIB <= tracker.peak_bytes < 8 * MIB

    @pytest.mark.exact
    def test_a_plain_tracker_looks_at_the_current_scope_from_then_on(self):
        kept = [None, None]
        with measure():
            kept[0] = bytes(THREE)
            tracker = PeakMemoryTracker()
            bytes(TEN)
        with measure():
            bytes(TWENTY)
        assert tracker.peak_bytes == TEN + HEADER
        assert not is_tracking()

    @pytest.mark.exact
    def test_peaks_are_never_below_zero_and_net_figures_may_be(self):
        kept = [None]
        with measure():
            kept[0] = bytes(ONE)
            tracker = PeakMemoryTracker()
            kept[0] = None
            tracker.sample()
            current, peak = tracker.current, tracker.peak_bytes
        assert tracker.samples[0].net_bytes == current.net_bytes == -(ONE + HEADER)
        assert tracker.samples[0].net_allocations == current.net_allocations == -1
        assert peak == 0

    def test_a_plain_tracker_outside_every_scope_looks_at_the_process(self):
        tracker = PeakMemoryTracker()
        assert is_tracking()
        thread = threading.Thread(target=bytes, args=(TEN,))
        thread.start()
        thread.join()
        assert TEN <= tracker.peak_bytes < TEN + ONE
        assert tracker.sample().net_bytes < ONE

    def test_a_block_outside_every_scope_leaves_tracking_off(self):
        with PeakMemoryTracker():
            assert not is_tracking()
        assert not is_tracking()

    def test_figures_are_final_when_the_block_has_ended(self):
        kept = [None]
        with PeakMemoryTracker() as tracker:
            kept[0] = bytes(ONE)
            tracker.sample()
        before = tracker.current, tracker.peak_bytes, tracker.peak_allocations, tracker.samples
        kept[0] = None
        assert before == (
            tracker.current,
            tracker.peak_bytes,
            tracker.peak_allocations,
            tracker.samples,
        )
        for late in (tracker.sample, tracker.reset):
            with pytest.raises(RuntimeError, match="has ended; its figures and samples are kept"):
                late()

    @pytest.mark.exact
    def test_using_the_tracker_inside_its_block_is_not_in_the_figures(self):
        tracker = PeakMemoryTracker(max_samples=4)
        with tracker:
            tracker.sample()
            tracker.sample()
            tracker.sample()
            tracker.sample()
            tracker.sample()
            tracker.samples
            tracker.current
            tracker.peak_bytes
            tracker.reset()
            tracker.sample()
            tracker.peak_allocations
        assert tracker.current == AllocationStats()
        assert (tracker.peak_bytes, tracker.peak_allocations) == (0, 0)


class TestReset:
    @pytest.mark.exact
    def test_it_moves_the_baseline(self):
        kept, seen = [None, None], [None] * 4
        with PeakMemoryTracker() as tracker:
            kept[0] = bytes(TEN)
            tracker.sample()
            tracker.reset()
            seen[0], seen[1], seen[2] = tracker.current, tracker.peak_bytes, tracker.samples
            kept[1] = bytes(1000)
            tracker.sample()
            kept[0] = None
            tracker.sample()
        assert seen[:3] == [AllocationStats(), 0, ()]
        small, less = (sample.net_bytes for sample in tracker.samples)
        assert small == 1000 + HEADER
        assert less == small - (TEN + HEADER)
        assert (tracker.peak_bytes, tracker.peak_allocations) == (small, 1)
        assert tracker.current.net_bytes == less

    @pytest.mark.exact
    def test_it_may_be_repeated(self):
        peaks = [None] * 3
        with PeakMemoryTracker() as tracker:
            for i, size in enumerate((THREE, TWO, ONE)):
                tracker.reset()
                bytes(size)
                peaks[i] = tracker.peak_bytes
        assert peaks == [THREE + HEADER, TWO + HEADER, ONE + HEADER]

    @pytest.mark.exact
    def test_peaks_after_it_are_final_too(self):
        with PeakMemoryTracker() as tracker:
            tracker.reset()
            bytes(ONE)
        tracker_of_the_rest = PeakMemoryTracker()
        bytes(TEN)
        assert tracker.peak_bytes == ONE + HEADER
        assert tracker_of_the_rest.peak_bytes >= TEN

    def test_it_restarts_the_clock_and_the_thinned_timeline(self):
        with PeakMemoryTracker(max_samples=2) as tracker:
            for _ in range(50):
                tracker.sample()
            tracker.reset()
            time.sleep(0.3)
            tracker.reset()
            first = tracker.sample()
            second = tracker.sample()
        assert first.time < 0.3
        assert tracker.samples == (first, second)

    @pytest.mark.exact
    def test_it_moves_the_baseline_of_a_plain_tracker(self):
        kept = [None]
        with measure():
            tracker = PeakMemoryTracker()
            kept[0] = bytes(TEN)
            tracker.reset()
            bytes(TWO)
        assert tracker.peak_bytes == TWO + HEADER
        tracker.reset()
        assert tracker.peak_bytes == 0


class TestTimeline:
    @settings(deadline=None)
    @given(st.integers(2, 30), st.integers(0, 500))
    def test_it_stays_bounded_evenly_spaced_and_reaches_back_to_the_beginning(self, limit, count):
        with PeakMemoryTracker(max_samples=limit) as tracker:
            offered = [tracker.sample() for _ in range(count)]
        kept = [offered.index(sample) for sample in tracker.samples]
        assert len(kept) <= limit
        assert len(kept) >= min(count, limit // 2)
        if count:
            assert kept[0] == 0
        assert len({after - before for before, after in itertools.pairwise(kept)}) <= 1
        if count <= limit:
            assert kept == list(range(count))

    def test_a_sample_tells_time_live_memory_and_resident_memory(self):
        kept = [None]
        with PeakMemoryTracker() as tracker:
            first = tracker.sample()
            kept[0] = bytes(1000)
            time.sleep(0.01)
            second = tracker.sample()
        assert 0 <= first.time < second.time
        assert second.time - first.time >= 0.01
        assert second.net_bytes - first.net_bytes >= 1000
        assert second.net_allocations > first.net_allocations
        if sys.platform == "linux":
            assert second.rss_bytes > MIB
        assert tracker.samples == (first, second)
        with pytest.raises(dataclasses.FrozenInstanceError):
            first.time = 0

    def test_a_block_without_a_task_is_sampled_by_hand_only(self):
        with PeakMemoryTracker(interval=0.001) as tracker:
            time.sleep(0.01)
        assert tracker.samples == ()


@pytest.mark.anyio
class TestSampler:
    async def test_it_samples_at_the_interval_and_once_at_the_end(self):
        async with PeakMemoryTracker(interval=0.02) as tracker:
            await until(lambda: len(tracker.samples) >= 3)
            before_the_end = len(tracker.samples)
        times = [sample.time for sample in tracker.samples]
        assert len(times) == before_the_end + 1
        assert times[0] >= 0.015
        assert all(after - before >= 0.015 for before, after in itertools.pairwise(times[:-1]))
        assert times[-2] < times[-1]

    async def test_it_sees_memory_come_and_go(self):
        async with PeakMemoryTracker(interval=0.001) as tracker:
            held = bytes(TEN)
            await until(lambda: len(tracker.samples) >= 3)
            del held
        assert all(sample.net_bytes >= TEN for sample in tracker.samples[:3])
        assert tracker.samples[-1].net_bytes < ONE

    @pytest.mark.exact
    async def test_its_work_is_not_in_the_figures(self):
        async def quiet():
            await anyio.sleep(0.25)

        async def figures(interval):
            tracker = PeakMemoryTracker(interval)
            async with tracker:
                await quiet()
            return tracker

        await figures(0.001)
        without, with_sampler = await figures(60), await figures(0.001)
        assert len(without.samples) == 1
        assert len(with_sampler.samples) > 15
        # The steps around one await: a block of the loop's ready queue and one of its table of
        # current tasks may happen to fall into them, or not.
        difference = with_sampler.current - without.current
        assert abs(difference.allocations) <= 2
        assert abs(difference.bytes_allocated) <= 1024
        assert abs(difference.net_allocations) <= 2
        assert abs(with_sampler.peak_bytes - without.peak_bytes) <= 1024

    @pytest.mark.exact
    async def test_its_work_is_not_in_an_enclosing_scope_either(self):
        async def beyond_the_block():
            tracker = PeakMemoryTracker(interval=0.001)
            async with measure() as outer:
                await operation(tracker)
            samples.extend(tracker.samples)
            return outer.stats.allocations - tracker.current.allocations

        async def operation(tracker):
            async with tracker:
                await anyio.sleep(0.05)

        samples = []
        # The coroutine of operation(), and Python's bound __aenter__ and __aexit__. Now and then
        # the event loop's bookkeeping falls into these steps too.
        assert min([await beyond_the_block() for _ in range(5)]) == 3
        assert len(samples) >= 10

    async def test_it_ends_with_the_block(self):
        async with PeakMemoryTracker(interval=0.001) as tracker:
            await anyio.sleep(0.01)
        samples = tracker.samples
        await anyio.sleep(0.02)
        assert tracker.samples == samples

    async def test_leaving_does_not_wait_for_the_next_sample(self):
        started = time.perf_counter()
        async with PeakMemoryTracker(interval=60):
            await anyio.sleep(0)
        assert time.perf_counter() - started < 10

    async def test_a_sampler_that_fails_is_logged_once_and_the_operation_goes_on(self, caplog):
        class Broken(PeakMemoryTracker):
            def sample(self):
                raise OSError("no /proc today")

        with caplog.at_level(logging.ERROR, logger="allocmeter"):
            async with Broken(interval=0.001) as tracker:
                await anyio.sleep(0.02)
                bytes(ONE)
                await anyio.sleep(0.02)
        (record,) = caplog.records
        assert "has stopped; the peaks stay exact" in record.message
        assert "no /proc today" in str(record.exc_info[1])
        assert tracker.peak_bytes >= MIB
        assert tracker.samples == ()

    async def test_several_trackers_may_overlap(self):
        async def operation(size):
            async with PeakMemoryTracker(interval=0.001) as tracker:
                held = bytes(size)
                await anyio.sleep(0.02)
                del held
            assert size <= tracker.peak_bytes < size + MIB
            assert tracker.samples

        async with (
            PeakMemoryTracker(interval=0.001) as outer,
            PeakMemoryTracker(interval=0.001) as inner,
            anyio.create_task_group() as tasks,
        ):
            for size in (TWO, 4 * MIB, 8 * MIB):
                tasks.start_soon(operation, size)
        assert 14 * MIB <= inner.peak_bytes <= outer.peak_bytes < 18 * MIB


@pytest.mark.anyio
class TestLeaving:
    @pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
    async def test_an_exception_arrives_as_it_was_raised(self, kind):
        raised = kind("mine")
        tracker = PeakMemoryTracker(interval=0.001)

        async def operation():
            async with tracker:
                await anyio.sleep(0.005)
                raise raised

        with pytest.raises(kind) as caught:
            await operation()
        assert caught.value is raised
        assert caught.value.__context__ is None
        assert caught.value.__cause__ is None
        assert tracker.samples
        assert current_scope() is None

    async def test_a_group_of_the_operation_is_not_wrapped_again(self):
        raised = ExceptionGroup("mine", [ValueError(1), KeyError(2)])
        with pytest.raises(ExceptionGroup) as caught:
            async with PeakMemoryTracker():
                raise raised
        assert caught.value is raised

    async def test_a_timeout_around_it_is_a_timeout(self):
        tracker = PeakMemoryTracker(interval=0.001)
        with anyio.move_on_after(0.02) as moved_on:
            async with tracker:
                await anyio.sleep(10)
        assert moved_on.cancelled_caught
        assert tracker.samples

    async def test_a_deadline_around_it_is_a_timeout_error(self):
        with pytest.raises(TimeoutError), anyio.fail_after(0.01):
            async with PeakMemoryTracker(interval=0.001):
                await anyio.sleep(10)
        await anyio.sleep(0)

    async def test_a_timeout_inside_it_stays_inside(self):
        async with PeakMemoryTracker(interval=0.001):
            with anyio.move_on_after(0.01) as moved_on:
                await anyio.sleep(10)
            await anyio.sleep(0.01)
        assert moved_on.cancelled_caught

    async def test_a_cancelled_task_group_ends_cleanly(self):
        trackers = []

        async def operation():
            async with PeakMemoryTracker(interval=0.001) as tracker:
                trackers.append(tracker)
                await anyio.sleep(10)

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(operation)
            await anyio.sleep(0.02)
            tasks.cancel_scope.cancel()
        assert len(trackers) == 3
        for tracker in trackers:
            with pytest.raises(RuntimeError, match="has ended"):
                tracker.sample()

    async def test_an_exception_out_of_a_cancelled_block_is_not_replaced(self):
        async def operation():
            with anyio.CancelScope() as scope:
                async with PeakMemoryTracker(interval=0.001):
                    scope.cancel()
                    raise ValueError("mine")

        with pytest.raises(ValueError, match="mine") as caught:
            await operation()
        assert caught.value.__context__ is None

    async def test_leaving_is_no_cancellation_point(self):
        reached = []
        with anyio.CancelScope() as scope:
            async with PeakMemoryTracker(interval=0.001):
                scope.cancel()
            reached.append("after the block")
            await anyio.sleep(0)
            reached.append("after a checkpoint")
        assert reached == ["after the block"]

    async def test_a_failing_child_of_the_operation_cancels_it_as_ever(self):
        async def broken():
            raise ValueError("child")

        async def operation():
            async with PeakMemoryTracker(interval=0.001), anyio.create_task_group() as tasks:
                tasks.start_soon(broken)
                await anyio.sleep(10)

        with pytest.raises(ExceptionGroup) as caught:
            await operation()
        assert caught.group_contains(ValueError, match="child", depth=1)

    async def test_the_enclosing_scope_is_current_again(self):
        async with measure() as outer:
            async with PeakMemoryTracker(interval=0.001):
                assert current_scope() is not outer
                await anyio.sleep(0.005)
            assert current_scope() is outer

    async def test_no_tracker_is_left_behind_in_a_cycle(self):
        class Watched(PeakMemoryTracker):
            alive = 0

            def __init__(self):
                super().__init__(interval=0.001)
                Watched.alive += 1

            def __del__(self):
                Watched.alive -= 1

        async def use():
            async with Watched():
                await anyio.sleep(0.005)

        gc.disable()
        try:
            await use()
            await anyio.sleep(0)
            assert Watched.alive == 0
        finally:
            gc.enable()


@pytest.mark.anyio
class TestOnAsyncio:
    @pytest.fixture
    def anyio_backend(self, asyncio_only):
        return asyncio_only

    async def test_a_cancelled_task_is_cancelled(self):
        tracker = PeakMemoryTracker(interval=0.001)

        async def operation():
            async with tracker:
                await asyncio.sleep(10)

        task = asyncio.create_task(operation())
        await asyncio.sleep(0.02)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await task
        assert task.cancelled()
        assert tracker.samples

    async def test_a_cancellation_while_leaving_is_not_lost(self):
        tracker = PeakMemoryTracker(interval=0.001)
        after = []

        async def operation():
            async with tracker:
                await asyncio.sleep(0.01)
                asyncio.current_task().cancel()
            after.append("not cancelled")

        task = asyncio.create_task(operation())
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not after
        assert task.cancelling() == 1
        samples = tracker.samples
        await asyncio.sleep(0.01)
        assert tracker.samples == samples

    async def test_the_timeouts_of_asyncio_work_around_it(self):
        async def operation():
            async with asyncio.timeout(0.02), PeakMemoryTracker(interval=0.001):
                await asyncio.sleep(10)

        with pytest.raises(TimeoutError):
            await operation()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(PeakMemoryTracker().track(asyncio.sleep, 10), 0.02)
        assert asyncio.current_task().cancelling() == 0

    async def test_the_task_group_of_asyncio_works_inside_it(self):
        async def operation():
            async with PeakMemoryTracker(interval=0.001), asyncio.TaskGroup() as tasks:
                tasks.create_task(asyncio.sleep(10))
                await asyncio.sleep(0.005)
                raise ValueError("mine")

        with pytest.raises(ExceptionGroup) as caught:
            await operation()
        assert caught.group_contains(ValueError, match="mine", depth=1)

    async def test_cancelling_every_task_but_ours_does_not_end_the_operation(self):
        others = asyncio.all_tasks()
        async with PeakMemoryTracker(interval=0.001) as tracker:
            await asyncio.sleep(0.01)
            for task in asyncio.all_tasks() - others:
                task.cancel()
            await asyncio.sleep(0.01)
            bytes(ONE)
        assert tracker.peak_bytes >= MIB


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
