"""What each condition does first in a process. Imports nothing that a condition does not need.

Every function returns what opens a scope, or `None` where nothing does.
"""

from __future__ import annotations

import os

KEPT: list[object] = []  # what has to live as long as the process

# False without an import of `typing`, which is not to be in the time that an interpreter starts in.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from benchmarks.workloads import Scope


def nothing() -> None:
    pass


def null_hook() -> None:
    import ctypes

    from benchmarks.null_hook import VARIABLE

    library = ctypes.PyDLL(os.environ[VARIABLE])
    library.null_hook_install()
    KEPT.append(library)


def idle() -> None:
    import allocmeter

    allocmeter.install()


def one_scope() -> Scope:
    import allocmeter

    allocmeter.install()
    return allocmeter.measure


def tracking() -> Scope:
    import allocmeter

    allocmeter.start_tracking()
    return allocmeter.measure


def both_domains() -> Scope:
    import allocmeter

    allocmeter.install()
    why_not = allocmeter.backend_info().domains["native"]
    if why_not:
        raise RuntimeError(f"the native domain is not seen: {why_not}")
    return allocmeter.measure


def tracemalloc() -> None:
    import tracemalloc

    tracemalloc.start(1)


def memray() -> None:
    _start_memray(python_allocators=False)


def memray_python() -> None:
    _start_memray(python_allocators=True)


def _start_memray(*, python_allocators: bool) -> None:
    import memray

    path = os.environ["ALLOCMETER_BENCHMARK_SCRATCH"] + "/memray.bin"
    tracker = memray.Tracker(path, trace_python_allocators=python_allocators)
    tracker.__enter__()
    KEPT.append(tracker)


def ddtrace() -> None:
    from ddtrace.profiling.collector.memalloc import MemoryCollector

    collector = MemoryCollector()
    collector.start()
    KEPT.append(collector)
