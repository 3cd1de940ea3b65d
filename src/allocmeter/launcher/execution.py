"""Running a program and letting the interpreter end as if it had run it itself."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from allocmeter.launcher.errors import LaunchError
from allocmeter.launcher.main_module import enter

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from allocmeter.launcher.program import Program

_OURS = (__file__, enter.__code__.co_filename)


class ProgramFailed(BaseException):
    """Carries the exception that ended the program past every `except` of our own.

    The interpreter finds it uncaught and calls `sys.excepthook`, where the exception of the
    program comes back. So exit status and order of events are those of the interpreter.
    """


class ProgramInterrupted(ProgramFailed, KeyboardInterrupt):
    """Carries an interrupt: from 3.14 on the interpreter ends by what it finds uncaught."""


def execute(program: Program, refused: Callable[[], None]) -> NoReturn:
    """Run a program to its end.

    Args:
        program: what to run.
        refused: called if there turns out to be nothing to run.

    Raises:
        SystemExit: the program has ended, or has raised it.
        ProgramFailed: it raised anything else.
        LaunchError: there was nothing to run.
    """
    try:
        try:
            code, namespace = enter(program)
            exec(code, namespace)  # noqa: S102 - that is what was asked for
        except LaunchError:
            refused()
            raise
        except SystemExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the interpreter shows it
            _hand_over(error)
            raise _carrier(error) from None
    except ProgramFailed:
        raise
    except KeyboardInterrupt as interrupt:  # a second one, while the first was handed over
        _hand_over(interrupt)
        raise _carrier(interrupt) from None
    raise SystemExit(0)


def _carrier(error: BaseException) -> ProgramFailed:
    if sys.version_info >= (3, 14) and isinstance(error, KeyboardInterrupt):
        return ProgramInterrupted()
    return ProgramFailed()


def _hand_over(error: BaseException) -> None:
    """Have the interpreter report `error` when it finds `ProgramFailed` uncaught."""
    error.__traceback__ = traceback = _of_program(error.__traceback__)
    if type(error) is KeyboardInterrupt:
        _note_interrupt()
    hook = sys.excepthook

    def report(*_carrier: object) -> None:
        sys.excepthook = hook
        sys.last_type, sys.last_value, sys.last_traceback = type(error), error, traceback
        if sys.version_info >= (3, 12):
            sys.last_exc = error
        try:
            hook(type(error), error, traceback)
        except SystemExit:
            raise
        except BaseException as failure:  # noqa: BLE001 - shown as the interpreter does
            _show_failed_hook(failure, error)

    sys.excepthook = report


def _of_program(traceback: TracebackType | None) -> TracebackType | None:
    """Return the part of a traceback that begins with the program's own frames."""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file not in _OURS and not file.startswith("<frozen runpy"):
            break
        traceback = traceback.tb_next
    return traceback


def _note_interrupt() -> None:
    """Make the interpreter note that an interrupt was not handled, as it does for a script.

    At its very end it then ends itself by SIGINT, which tells shells to stop their loops. What
    makes it take note is a `KeyboardInterrupt` that leaves code given as text.
    """
    with suppress(KeyboardInterrupt):
        exec("raise KeyboardInterrupt")  # noqa: S102 - see above


def _show_failed_hook(failure: BaseException, error: BaseException) -> None:
    """Say what the interpreter says when the program's `sys.excepthook` fails itself."""
    traceback = failure.__traceback__
    failure.__traceback__ = traceback.tb_next if traceback is not None else None
    failure.__context__ = None
    sys.stderr.write("Error in sys.excepthook:\n")
    sys.__excepthook__(type(failure), failure, failure.__traceback__)
    sys.stderr.write("\nOriginal exception was:\n")
    sys.__excepthook__(type(error), error, error.__traceback__)
