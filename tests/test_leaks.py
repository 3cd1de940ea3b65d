"""LeakDetector: what a block leaves behind."""

import inspect
import sys
import threading

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocmeter import (
    AllocationStats,
    LeakError,
    is_tracking,
    measure,
    start_tracking,
    stop_tracking,
)
from allocmeter._core.figures import current_scope
from allocmeter.leaks import LeakDetector

BLOCK = sys.getsizeof(bytes(1000))


@pytest.fixture(autouse=True)
def _tracking_is_off_around_each_test():
    stop_tracking()
    yield
    stop_tracking()


@pytest.mark.exact
def test_an_empty_block_has_no_leaks():
    detector = LeakDetector()
    with detector:
        pass
    assert detector.delta() == AllocationStats()
    assert not detector.has_leaks()
    detector.assert_no_leaks()


@pytest.mark.exact
@pytest.mark.anyio
async def test_an_empty_async_block_has_no_leaks():
    detector = LeakDetector()
    async with detector:
        pass
    assert detector.delta() == AllocationStats()


@pytest.mark.exact
def test_using_the_detector_inside_its_block_is_not_in_the_figures():
    detector = LeakDetector("quiet")
    with detector:
        detector.has_leaks()
        detector.delta()
        detector.net_bytes
        detector.assert_no_leaks()
    assert detector.delta() == AllocationStats()


@pytest.mark.exact
def test_a_retained_block_is_a_leak_until_it_is_freed():
    kept = [None]
    with LeakDetector() as detector:
        kept[0] = bytes(1000)
    assert (detector.net_allocations, detector.net_bytes) == (1, BLOCK)
    assert detector.has_leaks()
    thread = threading.Thread(target=kept.clear)
    thread.start()
    thread.join()
    assert (detector.net_allocations, detector.net_bytes) == (0, 0)
    assert detector.delta().allocations == 1
    assert not detector.has_leaks()


@pytest.mark.exact
def test_a_block_freed_inside_is_no_leak():
    with LeakDetector() as detector:
        bytes(1000)
    detector.assert_no_leaks()
    assert detector.delta().allocations >= 1


@pytest.mark.exact
@pytest.mark.anyio
async def test_child_tasks_and_worker_threads_are_inside_the_block():
    kept = []

    async def child():
        await anyio.sleep(0)
        kept.append(bytes(100_000))

    async with LeakDetector() as detector:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(child)
        await anyio.to_thread.run_sync(lambda: kept.append(bytes(200_000)))
    assert 300_000 <= detector.net_bytes <= 320_000


@pytest.mark.anyio
async def test_a_neighbour_is_not_inside_the_block():
    kept = []
    let_neighbour_go, neighbour_done = anyio.Event(), anyio.Event()

    async def neighbour():
        await let_neighbour_go.wait()
        kept.append(bytes(1_000_000))
        neighbour_done.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(neighbour)
        await anyio.sleep(0.01)
        async with LeakDetector() as detector:
            let_neighbour_go.set()
            await neighbour_done.wait()
    assert detector.net_bytes < 10_000


def test_the_message_names_scope_blocks_bytes_and_the_line_of_the_caller():
    kept = []
    with LeakDetector("checkout") as detector:
        kept.append(bytes(1000))
    line = inspect.currentframe().f_lineno + 2
    with pytest.raises(LeakError) as caught:
        detector.assert_no_leaks()
    detector.assert_no_leaks(max_bytes=100_000, max_allocations=100)
    assert caught.value.name == "checkout"
    assert caught.value.allocations == detector.net_allocations
    assert caught.value.bytes == detector.net_bytes
    for fact in (
        "'checkout'",
        f"net blocks {detector.net_allocations} ",
        f"net bytes {detector.net_bytes} ",
        f"{__file__}:{line}",
    ):
        assert fact in str(caught.value)


def test_without_a_name_the_message_says_what_was_looked_at():
    kept = [None, None, None]
    with LeakDetector() as unnamed:
        kept[0] = bytes(1000)
    with pytest.raises(LeakError, match="an unnamed scope") as caught:
        unnamed.assert_no_leaks()
    assert caught.value.name is None

    with measure("request"):
        inside = LeakDetector()
        kept[1] = bytes(1000)
    with pytest.raises(LeakError, match="scope 'request'"):
        inside.assert_no_leaks()

    process = LeakDetector()
    kept[2] = bytes(1000)
    with pytest.raises(LeakError, match="the process"):
        process.assert_no_leaks()


@settings(deadline=None)
@given(
    blocks=st.integers(0, 6),
    max_bytes=st.integers(0, 7 * BLOCK),
    max_allocations=st.integers(0, 7),
)
@pytest.mark.exact
def test_it_raises_exactly_when_a_tolerance_is_exceeded(blocks, max_bytes, max_allocations):
    kept = [None] * blocks
    with LeakDetector() as detector:
        for i in range(blocks):
            kept[i] = bytes(1000)
    assert (detector.net_allocations, detector.net_bytes) == (blocks, blocks * BLOCK)
    assert detector.has_leaks() is (blocks > 0)
    if blocks * BLOCK > max_bytes or blocks > max_allocations:
        with pytest.raises(LeakError):
            detector.assert_no_leaks(max_bytes, max_allocations)
    else:
        detector.assert_no_leaks(max_bytes, max_allocations)


