"""Whole numbers on the command line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_DIGITS = 1_000  # int() refuses some thousands


def positive(text: str) -> int:
    """Return the whole number from 1 that an argument has to be."""
    number = _parsed(text)
    if number is None or number < 1:
        raise argparse.ArgumentTypeError(f"{_quoted(text)} is not a whole number from 1")
    return number


def whole_number(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Return what converts an argument that has to be a whole number in these limits."""

    def convert(text: str) -> int:
        number = _parsed(text)
        if number is None:
            raise argparse.ArgumentTypeError(f"{_quoted(text)} is not a whole number")
        if highest is None and number < lowest:
            raise argparse.ArgumentTypeError(f"{text[:60]} is below {lowest:,}")
        if highest is not None and not lowest <= number <= highest:
            raise argparse.ArgumentTypeError(
                f"{text[:60]} is not between {lowest:,} and {highest:,}"
            )
        return number

    return convert


def _parsed(text: str) -> int | None:
    # int() reads "1_0" and digits of other scripts too.
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS:
        return int(text)
    return None


def _quoted(text: str) -> str:
    return repr(text[:60])
