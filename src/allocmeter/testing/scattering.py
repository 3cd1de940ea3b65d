"""Giving each round of a test other addresses.

An object's address decides where a set keeps it, and so which entry makes the set grow. Within one
process the same body would get the same addresses again and again, and its figures would be those
of this process; with others in each round, what varies shows.
"""

from __future__ import annotations

from random import Random
from typing import Final

# The sizes of which the interpreter keeps pools, in bytes; what is larger is the system's. `bytes`
# cannot have the smallest two, nor have tasks and other objects that know their attributes.
_SIZES: Final = range(48, 513, 16)
_HEAD: Final = b"".__sizeof__()
# Blocks of each size: enough for objects to come to lie in another order, and in other pools.
_MOST: Final = 24

# Of our own, so that random numbers of a test are as they were.
_random: Final = Random()  # noqa: S311 - nothing is kept secret


def scattered(number: int) -> list[list[bytes]]:
    """Return blocks that are to be kept for the time of a round; those between them are free.

    Args:
        number: of the round. Those of the same number are alike, in all tests and processes: what
            does not depend on more than that repeats.
    """
    kept = []
    _random.seed(number)
    for size in _SIZES:
        blocks = [bytes(size - _HEAD) for _ in range(_random.randrange(_MOST))]
        del blocks[:: _random.randrange(2, 5)]
        kept.append(blocks)
    return kept
