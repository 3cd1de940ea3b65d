"""The self-test of the native domain, in a process that was started with the preload library."""

from __future__ import annotations

import ctypes

from allocmeter.doctor.checks import SelfTestError
from allocmeter.doctor.known_blocks import Address, Experiment, function, size_argument

_FUNCTIONS = {
    "malloc": 1_000,
    "calloc": 1_200,
    "realloc": 5_000,
    "reallocarray": 3_000,
    "posix_memalign": 2_000,
    "aligned_alloc": 1_024,
    "memalign": 700,
    "valloc": 300,
    "pvalloc": 400,
}
_ON_RAW_THREAD = 1_234_567


def test_native() -> tuple[int, int]:
    """Allocate known blocks by each function of the family, and on a thread without Python.

    The interpreter lock is released during the calls, as extension modules do.

    Returns:
        How many blocks were allocated, and their bytes: all of them were counted exactly.

    Raises:
        SelfTestError: some were not; the text says by which function.
        AllocmeterError: there can be no scopes.
    """
    library = ctypes.CDLL(None)
    blocks = total = 0
    wrong: dict[str, str] = {}
    for name in _FUNCTIONS:
        if not hasattr(library, name):
            continue  # not every C library has all of them
        _test(library, name)  # first calls make objects of their own
        try:
            experiment = _test(library, name)
            experiment.finish()
        except SelfTestError as error:
            wrong[name] = str(error)
            continue
        blocks += experiment.blocks.stats.allocations
        total += experiment.blocks.stats.bytes_allocated
    try:
        _test_raw_thread()
    except SelfTestError as error:
        wrong["malloc on a thread without Python"] = str(error)
    if wrong:
        raise SelfTestError("; ".join(f"{name}: {text}" for name, text in wrong.items()))
    return blocks + 1, total + _ON_RAW_THREAD


def _test(library: ctypes.CDLL, name: str) -> Experiment:
    free, malloc = function(library, "free", None), function(library, "malloc")
    tested = function(library, name, ctypes.c_int if name == "posix_memalign" else Address)
    size, experiment = _FUNCTIONS[name], Experiment(with_lock=False)
    in_bytes = size_argument(size)
    if name == "calloc":
        block = experiment.allocate(tested, (size_argument(size // 40), size_argument(40)), size)
    elif name in ("realloc", "reallocarray"):
        block = experiment.allocate(malloc, (size_argument(100),), 100)
        sizes = (in_bytes,) if name == "realloc" else (size_argument(size // 10), size_argument(10))
        block = experiment.reallocate(tested, block, sizes, size)
    elif name == "posix_memalign":
        block = experiment.allocate_into(tested, (size_argument(64), in_bytes), size)
    elif name in ("aligned_alloc", "memalign"):
        block = experiment.allocate(tested, (size_argument(64), in_bytes), size)
    else:
        block = experiment.allocate(tested, (in_bytes,), size)
    experiment.free(free, block)
    return experiment


def _test_raw_thread() -> None:
    """Have threads that run nothing but malloc and free; they belong to the process alone."""
    from allocmeter.tracking import is_tracking, start_tracking, stop_tracking

    tracked, made, freed = is_tracking(), 0, 0
    start_tracking()
    try:
        # The second time there is a stack for the threads, and tracemalloc, which keeps every new
        # traceback in native memory, has seen these lines.
        for _ in range(2):
            made, freed = _allocated_and_freed_on_raw_threads()
    finally:
        if not tracked:
            stop_tracking()
    if (made, freed) != (_ON_RAW_THREAD, _ON_RAW_THREAD):
        raise SelfTestError(
            f"bytes allocated and freed: {made:,} and {freed:,} instead of {_ON_RAW_THREAD:,} each"
        )


def _allocated_and_freed_on_raw_threads() -> tuple[int, int]:
    from allocmeter._core.figures import read_process_native

    before = read_process_native()
    address = _thread_runs("malloc", _ON_RAW_THREAD)
    between = read_process_native()
    _thread_runs("free", address)
    after = read_process_native()
    if before is None or between is None or after is None:
        raise SelfTestError("the native domain is not seen in this process")
    return (
        between.bytes_allocated - before.bytes_allocated,
        after.bytes_deallocated - between.bytes_deallocated,
    )


def _thread_runs(name: str, argument: int | None) -> int | None:
    """Run one C function on a new thread of the system's, and return the address it returns."""
    library = ctypes.CDLL(None)
    create = function(library, "pthread_create", ctypes.c_int)
    join = function(library, "pthread_join", ctypes.c_int)
    thread, result = ctypes.c_void_p(), ctypes.c_void_p()
    start, given = ctypes.cast(library[name], ctypes.c_void_p), ctypes.c_void_p(argument)
    if create(ctypes.byref(thread), None, start, given) != 0:
        raise SelfTestError("no thread could be started")
    join(thread, ctypes.byref(result))
    return result.value


def main() -> None:
    """Test in a process that was started for it; answer as JSON on standard output."""
    import json

    from allocmeter.backend import backend_info, install
    from allocmeter.errors import AllocmeterError

    answer: dict[str, object] = {"unseen": "", "error": "", "blocks": 0, "bytes": 0}
    try:
        install()
        answer["unseen"] = backend_info().domains["native"]
        if not answer["unseen"]:
            answer["blocks"], answer["bytes"] = test_native()
    except (SelfTestError, AllocmeterError) as error:
        answer["error"] = str(error)
    print(json.dumps(answer))  # noqa: T201
