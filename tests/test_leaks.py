"""LeakDetector and LeakCheck."""

import dataclasses
import functools
import gc
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
from allocmeter.leaks import LeakCheck, LeakDetector

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


@pytest.mark.parametrize("argument", ["max_bytes", "max_allocations"])
def test_a_tolerance_that_means_nothing_is_refused(argument):
    with LeakDetector() as detector:
        pass
    with pytest.raises(ValueError, match=f"{argument} must be 0 or more; got -1"):
        detector.assert_no_leaks(**{argument: -1})
    for value in ("1 KiB", 1.5, None, True):
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
    assert second.net_bytes >= 2_000_000


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


class TestCheck:
    @pytest.fixture(autouse=True)
    def _collecting_garbage_is_quick(self):
        # What the test run itself has loaded need not be looked through after every call.
        gc.collect()
        gc.freeze()
        yield
        gc.unfreeze()

    @pytest.mark.exact
    def test_a_leak_of_one_block_per_call_is_measured_exactly(self):
        kept = [None] * 20
        calls = iter(range(20))

        def leak():
            kept[next(calls)] = bytes(1000)

        found = LeakDetector.check(leak, iterations=12, warmup=3)
        assert found.net_allocations == (1,) * 12
        assert found.net_bytes == (BLOCK,) * 12
        assert (found.growth_bytes, found.growth_allocations) == (BLOCK, 1)
        assert found.has_leaks
        assert sum(item is not None for item in kept) == 15

    @pytest.mark.exact
    @pytest.mark.parametrize("iterations", [1, 2, 3, 10, 400])
    def test_work_that_is_dropped_is_no_leak(self, iterations):
        found = LeakDetector.check(lambda: {n: str(n) for n in range(100)}, iterations=iterations)
        assert found.net_bytes == found.net_allocations == (0,) * iterations
        assert not found.has_leaks
        found.assert_no_leaks()

    def test_garbage_in_a_cycle_is_no_leak(self):
        def cycle():
            ring = [bytes(1000)]
            ring.append(ring)

        gc.disable()
        try:
            assert not LeakDetector.check(cycle).has_leaks
        finally:
            gc.enable()

    def test_a_cache_that_replaces_its_entry_is_no_leak(self):
        cache = {}

        def remember():
            cache["page"] = bytes(100_000)

        found = LeakDetector.check(remember, warmup=1)
        assert found.net_bytes == (0,) * 10

    def test_what_is_filled_during_the_warm_up_is_no_leak(self):
        @functools.cache
        def squares():
            return [n * n for n in range(1000)]

        assert not LeakDetector.check(squares, warmup=1).has_leaks

    def test_a_leak_that_shows_in_bytes_only_is_found(self):
        grown = bytearray(1)
        found = LeakDetector.check(lambda: grown.extend(bytes(10_000)), iterations=20)
        assert found.growth_allocations == 0
        assert found.growth_bytes > 5_000
        assert found.has_leaks

    def test_a_leak_in_every_third_call_is_found(self):
        kept, calls = [None] * 40, iter(range(40))

        def now_and_then():
            call = next(calls)
            if call % 3 == 0:
                kept[call] = bytes(1000)

        assert LeakDetector.check(now_and_then, iterations=30).has_leaks

    @pytest.mark.anyio
    async def test_an_async_function_is_awaited_every_time(self):
        kept = [None] * 20
        calls = iter(range(20))

        async def leak():
            await anyio.sleep(0)
            kept[next(calls)] = bytes(100_000)

        found = await LeakDetector.check(leak, iterations=12, warmup=3)
        assert sum(item is not None for item in kept) == 15
        assert found.growth_bytes == pytest.approx(100_033, rel=0.01)
        with pytest.raises(LeakError):
            found.assert_no_leaks(max_bytes=1024)

    @pytest.mark.anyio
    async def test_an_async_function_without_a_leak_passes_beside_neighbours(self):
        async def neighbour():
            while True:
                items = [bytes(1000)] * 10
                await anyio.sleep(0.0005)
                del items

        async def quiet():
            await anyio.sleep(0.001)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(neighbour)
            found = await LeakDetector.check(quiet, iterations=50)
            tasks.cancel_scope.cancel()
        found.assert_no_leaks(max_bytes=32, max_allocations=1)

    @pytest.mark.anyio
    async def test_every_kind_of_async_callable_is_awaited(self):
        ran = []

        class Endpoint:
            async def __call__(self):
                ran.append("object")

            async def method(self, *_args):
                ran.append("method")

        for fn in (Endpoint(), Endpoint().method, functools.partial(Endpoint().method, 1)):
            await LeakDetector.check(fn, iterations=1, warmup=0)
        assert ran == ["object", "method", "method"]

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="functions cannot be marked yet")
    @pytest.mark.anyio
    async def test_a_function_marked_as_a_coroutine_function_is_awaited(self):
        ran = []

        async def work():
            ran.append("work")

        @inspect.markcoroutinefunction
        def marked():
            return work()

        await LeakDetector.check(marked, iterations=2, warmup=0)
        assert ran == ["work", "work"]

    def test_a_plain_function_that_returns_an_awaitable_is_refused(self):
        async def work(_argument):
            pass

        with pytest.raises(TypeError, match="pass the async function itself"):
            LeakDetector.check(lambda: work(1))
        assert current_scope() is None

    def test_a_generator_function_is_refused(self):
        def items():
            yield 1

        with pytest.raises(TypeError, match="generator function"):
            LeakDetector.check(items)

    @pytest.mark.anyio
    async def test_what_the_function_raises_comes_out_and_the_scope_is_closed(self):
        def broken():
            raise KeyError("sync")

        async def broken_async():
            raise KeyError("async")

        with pytest.raises(KeyError, match="'sync'"):
            LeakDetector.check(broken)
        with pytest.raises(KeyError, match="'async'"):
            await LeakDetector.check(broken_async)
        assert current_scope() is None

    def test_numbers_that_mean_nothing_are_refused(self):
        for arguments in ({"iterations": 0}, {"warmup": -1}):
            with pytest.raises(ValueError, match="or more; got"):
                LeakDetector.check(int, **arguments)
        for arguments in ({"iterations": 2.0}, {"warmup": "1"}, {"iterations": True}):
            with pytest.raises(TypeError, match="must be an int"):
                LeakDetector.check(int, **arguments)


