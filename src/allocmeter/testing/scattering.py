"""Giving each round of a test other addresses, and the same ones in each process.

An object's address decides where a set keeps it, and so which entry makes the set grow. Within one
process the same body would get the same addresses again and again, and its figures would be those
of this process; with others in each round, what varies shows. What the rounds are like must not be
luck either: so each begins with pools of its own, in which addresses follow each other.
"""

from __future__ import annotations

from random import Random
from typing import Final

from allocmeter.testing.settling import empty_free_lists

# The sizes of which the interpreter keeps pools, in bytes; what is larger is the system's. `bytes`
# cannot have the smallest two, nor have tasks and other objects that know their attributes.
_SIZES: Final = range(48, 513, 16)
_HEAD: Final = b"".__sizeof__()
# Blocks of each size: enough for objects to come to lie in another order, and in other pools.
_MOST: Final = 24

# A pool and what stands at its beginning, in bytes; so many blocks from there on in the order of
# their addresses are one that nobody else has a block of.
_POOL: Final = 16 * 1024
_POOL_HEAD: Final = 48
_RUN: Final = 8
# Free blocks of a size that are taken at most: another allocator has no pools.
_ENOUGH: Final = 8_192

# The list of them is the system's from the start: while it grows, it gives no block of a pool back.
_LONG: Final = 256

# Of our own, so that random numbers of a test are as they were.
_random: Final = Random()  # noqa: S311 - nothing is kept secret


def scattered(number: int) -> list[bytes]:
    """Return blocks that are to be kept for the time of a round; those between them are free.

    Args:
        number: of the round. Those of the same number are alike, in all tests and processes: what
            does not depend on more than that repeats.
    """
    kept = [b""] * _LONG
    _random.seed(number)
    empty_free_lists()  # into the pools, where it is taken
    has_pools = True
    for size in _SIZES:
        has_pools = has_pools and _take_free_blocks(size, kept)
        begin = len(kept)
        kept.extend(bytes(size - _HEAD) for _ in range(max(_POOL // size, 3 * _MOST)))
        del kept[begin :: _random.randrange(2, 5)]
        del kept[begin + _random.randrange(_MOST) :]
    return kept


def _take_free_blocks(size: int, kept: list[bytes]) -> bool:
    """Take the blocks of a size that happen to be free, up to a pool that all of is free.

    Returns:
        Whether there is such a pool.
    """
    run = 0
    for _ in range(_ENOUGH):
        kept.append(bytes(size - _HEAD))
        address = id(kept[-1])
        if address % _POOL == _POOL_HEAD:
            run = 1
        elif run:
            run = run + 1 if address == id(kept[-2]) + size else 0
        if run == _RUN:
            return True
    return False
