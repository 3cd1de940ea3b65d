"""Figures as people read them: bytes in powers of 1024, counts in groups of three, bars."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_EIGHTHS: Final = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")


def human_bytes(size: float) -> str:
    """Return a size, or a difference of sizes, in the IEC unit that fits it.

    Whole bytes are exact; everything else has two significant digits or more: `512 B`,
    `1.1 KiB`, `24.0 MiB`, `250 KiB`. Above the largest unit the figure grows: `2,048 TiB`.

    Args:
        size: bytes; may be negative or fractional.
    """
    figure, unit = _figure(size), _UNITS[0]
    for larger in _UNITS[1:]:
        # As printed: 1023.97 KiB would be rounded to 1024 KiB, which is 1.0 MiB.
        if abs(float(figure.replace(",", ""))) < 1024:
            break
        size /= 1024
        figure, unit = _figure(size, exact=False), larger
    return f"{figure} {unit}"


def human_count(count: float) -> str:
    """Return a number of things with thousands separators: `2,000`, `12.5`.

    Args:
        count: may be negative; a fraction, which a mean or a median may have, is shown to
            one decimal below 100 and rounded from there on.
    """
    return _figure(count)


def bar(share: float, width: int) -> str:
    """Return a bar of blocks; what is more than nothing is never drawn empty.

    Args:
        share: how much of the width to fill, 0 to 1.
        width: columns of a full bar; a shorter one is not padded.
    """
    eighths = round(share * width * 8)
    if share:
        eighths = max(eighths, 1)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8]


def _figure(value: float, *, exact: bool = True) -> str:
    whole = (exact and value == int(value)) or abs(value) >= 99.95
    # "z": what rounds to zero from below is not minus zero.
    return f"{value:z,.0f}" if whole else f"{value:z,.1f}"