class TestLeakCheck:
    def test_it_asserts_growth_per_iteration_and_names_the_line_of_the_caller(self):
        found = LeakCheck("load", (100,) * 10, (2,) * 10)
        found.assert_no_leaks(max_bytes=100, max_allocations=2)
        with pytest.raises(LeakError, match=r"load: \+2\.0 blocks and \+100\.0 bytes"):
            found.assert_no_leaks(max_bytes=99, max_allocations=2)
        line = inspect.currentframe().f_lineno + 2
        with pytest.raises(LeakError) as caught:
            found.assert_no_leaks(max_bytes=100)
        assert f"{__file__}:{line}" in str(caught.value)
        assert (caught.value.bytes, caught.value.allocations) == (1000, 20)
        assert caught.value.name == "load"

    def test_it_reads_as_one_line(self):
        found = LeakCheck("load", (100,) * 10, (2,) * 10)
        assert str(found) == "load: +2.0 blocks and +100.0 bytes per iteration over 10 iterations"

    def test_it_is_a_value(self):
        assert LeakCheck("f", (1,), (1,)) == LeakCheck("f", (1,), (1,))
        with pytest.raises(dataclasses.FrozenInstanceError):
            LeakCheck("f", (1,), (1,)).name = "g"

    @settings(deadline=None)
    @given(st.integers(1, 60), st.integers(1, 10**9))
    def test_steady_growth_is_reported_as_it_is(self, iterations, step):
        found = LeakCheck("f", (step,) * iterations, (0,) * iterations)
        assert found.growth_bytes == pytest.approx(step)
        assert found.growth_allocations == 0

    @settings(deadline=None)
    @given(st.integers(2, 60), st.integers(1, 10**9), st.data())
    def test_growing_once_is_no_leak(self, iterations, step, data):
        when = data.draw(st.integers(0, iterations - 1))
        net = [0] * iterations
        net[when] = step
        assert not LeakCheck("f", tuple(net), (0,) * iterations).has_leaks

    @settings(deadline=None)
    @given(st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=60))
    def test_live_memory_that_ends_no_higher_is_no_leak(self, net):
        net.append(min(0, -sum(net)))
        assert not LeakCheck("f", tuple(net), (0,) * len(net)).has_leaks
