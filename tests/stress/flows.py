"""Tasks, threads and generators that are made, cancelled and closed at random."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import time

import anyio
from anyio import from_thread, to_thread
from invariants import Family

from allocmeter import decorator, detached, install, measure, measured, start_tracking
from allocmeter._core.own import OWN
from blocks import untouched

TASKS = 60
NAMES = (None, "first", "second")


class Round:
    """Many tasks below one scope, which end in every way there is."""

    def __init__(self, rng, outermost):
        self.rng, self.family = rng, Family(outermost)
        self.store = []  # objects that anybody may free
        self.iterators = []  # generators that anybody may go on with
        self.operations = 0

    def scope(self):
        return self.family.add(measure(self.rng.choice(NAMES)))

    def measure(self, name, *, registry):
        return self.family.add(measure(name, registry=registry))

    def churn(self):
        self.operations += 1
        for _ in range(self.rng.randrange(5)):
            if self.store and self.rng.random() < 0.55:
                # Another thread may take the last one.
                with contextlib.suppress(IndexError, ValueError):
                    self.store.pop(self.rng.randrange(len(self.store)))
            else:
                self.store.append(untouched(self.rng.randrange(2, 20_000)))
        if self.rng.random() < 0.1:
            ring = [untouched(500)]
            ring.append(Finalized(self, ring))

    async def task(self, depth=0):
        kinds = [self.nested, self.worker, self.generator, self.async_generator, self.child]
        for _ in range(self.rng.randrange(6)):
            self.churn()
            kind = self.rng.random()
            if kind < 0.4 and depth < 5:
                await self.rng.choice(kinds)(depth + 1)
            elif kind < 0.5:
                with detached():
                    self.churn()
                    await anyio.sleep(0)
            elif kind < 0.53:
                raise ValueError
            elif kind < 0.8:
                await anyio.sleep(self.rng.choice([0, 0, 0.001]))

    async def nested(self, depth):
        scope = self.scope()
        with contextlib.suppress(ValueError):
            async with scope:
                await self.task(depth)
        if self.rng.random() < 0.2:
            scope.__exit__(None, None, None)  # changes nothing

    async def worker(self, _depth):
        def work():
            with self.scope():
                self.churn()
                if self.rng.random() < 0.3:
                    from_thread.run_sync(self.churn)
                self.churn()

        await to_thread.run_sync(work)

    async def child(self, depth):
        async with anyio.create_task_group() as tasks:
            for _ in range(self.rng.randrange(3)):
                tasks.start_soon(self.guarded, depth)
            if self.rng.random() < 0.3:
                await anyio.sleep(0)
                tasks.cancel_scope.cancel()

    async def guarded(self, depth):
        with contextlib.suppress(ValueError):
            await self.task(depth)

    # Generators, which other tasks go on with and close

    async def generator(self, _depth):
        @measured
        def items():
            with self.scope() if self.rng.random() < 0.5 else detached():
                for _ in range(4):
                    self.churn()
                    yield untouched(100)

        if self.rng.random() < 0.5 or not self.iterators:
            self.iterators.append(items())
        iterator = self.rng.choice(self.iterators)
        with contextlib.suppress(StopIteration, ValueError):  # ValueError: it runs already
            next(iterator)
        if self.rng.random() < 0.3:
            with contextlib.suppress(ValueError):
                self.iterators.pop().close()

    async def async_generator(self, depth):
        @measured
        async def items():
            for _ in range(3):
                self.churn()
                if self.rng.random() < 0.3:
                    await self.nested(depth)
                yield untouched(200)
                await anyio.sleep(0)

        iterator = items()
        async for _ in iterator:
            self.churn()
            if self.rng.random() < 0.2:
                break
        closing = self.rng.random()
        if closing < 0.4:
            await iterator.aclose()
        elif closing < 0.7:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(iterator.aclose)


class Finalized:
    def __init__(self, owner, ring):
        self.owner, self.ring = owner, ring

    def __del__(self):
        self.owner.store.append(untouched(300))


async def one_round(rng):
    with measure() as outermost:
        found = Round(rng, outermost)
        decorator.measure = found.measure  # so that no scope is unknown
        async with anyio.create_task_group() as tasks:
            for _ in range(TASKS):
                tasks.start_soon(cut_off if rng.random() < 0.3 else plain, found)
        found.iterators.clear()
        for _ in range(3):
            await anyio.sleep(0)
        found.family.check()
    with OWN:
        gc.collect()
    found.family.check()
    found.store.clear()
    return found.family.check() + found.operations


async def plain(found):
    await found.guarded(0)


async def cut_off(found):
    with anyio.move_on_after(found.rng.choice([0, 0.001, 0.005])):
        await found.guarded(0)


def run(seed, seconds):
    rng = random.Random(seed)
    install()
    start_tracking()
    done, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        backend, options = rng.choice(backends())
        done += anyio.run(one_round, rng, backend=backend, backend_options=options)
    return done


def backends():
    found = [("asyncio", {})]
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: F401

        found.append(("asyncio", {"use_uvloop": True}))
    with contextlib.suppress(ImportError):
        import trio  # noqa: F401

        found.append(("trio", {}))
    if hasattr(asyncio, "eager_task_factory"):
        found.append(("asyncio", {"loop_factory": eager}))
    return found


def eager():
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop
