"""The self-test of the python domain."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from allocmeter.doctor.checks import Check, SelfTestError
from allocmeter.doctor.explanation import explain
from allocmeter.doctor.known_blocks import Address, Experiment, function, size_argument
from allocmeter.errors import AllocmeterError

if TYPE_CHECKING:
    from collections.abc import Mapping

ALLOCATORS = {"raw": "PyMem_Raw", "mem": "PyMem_", "obj": "PyObject_"}


def check_python() -> Check:
    """Say whether the python domain is counted exactly in this process."""
    from allocmeter.backend import backend_info

    try:
        blocks, total = _test_all()
    except SelfTestError as error:
        return Check("python", "failed", *explain(str(error)))
    except AllocmeterError as error:
        return Check("python", "missing", str(error))
    info = backend_info()
    if info.domains["python"]:
        return Check("python", "failed", info.domains["python"])
    return Check(
        "python",
        "ok",
        f"{blocks} blocks, {total:,} bytes of the raw, mem and obj allocators: counted exactly; "
        f"the hooks are {info.hook_position}",
    )


def _test_all() -> tuple[int, int]:
    library = ctypes.PyDLL(None)
    blocks = total = 0
    for name, prefix in ALLOCATORS.items():
        functions = {
            verb: function(library, prefix + verb, None if verb == "Free" else Address)
            for verb in ("Malloc", "Calloc", "Realloc", "Free")
        }
        _test(functions)  # first calls make objects of their own
        try:
            experiment = _test(functions)
            experiment.finish()
        except SelfTestError as error:
            raise SelfTestError(f"{name}: {error}") from None
        blocks += experiment.blocks.stats.allocations
        total += experiment.blocks.stats.bytes_allocated
    return blocks, total


def _test(functions: Mapping[str, Any]) -> Experiment:
    malloc, calloc, realloc, free = functions.values()
    experiment = Experiment()
    small = experiment.allocate(malloc, (size_argument(100),), 100)
    large = experiment.allocate(malloc, (size_argument(70_000),), 70_000)
    empty = experiment.allocate(malloc, (size_argument(0),), 0)
    zeroed = experiment.allocate(calloc, (size_argument(7), size_argument(73)), 511)
    first = experiment.allocate(realloc, (None, size_argument(64)), 64)
    grown = experiment.reallocate(realloc, small, (size_argument(3_000),), 3_000)
    shrunk = experiment.reallocate(realloc, large, (size_argument(300),), 300)
    for block in (empty, zeroed, first, grown, shrunk):
        experiment.free(free, block)
    return experiment
