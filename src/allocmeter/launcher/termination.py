"""Getting word before a signal ends the process."""

from __future__ import annotations

import _thread
import os
import signal
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any

from allocmeter._core.signals import heard, repeat_until_heard

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_INIT = 1  # a container's first process, which the default disposition does not end


def before_termination(finish: Callable[[], bool]) -> Callable[[], None]:
    """Have `finish` called before the default disposition of a signal ends the process.

    That is SIGTERM from anywhere, and SIGINT where the program raises it itself, as servers do
    that repeat a signal when they are done with it. An interrupt from outside is Python's as long
    as it is a `KeyboardInterrupt`; where the program asks for the default it wants to be ended
    even while the interpreter does not run, and is.

    A handler stands in for the default disposition of SIGTERM whenever that is in force, calls
    `finish`, and lets the default end the process after all. To the program it is the default:
    `signal.getsignal` says so, and setting it (as event loops and servers do when they are done
    with a handler of their own) brings the stand-in back. Like the default it misses no signal, and
    it is the default after all where the main thread stays in C for seconds: without a report.

    Args:
        finish: returns whether the process may end now; if not, it sends the signal again later.

    Returns:
        A function that takes the stand-in away again. Needed when there is nothing to finish any
        more: an interpreter that is about to end calls no handlers.
    """
    number, set_handler, get_handler = signal.SIGTERM, signal.signal, signal.getsignal

    def stand_in(_number: int, _frame: FrameType | None) -> None:
        heard()
        if finish():
            set_handler(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def stand_down() -> None:
        if get_handler(number) is stand_in:
            with suppress(ValueError):  # not the main thread
                set_handler(number, signal.SIG_DFL)

    _replace_default(number, stand_in)
    _precede_raising(signal.SIGINT, finish)
    return stand_down


def _replace_default(number: int, stand_in: Callable[[int, FrameType | None], None]) -> None:
    """Set this handler wherever the program has, or sets, the default, without its seeing that."""
    set_handler, get_handler = signal.signal, signal.getsignal

    def as_seen(handler: Any) -> Any:
        return signal.SIG_DFL if handler is stand_in else handler

    @wraps(set_handler)
    def replacement(signalnum: Any, handler: Any) -> Any:
        is_default = isinstance(handler, int) and handler == signal.SIG_DFL
        if signalnum == number and is_default and os.getpid() != _INIT:
            handler = stand_in
        before = set_handler(signalnum, handler)
        _repeat_for(stand_in, number, before=before, now=handler)
        return as_seen(before)

    @wraps(get_handler)
    def answer(signalnum: Any) -> Any:
        return as_seen(get_handler(signalnum))

    if get_handler(number) == signal.SIG_DFL:
        with suppress(ValueError):  # not the main thread, where no handler can be set
            replacement(number, signal.SIG_DFL)
    for function in (replacement, answer):
        setattr(signal, function.__name__, function)  # the name is that of the original

    interrupt_main = _thread.interrupt_main

    @wraps(interrupt_main)
    def interrupt(signum: Any = signal.SIGINT, /) -> None:
        # It runs the handler of a signal, and does nothing where the default is in force.
        if signum != number or get_handler(number) is not stand_in:
            interrupt_main(signum)

    _thread.interrupt_main = interrupt


def _repeat_for(stand_in: object, number: int, *, before: object, now: object) -> None:
    """Have the signal repeated while the stand-in is its handler, and only then."""
    if now is stand_in:
        repeat_until_heard(number)
    elif before is stand_in:
        heard()


def _precede_raising(number: int, finish: Callable[[], bool]) -> None:
    """Finish before the program raises this signal while the default disposition is in force."""
    raise_it = signal.raise_signal

    @wraps(raise_it)
    def replacement(signalnum: Any, /) -> None:
        if signalnum == number and signal.getsignal(number) == signal.SIG_DFL:
            finish()
        raise_it(signalnum)

    setattr(signal, replacement.__name__, replacement)
