"""PeakMemoryTracker: the timeline and its background sampler."""

import dataclasses
import itertools
import logging
import sys
import time

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocmeter import (
    measure,
    stop_tracking,
)
from allocmeter.peak import PeakMemoryTracker

MIB = 1024 * 1024
# Computed here, because an `int` computed inside a block is one of its allocations.
ONE, TWO, TEN = (n * MIB for n in (1, 2, 10))


@pytest.fixture(autouse=True)
def _tracking_is_off_around_each_test():
    stop_tracking()
    yield
    stop_tracking()


async def until(condition):
    with anyio.fail_after(30):
        while not condition():
            await anyio.sleep(0.001)


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
        # The coroutine of operation(), and before 3.14 Python's bound __aenter__ and __aexit__. Now
        # and then the event loop's bookkeeping falls into these steps too.
        least = 3 if sys.version_info < (3, 14) else 1
        assert min([await beyond_the_block() for _ in range(5)]) == least
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
