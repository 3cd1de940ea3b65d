"""Threads that change and read the same dictionaries, each in scopes of its own."""

from __future__ import annotations

import gc
import random
import sys
import threading
import time
from contextvars import copy_context

from invariants import Family

from allocmeter import install, measure, start_tracking
from blocks import untouched

MUTATORS = READERS = 4
KEYS = 3_000


class Table:
    def __init__(self, seconds):
        self.shared = [{} for _ in range(3)]
        self.until = time.monotonic() + seconds
        self.operations = 0
        self.failure: BaseException | None = None

    def guard(self, work, rng, family):
        try:
            while time.monotonic() < self.until and self.failure is None:
                with family.add(measure(work.__name__)):
                    for _ in range(200):
                        work(rng, rng.choice(self.shared))
                        self.operations += 1
        except BaseException as error:
            self.failure = error

    def mutate(self, rng, table):
        kind, key = rng.random(), rng.randrange(KEYS)
        if kind < 0.5:
            table[key] = untouched(rng.randrange(2, 2_000))
        elif kind < 0.9:
            table.pop(key, None)
        elif kind < 0.95:
            table.update({key + n: [key] for n in range(20)})
        elif kind < 0.96:
            table.clear()
        else:
            table[str(key)] = dict.fromkeys(range(key % 50))

    def read(self, rng, table):
        kind = rng.random()
        if kind < 0.6:
            table.get(rng.randrange(KEYS))
        elif kind < 0.8:
            list(table.items())
        else:
            table.copy()


def run(seed, seconds):
    install()
    start_tracking()
    sys.setswitchinterval(1e-4)
    table = Table(seconds)
    with measure() as outermost:
        family = Family(outermost)
        works = [table.mutate] * MUTATORS + [table.read] * READERS
        threads = [
            threading.Thread(
                target=copy_context().run,
                args=(table.guard, work, random.Random(f"{seed}/{number}"), family),
            )
            for number, work in enumerate(works)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if table.failure is not None:
            raise table.failure
        family.check()
        for shared in table.shared:
            shared.clear()
        gc.collect()
        family.check()
    return table.operations
