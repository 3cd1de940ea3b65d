"""Signals that the interpreter may miss, repeated until their handler runs.

A handler in Python runs when the main thread gets back to the interpreter. A signal that comes
right before that thread begins to wait, or in a forked child before the interpreter has settled
there, is noted and forgotten. See `_native/repeating.h`.
"""

from __future__ import annotations

from allocmeter._core import types


def repeat_until_heard(number: int) -> None:
    """Repeat this signal, whose handler was just set, until `heard` is called.

    If that takes seconds, because the main thread is busy in C, the default disposition is brought
    back. Where the system has no timers for it, nothing is done. From the main thread.
    """
    types.native().am_signal_repeat(number)


def heard() -> None:
    """Stop repeating: the handler runs, or another one is about to be set."""
    types.native().am_signal_heard()
