"""Reading reports from files that users name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from allocmeter.errors import AllocmeterError, ReportFormatError

if TYPE_CHECKING:
    from allocmeter.reports import Report


STDIN = "-"


class InputError(AllocmeterError):
    """A file that the user named cannot be read."""


def load_report(source: str) -> Report:
    """Return the report in a file, or from standard input if its name is `-`.

    Raises:
        InputError: the file cannot be read.
        ReportFormatError: it is damaged, foreign or of a newer schema version; the text names
            the file.
    """
    from allocmeter.renderers.printable import printable
    from allocmeter.reports import Report

    shown = "standard input" if source == STDIN else printable(source, 1000)
    try:
        text = _read_stdin() if source == STDIN else Path(source).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {shown}: {error.strerror}") from error
    except ValueError as error:  # a null byte in the name
        raise InputError(f"cannot read {shown}: {error}") from error
    try:
        return Report.from_json(text)
    except ReportFormatError as error:
        raise ReportFormatError(f"{shown}: {error}") from error


def _read_stdin() -> bytes:
    if sys.stdin is None:
        raise InputError("cannot read standard input: it is closed")
    return sys.stdin.buffer.read()
