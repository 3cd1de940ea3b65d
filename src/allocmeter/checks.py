"""Checks of numbers that come from users or from files."""

from __future__ import annotations


def check_int(name: str, value: object) -> int:
    """Return `value` if it is an `int`; a `bool` is not one here.

    Raises:
        TypeError: it is something else; the message calls it `name`.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {type(value).__name__} ({value!r})")
    return value


def check_count(name: str, value: object, least: int = 0) -> int:
    """Return `value` if it is an `int` that is not below `least`.

    Raises:
        TypeError: it is no `int`; the message calls it `name`.
        ValueError: it is smaller.
    """
    number = check_int(name, value)
    if number < least:
        raise ValueError(f"{name} must be {least} or more; got {number}")
    return number
