"""PeakMemoryTracker: exact peaks, and the baseline they count from."""

import sys
import threading
import time

import anyio
import pytest

from allocmeter import (
    AllocationStats,
    is_tracking,
    measure,
    stop_tracking,
)
from allocmeter.peak import PeakMemoryTracker

MIB = 1024 * 1024
# Computed here, because an `int` computed inside a block is one of its allocations.
ONE, TWO, THREE, TEN, TWENTY = (n * MIB for n in (1, 2, 3, 10, 20))
HEADER = sys.getsizeof(b"")


@pytest.fixture(autouse=True)
def _tracking_is_off_around_each_test():
    stop_tracking()
    yield
    stop_tracking()


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

    @pytest.mark.exact
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
