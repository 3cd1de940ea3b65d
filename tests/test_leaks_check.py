"""LeakDetector.check and LeakCheck: how memory grows from call to call."""

import dataclasses
import functools
import gc
import inspect
import sys

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocmeter import (
    LeakError,
)
from allocmeter._core.figures import current_scope
from allocmeter.leak_check import LeakCheck
from allocmeter.leaks import LeakDetector

BLOCK = sys.getsizeof(bytes(1000))


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
        with pytest.raises(LeakError, match=r"load: \+2 blocks and \+100 B"):
            found.assert_no_leaks(max_bytes=99, max_allocations=2)
        line = inspect.currentframe().f_lineno + 2
        with pytest.raises(LeakError) as caught:
            found.assert_no_leaks(max_bytes=100, max_allocations=1)
        assert f"{__file__}:{line}" in str(caught.value)
        assert (caught.value.bytes, caught.value.allocations) == (1000, 20)
        assert caught.value.name == "load"

    def test_it_reads_as_one_line(self):
        found = LeakCheck("load", (100,) * 10, (2,) * 10)
        assert str(found) == "load: +2 blocks and +100 B per iteration over 10 iterations"

    def test_it_reads_in_units_that_fit(self):
        found = LeakCheck("load", (24 * 1024 * 1024,) * 2000, (12_000,) * 2000)
        assert str(found) == (
            "load: +12,000 blocks and +24.0 MiB per iteration over 2,000 iterations"
        )

    def test_with_one_tolerance_the_other_is_unlimited(self):
        found = LeakCheck("load", (100,) * 10, (2,) * 10)
        found.assert_no_leaks(max_bytes=100)
        found.assert_no_leaks(max_allocations=2)
        with pytest.raises(LeakError, match="tolerated per iteration: any blocks, 99 bytes"):
            found.assert_no_leaks(max_bytes=99)
        with pytest.raises(LeakError, match="tolerated per iteration: 1 blocks, any bytes"):
            found.assert_no_leaks(max_allocations=1)

    @pytest.mark.parametrize("grown", [{"bytes": 0, "blocks": 1}, {"bytes": 1, "blocks": 0}])
    def test_without_tolerances_no_growth_is_tolerated(self, grown):
        found = LeakCheck("load", (grown["bytes"],) * 10, (grown["blocks"],) * 10)
        with pytest.raises(LeakError, match="tolerated per iteration: 0 blocks, 0 bytes"):
            found.assert_no_leaks()

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
