"""Operations that allocate, fail or are cancelled, and what they cost."""

from __future__ import annotations

import asyncio
import sys

from allocmeter import AllocationProfiler, AllocationStats

SIZES = [5_000, 1_000, 3_000, 2_000, 9_000]


# Repeating a byte is one allocation; calling `bytes` may take a tuple for its arguments besides.
def block(size=10_000):
    return b"x" * size


async def async_block(size=10_000):
    return b"x" * size


def returning_a_coroutine(size=10_000):
    return async_block(size)


def transient(size=10_000):
    block(size)


def fail(size=10_000):
    kept = block(size)
    raise ValueError(len(kept))


def cancel():
    raise asyncio.CancelledError


def cost(size):
    return sys.getsizeof(block(size))


def one_block(size=10_000):
    return AllocationStats(allocations=1, bytes_allocated=cost(size))


def profiled_blocks():
    """Five successful runs of known size."""
    profiler = AllocationProfiler("blocks")
    for size in SIZES:
        profiler.profile(block, size)
    return profiler
