"""Installing, uninstalling and tracing from several threads, while others measure."""

from __future__ import annotations

import random
import sys
import threading
import time
import tracemalloc

from allocmeter import (
    AllocationStats,
    BackendUnavailableError,
    HookError,
    backend_info,
    install,
    measure,
    start_tracking,
    stop_tracking,
    uninstall,
)
from allocmeter._core.figures import read_process
from allocmeter._core.own import OWN
from blocks import untouched

THREADS = 3
MEDDLERS = 2
HEADER = bytes.__basicsize__


class Run:
    def __init__(self, seconds):
        self.until = time.monotonic() + seconds
        self.operations = self.exact = self.refused = 0
        self.meddled = 0  # how often tracing was started or stopped
        self.failure: BaseException | None = None

    def guard(self, function, *arguments):
        try:
            while time.monotonic() < self.until and self.failure is None:
                function(*arguments)
                self.operations += 1
        except BaseException as error:
            self.failure = error

    def measure(self, rng):
        size = rng.randrange(2, 200_000)
        meddled, tracing = self.meddled, tracemalloc.is_tracing()
        with measure("stressed") as outer:
            with measure() as inner:
                kept = [None]
                kept[0] = untouched(size)
            kept.clear()
        try:
            stats, around = inner.stats, outer.stats
        except BackendUnavailableError:
            self.refused += 1
            return
        tool = tracing or tracemalloc.is_tracing() or meddled != self.meddled
        self.check(stats, around, size, allocates_too=tool)

    def check(self, stats, around, size, *, allocates_too):
        assert stats.bytes_allocated >= size + HEADER, (stats, size)
        assert around.bytes_allocated >= stats.bytes_allocated, (stats, around)
        assert around.deallocations >= stats.deallocations + 2, (stats, around)
        assert stats.net_allocations >= 2, stats
        if not allocates_too:  # tracemalloc needs tables of its own
            self.exact += 1
            assert around.net_allocations == 0, (stats, around)
            assert around.allocations == stats.allocations, (stats, around)

    def meddle(self, rng):
        kind = rng.randrange(7)
        try:
            if kind == 0:
                install()
            elif kind == 1:
                uninstall()
            elif kind == 2:
                self.meddled += 1
                tracemalloc.start(rng.choice([1, 1, 10]))
            elif kind == 3:
                self.meddled += 1
                tracemalloc.stop()
            elif kind == 4:
                info = backend_info()
                assert min(info.open_scopes, info.scopes_kept, info.gaps) >= 0, info
            elif kind == 5:
                (start_tracking if rng.random() < 0.5 else stop_tracking)()
            else:
                with OWN:
                    process = AllocationStats.from_figures(read_process())
                assert process.net_allocations >= 0, process
        except HookError as error:
            if "too many" in str(error):
                raise
        except BackendUnavailableError:
            self.refused += 1
        time.sleep(rng.choice([0, 0, 0.0005, 0.002]))


def run(seed, seconds):
    import logging

    logging.getLogger("allocmeter").addHandler(logging.NullHandler())
    sys.setswitchinterval(1e-4)
    found = Run(seconds)
    threads = [
        threading.Thread(target=found.guard, args=(work, random.Random(f"{seed}/{number}")))
        for number, work in enumerate([found.measure] * THREADS + [found.meddle] * MEDDLERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if found.failure is not None:
        raise found.failure
    return found.operations, f"({found.exact} exact, {found.refused} refused)"
