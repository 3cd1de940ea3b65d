"""Scopes that are still open when the process ends."""

from __future__ import annotations

from allocmeter._core import types


def close_open_scopes() -> int:
    """Close every open scope of the process as cancelled, and return how many they were.

    So that a report on a process that is about to end contains them. The code inside them may go
    on; what it allocates from then on is late work. Needs the interpreter's main thread to run no
    other code in between, as in a signal handler or at exit.
    """
    closed: int = types.native().am_close_open_scopes()
    return closed
