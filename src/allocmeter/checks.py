"""Checks of numbers that come from users or from files."""

from __future__ import annotations

from allocmeter.errors import ReportFormatError


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


def check_schema_version(what: str, version: object, newest: int) -> None:
    """Refuse a file whose schema is unknown here.

    Args:
        what: is in the file, for the message.
        version: as it stands there.
        newest: what this package writes.

    Raises:
        ReportFormatError: it is newer, or no version.
    """
    try:
        found = check_count("schema_version", version, least=1)
    except (TypeError, ValueError) as error:
        raise ReportFormatError(f"damaged {what}: {version!r:.60} is no schema version") from error
    if found > newest:
        raise ReportFormatError(
            f"the {what} has schema version {found}, and this allocmeter reads up to {newest}; "
            "upgrade allocmeter to read it"
        )
