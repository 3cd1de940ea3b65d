"""PeakMemoryTracker: how an operation leaves its block, whatever ends it."""

import asyncio
import gc

import anyio
import pytest

from allocmeter import (
    measure,
    stop_tracking,
)
from allocmeter._core.figures import current_scope
from allocmeter.peak import PeakMemoryTracker

MIB = 1024 * 1024
# Computed here, because an `int` computed inside a block is one of its allocations.
ONE = 1 * MIB


@pytest.fixture(autouse=True)
def _tracking_is_off_around_each_test():
    stop_tracking()
    yield
    stop_tracking()


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