@pytest.mark.exact
def test_with_one_tolerance_the_other_is_unlimited():
    kept = [None, None]
    first, second = 50, 141 - 2 * sys.getsizeof(b"") - 50
    with LeakDetector() as detector:
        kept[0] = bytes(first)
        kept[1] = bytes(second)
    assert (detector.net_allocations, detector.net_bytes) == (2, 141)
    detector.assert_no_leaks(max_bytes=10_000)
    detector.assert_no_leaks(max_allocations=2)
    with pytest.raises(LeakError, match=r"2 \(tolerated any\), net bytes 141 \(tolerated 140"):
        detector.assert_no_leaks(max_bytes=140)
    with pytest.raises(LeakError, match=r"blocks 2 \(tolerated 1\), net bytes 141 \(tolerated any"):
        detector.assert_no_leaks(max_allocations=1)
    with pytest.raises(LeakError, match=r"blocks 2 \(tolerated 0\), net bytes 141 \(tolerated 0"):
        detector.assert_no_leaks()


@pytest.mark.parametrize("argument", ["max_bytes", "max_allocations"])
def test_a_tolerance_that_means_nothing_is_refused(argument):
    with LeakDetector() as detector:
        pass
    with pytest.raises(ValueError, match=f"{argument} must be 0 or more; got -1"):
        detector.assert_no_leaks(**{argument: -1})
    for value in ("1 KiB", 1.5, True):
        with pytest.raises(TypeError, match=f"{argument} must be an int"):
            detector.assert_no_leaks(**{argument: value})


@pytest.mark.exact
def test_a_plain_detector_looks_at_the_current_scope_from_then_on():
    kept = [bytes(1), None, None]
    with measure():
        kept[0] = bytes(5000)
        detector = LeakDetector()
        kept[1] = bytes(1000)
        assert (detector.net_allocations, detector.net_bytes) == (1, BLOCK)
    with measure():
        kept[2] = bytes(3000)
    assert (detector.net_allocations, detector.net_bytes) == (1, BLOCK)
    assert not is_tracking()


@pytest.mark.exact
def test_net_figures_are_negative_when_more_was_freed_and_that_is_no_leak():
    kept = [None]
    with measure():
        kept[0] = bytes(1000)
        detector = LeakDetector()
        kept[0] = None
        assert (detector.net_allocations, detector.net_bytes) == (-1, -BLOCK)
        assert not detector.has_leaks()
        detector.assert_no_leaks()


def test_fewer_blocks_of_more_bytes_are_a_leak():
    kept = [None, None]
    with measure():
        kept[:] = bytes(1000), bytes(1000)
        detector = LeakDetector()
        kept[1] = None
        kept[0] = bytes(1)
        kept[0] = bytes(100_000)
        assert detector.net_allocations < 0 < detector.net_bytes
        assert detector.has_leaks()
        with pytest.raises(LeakError):
            detector.assert_no_leaks()


def test_a_plain_detector_outside_every_scope_looks_at_the_process():
    kept = []
    detector = LeakDetector()
    assert is_tracking()

    def work():
        with measure():
            kept.append(bytes(1_000_000))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert 1_000_000 < detector.net_bytes < 1_100_000
    kept.clear()
    assert detector.net_bytes < 100_000


def test_a_block_outside_every_scope_leaves_tracking_as_it_was():
    with LeakDetector():
        assert not is_tracking()
    assert not is_tracking()
    start_tracking()
    with LeakDetector():
        assert is_tracking()
    assert is_tracking()


def test_entering_one_detector_does_not_blind_another():
    plain = LeakDetector()
    with LeakDetector():
        pass
    kept = bytes(1_000_000)
    assert plain.net_bytes >= len(kept)
    first, second = LeakDetector(), LeakDetector()
    with first:
        pass
    kept = [kept, bytes(2_000_000)]
    # It looks at the process, where something else may go meanwhile.
    assert second.net_bytes >= 1_990_000


def test_tracking_turned_on_for_a_plain_detector_stays_on():
    LeakDetector()
    with LeakDetector():
        pass
    assert is_tracking()


def test_a_detector_opens_one_block_only():
    kept = [None]
    with LeakDetector() as detector:
        kept[0] = bytes(1000)
    for enter in (detector.__enter__, detector.__aenter__):
        with pytest.raises(RuntimeError, match="make a new one for each block"):
            enter()
    assert BLOCK <= detector.net_bytes < 2 * BLOCK
    with LeakDetector() as still_open, pytest.raises(RuntimeError):
        still_open.__enter__()
    assert current_scope() is None


@pytest.mark.anyio
async def test_a_block_that_fails_or_is_cancelled_keeps_its_figures():
    kept = []
    failed, cancelled = LeakDetector(), LeakDetector()

    async def fail():
        async with failed:
            kept.append(bytes(100_000))
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await fail()
    with anyio.move_on_after(0.01) as moved_on:
        async with cancelled:
            kept.append(bytes(100_000))
            await anyio.sleep(10)
    assert moved_on.cancelled_caught
    assert failed.net_bytes > 100_000
    assert cancelled.net_bytes > 100_000
    assert current_scope() is None


def test_a_named_detector_names_its_scope():
    detector = LeakDetector("nightly")
    assert detector.name == "nightly"
    with detector:
        assert current_scope().name == "nightly"
