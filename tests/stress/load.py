"""Exactness under load: 8 threads, 10,000 tasks, totals to the byte.

A task is a coroutine with a context of its own, which its thread steps in random order. Each step
allocates and frees objects of known sizes in the scope of the task, some of them made by tasks of
other threads. Nothing else is charged to the process: so its totals must be those of the tasks.
"""

from __future__ import annotations

import gc
import random
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from contextvars import Context
from dataclasses import fields

import reference_model as twin
from allocmeter import AllocationStats, install, measure, start_tracking
from allocmeter._core.figures import read_process
from allocmeter._core.own import OWN, own_context
from fuzz_steps import BYTES_HEADER, Kept, Step, chained, perform

THREADS, TASKS = 8, 10_000


class Task:
    """A scope with a context of its own, stepped by hand as an event loop does."""

    __slots__ = ("context", "first", "model", "objects", "scope", "stepped")

    def __init__(self):
        self.context, self.scope = Context(), measure()
        self.model = twin.Scope(None)
        self.objects: list[Kept] = []
        self.stepped = self.body()

    def body(self):
        with self.scope:
            while self.first is not None:
                perform(self.first)
                yield

    def step(self, steps):
        self.first = chained(steps)
        self.context.run(next, self.stepped, None)
        for step in steps:
            step.following = None


class Worker(threading.Thread):
    """Steps its tasks in random order. Objects that go to other threads are credited afterwards."""

    def __init__(self, seed, post, together, seconds):
        super().__init__()
        self.rng, self.post, self.seconds = random.Random(seed), post, seconds
        self.together = together
        self.credits: list[Kept] = []
        self.operations = 0
        self.failure: BaseException | None = None

    def run(self):
        with own_context():
            try:
                self.tasks = [Task() for _ in range(TASKS // THREADS)]
                self.everybody()
                until = time.monotonic() + self.seconds
                while time.monotonic() < until:
                    self.work(self.rng.choice(self.tasks))
                for task in self.tasks:
                    task.step([])
                self.everybody()
            except BaseException as error:
                self.failure = error
                self.together.abort()

    def everybody(self):
        """Let the figures of the process be read, while all threads work for the library."""
        self.together.wait()
        self.together.wait()

    def work(self, task):
        steps, sent = [], []
        for _ in range(self.rng.randrange(1, 30)):
            if task.objects and self.rng.random() < 0.5:
                kept = task.objects.pop(self.rng.randrange(len(task.objects)))
                if self.rng.random() < 0.1:
                    sent.append(kept)
                    continue
                task.model.deallocate(kept.size)
            elif self.rng.random() < 0.05 and (received := self.received()):
                kept = received
                self.credits.append(kept)
            else:
                length = self.rng.randrange(2, 2_000)
                kept = Kept(length, task.model)
                task.model.allocate(length + BYTES_HEADER)
                task.objects.append(kept)
                steps.append(kept)
                continue
            steps.append(Step(setattr, (kept, "result", None)))
        if steps:
            task.step(steps)
        self.post.extend(sent)  # not before they are made
        self.operations += len(steps)

    def received(self):
        try:
            return self.post.popleft()
        except IndexError:
            return None


def run(seed, seconds):
    install()
    gc.disable()
    sys.setswitchinterval(1e-4)
    start_tracking()
    post: deque[Kept] = deque()
    together = threading.Barrier(THREADS + 1)
    with own_context():
        workers = [Worker(f"{seed}/{number}", post, together, seconds) for number in range(THREADS)]
        for worker in workers:
            worker.start()
        totals = []
        with suppress(threading.BrokenBarrierError):  # a worker has failed
            for _ in range(2):
                together.wait()
                totals.append(process())
                together.wait()
        for worker in workers:
            worker.join()
        for worker in workers:
            if worker.failure is not None:
                raise worker.failure
        return check(workers, totals[1] - totals[0])


def check(workers, found):
    for worker in workers:
        for kept in worker.credits:
            kept.owner.deallocate(kept.size)
    tasks = [task for worker in workers for task in worker.tasks]
    total = AllocationStats()
    for task in tasks:
        now = task.scope.stats + task.scope.late_stats
        expected = task.model.total.stats()
        assert now == expected, (now, expected)
        total += expected
    assert found == total, ("the process", found, total)
    operations = sum(worker.operations for worker in workers)
    text = f"({total.allocations:,} blocks, {total.bytes_allocated:,} bytes, exact)"
    return operations, text


def process():
    with OWN:
        figures = read_process()
        return AllocationStats(*(getattr(figures, f.name) for f in fields(AllocationStats)))
