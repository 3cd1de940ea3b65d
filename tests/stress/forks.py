"""Forks while threads allocate, with the interpreter lock and without it."""

from __future__ import annotations

import ctypes
import gc
import os
import random
import signal
import sys
import threading
import time
import traceback
import warnings

from allocmeter import AllocationStats, install, measure, report, start_tracking
from allocmeter._core.figures import read_process
from blocks import untouched
from fuzz_steps import RELEASED

THREADS = 3
HEADER = bytes.__basicsize__
LONGEST = 60  # seconds a child may take


class Noise(threading.Thread):
    """Measures, and allocates without the lock as well."""

    def __init__(self, seed):
        super().__init__(daemon=True)
        self.rng, self.ended, self.turns = random.Random(seed), False, 0
        self.failure: BaseException | None = None

    def run(self):
        malloc, _, realloc, free = RELEASED[0]
        try:
            while not self.ended:
                with measure("noise") as scope:
                    kept = [untouched(self.rng.randrange(2, 5_000)) for _ in range(20)]
                    block = malloc(ctypes.c_size_t(self.rng.randrange(10_000)))
                    block = realloc(block, ctypes.c_size_t(700))
                    free(block)
                    del kept
                assert scope.stats.reallocations >= 1, scope.stats
                assert scope.stats.net_allocations >= 0, scope.stats
                self.turns += 1
        except BaseException as error:
            self.failure = error


def known(size):
    untouched(2)
    with measure("known") as scope:
        kept = untouched(size)
    return scope, kept


def in_child(outer, before, depth):
    """Check what a child inherits, and that it can go on. Returns its exit status."""
    signal.alarm(LONGEST)
    try:
        scope, kept = known(5_000)
        assert scope.stats.net_bytes == 5_000 + HEADER, scope.stats
        now = outer.stats
        assert now.bytes_allocated >= before.bytes_allocated + 5_000, (before, now)
        assert now.net_bytes >= 0, now
        process = AllocationStats.from_figures(read_process())
        assert process.net_bytes >= now.net_bytes, (process, now)
        gc.collect()
        del kept
        assert scope.retained_bytes == 0, scope.retained_bytes
        if depth:
            fork(outer, depth - 1)
        names = {row.name for row in report().rows}
        assert "known" in names, names
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def fork(outer, depth):
    before = outer.stats
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: they are the point
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = in_child(outer, before, depth)
        finally:
            sys.stdout.flush()
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"a child ended with {os.waitstatus_to_exitcode(status)}"


def run(seed, seconds):
    install()
    start_tracking()
    report()  # imports what the children need
    rng, done, until = random.Random(seed), 0, time.monotonic() + seconds
    noise = [Noise(f"{seed}/{number}") for number in range(THREADS)]
    sys.setswitchinterval(1e-4)
    for thread in noise:
        thread.start()
    while time.monotonic() < until:
        with measure("outer") as outer:
            kept = [untouched(rng.randrange(2, 3_000)) for _ in range(50)]
            for _ in range(rng.randrange(1, 6)):
                fork(outer, depth=rng.randrange(2))
                done += 1
            kept.clear()
    for thread in noise:
        thread.ended = True
    for thread in noise:
        thread.join()
        if thread.failure is not None:
            raise thread.failure
    return done + sum(thread.turns for thread in noise), f"({done} forks)"
