"""numpy's arrays: every byte of their data, in the task that asked for them.

Where the data comes from depends on the release: from `calloc` (zeros) and `malloc` of the C
library, the native domain; or, in late numpy 2.x, from `PyMem_RawCalloc` and `PyMem_RawMalloc`, the
python domain. So the sum is asserted, and that the data is in one of them. Up to 1,024 bytes numpy
serves from a cache of its own; these arrays are larger.
"""

from __future__ import annotations

import pytest

from preloading import linux_only, natively

pytest.importorskip("numpy")
pytestmark = [linux_only, pytest.mark.exact]

ARRAYS = """
import numpy as np

def rounded(stats):
    return [stats.bytes_allocated, stats.bytes_deallocated]
"""

MAKERS = {
    "zeros": ("np.zeros(N)", 8),
    "ones": ("np.ones(N)", 8),
    "empty": ("np.empty(N)", 8),
    "full of int16": ("np.full(N, 3, dtype=np.int16)", 2),
    "matrix": ("np.zeros((N // 100, 100), dtype=np.complex128)", 16),
    "concatenate": ("np.concatenate([half, half])", 8),
    "copy of a slice": ("whole[::2].copy()", 8),
    "slice": ("whole[10:-10]", 0),
    "reshape": ("whole.reshape(2, -1)", 0),
    "frombuffer": ("np.frombuffer(data)", 0),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_an_array_costs_its_data_and_one_object(maker):
    expression, each = MAKERS[maker]
    found = natively(
        ARRAYS
        + f"""
def make(N):
    half, whole, data = np.ones(N // 2), np.ones(2 * N), bytes(8 * N)
    def work():
        return {expression}
    work()
    with measure() as scope:
        array = work()
    retained = scope.retained_bytes
    domains = [scope.by_domain()[name].bytes_allocated for name in ("python", "native")]
    del array
    return [retained, scope.retained_bytes, *domains]

print(json.dumps([make(N) for N in (10_000, 20_000, 1_000_000)]))
"""
    )
    sizes = [10_000, 20_000, 1_000_000]
    # The object and its dimensions cost the same whatever the size.
    objects = [retained - size * each for (retained, *_), size in zip(found, sizes, strict=True)]
    assert len(set(objects)) == 1
    assert 50 < objects[0] < 500
    assert [after for _, after, *_ in found] == [0, 0, 0]
    if each:
        for (_, _, python, native), size in zip(found, sizes, strict=True):
            data = size * each
            assert sorted((python >= data, native >= data)) == [False, True]


CONCURRENT = (
    ARRAYS
    + """
import anyio, anyio.to_thread

TASKS = 100
scopes, waiting = {}, 0

def data(number):
    return 8 * (2_000 + number) * 50

def make(number):
    return np.ones(data(number) // 8)

async def task(number, everybody, warm):
    global waiting
    with measure() as scope:
        array = make(number)
        waiting += 1
        if waiting == TASKS:
            everybody.set()
        await everybody.wait()
        scopes[number] = [scope, scope.retained_bytes - data(number)]
        del array

async def main():
    everybody = anyio.Event()
    async with anyio.create_task_group() as group:
        for number in range(TASKS):
            group.start_soon(task, number, everybody, False)
    return [
        [excess, scope.peak_bytes - data(number), scope.retained_bytes]
        for number, (scope, excess) in scopes.items()
    ]
"""
)


def _backends(name):
    options = {
        "asyncio": "backend='asyncio'",
        "uvloop": "backend='asyncio', backend_options={'use_uvloop': True}",
        "eager": "backend='asyncio', backend_options={'loop_factory': eager}",
        "trio": "backend='trio'",
    }
    eager = """
import asyncio
def eager():
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop
"""
    return (eager if name == "eager" else "") + f"run = lambda: anyio.run(main, {options[name]})\n"


BACKENDS = ["asyncio", "uvloop", "eager", "trio"]


@pytest.fixture(params=BACKENDS)
def runner(request):
    import sys

    if request.param == "eager" and sys.version_info < (3, 12):
        pytest.skip("eager tasks came with 3.12")
    return _backends(request.param)


def test_each_of_a_hundred_tasks_is_charged_with_its_own_arrays(runner):
    found = natively(CONCURRENT + runner + "print(json.dumps(run()))")
    assert len(found) == 100
    for excess, peak, retained in found:
        assert 0 < excess < 20_000, "the array's object, and what the loop does in the task's steps"
        assert 0 < peak < 40_000
        assert retained < 10_000, "the ready queue keeps up to 16 blocks of 528 bytes"


def test_arrays_made_in_a_worker_thread_and_freed_by_another_task_belong_to_the_maker(runner):
    makers, freer = natively(
        CONCURRENT
        + """
async def in_thread(number, send):
    with measure() as scope:
        array = await anyio.to_thread.run_sync(make, number)
        buffer = await anyio.to_thread.run_sync(released.malloc, 100_000 + number)
    scopes[number] = scope
    await send.send((array, buffer))

async def free(receive):
    with measure() as scope:
        async for array, buffer in receive:
            released.free(buffer)
            del array
    freer.append(scope)

async def warm_up():
    async with anyio.create_task_group() as group:  # a thread costs who starts it a block
        for _ in range(40):
            group.start_soon(anyio.to_thread.run_sync, time.sleep, 0.01)

async def main():
    with measure():
        await warm_up()
    send, receive = anyio.create_memory_object_stream(0)
    async with anyio.create_task_group() as group:
        group.start_soon(free, receive)
        async with send, anyio.create_task_group() as makers:
            for number in range(TASKS):
                makers.start_soon(in_thread, number, send)
    return [
        [scope.stats.bytes_allocated - data(number) - 100_000 - number,
         native(scope).bytes_allocated - 100_000 - number, scope.retained_bytes]
        for number, scope in scopes.items()
    ], [freer[0].stats.bytes_allocated, freer[0].stats.bytes_deallocated]

freer = []
"""
        + runner
        + "print(json.dumps(run()))"
    )
    assert len(makers) == 100
    for excess, native, retained in makers:
        assert 0 < excess < 60_000, "and trio's messages to its threads"
        assert native >= 0
        assert retained < 60_000
    allocated, freed = freer
    assert allocated < 1_000_000
    assert freed <= allocated
