"""Sizes as people write them in options and markers: `1 KiB`, `64KiB`, `1.5 MiB`, `4096`."""

from __future__ import annotations

import re
from typing import Final

# Largest first, as messages list them. "KB" is 1,000 bytes, as the standard says: whoever meant
# 1,024 gets a limit that is too strict and says so, never one that is silently too lax.
_UNITS: Final = {
    "b": 1,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "tib": 1024**4,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "tb": 1000**4,
}
_SIZE: Final = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?) ?([A-Za-z]*)")
_GRAMMAR: Final = (
    "a size is a number and a unit, such as 512 B, 64 KiB or 1.5 MiB (B, KiB, MiB, GiB, TiB in"
    " steps of 1,024; KB, MB, GB, TB in steps of 1,000), or a plain number of bytes"
)
# The core counts in 64 bits.
_LARGEST: Final = 2**64


def parse_size(text: str) -> int:
    """Return the number of bytes that a text such as `64 KiB` stands for.

    Upper and lower case are the same. A fraction of a byte is dropped: `0.3 KiB` is 307.

    Args:
        text: a number from 0, with a unit or alone; then it is a number of bytes.

    Raises:
        ValueError: it is something else, or more than 64 bits can count; the text gives the
            grammar.
    """
    from decimal import Decimal

    found = _SIZE.fullmatch(text.strip())
    if found is None or (unit := found[2].lower() or "b") not in _UNITS:
        raise ValueError(f"{shortened(text)} is not a size; {_GRAMMAR}")
    size = int(Decimal(found[1]) * _UNITS[unit])
    if size >= _LARGEST:
        raise ValueError(f"{shortened(text)} is more than any memory holds")
    return size


def shortened(text: str) -> str:
    """Return the text quoted for a message: control characters escaped, at most 60 characters."""
    quoted = repr(text)
    return quoted if len(quoted) <= 60 else quoted[:58] + "…" + quoted[-1]
