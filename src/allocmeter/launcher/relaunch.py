"""Starting this process over with the preload library, and hiding the traces of that."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import NoReturn

from allocmeter._core import preload
from allocmeter.launcher.errors import LaunchError

# `<process id>`, or `<process id>:<value>` where LD_PRELOAD had a value. Execution keeps the
# process id; that tells this process from one that merely inherited the variable.
_MARKER = "_ALLOCMETER_RELAUNCHED"


def was_relaunched() -> bool:
    """Whether `relaunch` started this process; if so, its environment is restored.

    `os.environ` and the environment of children are then what they were for the command.
    """
    process, separator, previous = os.environ.pop(_MARKER, "").partition(":")
    if process != str(os.getpid()):
        return False
    if separator:
        os.environ[preload.VARIABLE] = previous
    else:
        os.environ.pop(preload.VARIABLE, None)
    return True


def relaunch(library: str) -> NoReturn:
    """Execute the command line of this process again, with `library` preloaded.

    Options of the interpreter are kept.

    Raises:
        LaunchError: this is not a process of the `allocmeter` command, or cannot be executed.
    """
    if not sys.executable or sys.argv[1:2] != ["run"]:
        raise LaunchError(
            "native memory is seen in a process that starts as `allocmeter run` or "
            "`python -m allocmeter run`, and this one did not; start one, or give --no-native"
        )
    previous = os.environ.get(preload.VARIABLE)
    environment = dict(os.environ)
    environment[preload.VARIABLE] = preload.preloading(library, previous)
    environment[_MARKER] = str(os.getpid()) + ("" if previous is None else f":{previous}")
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, or not there
            stream.flush()
    try:
        os.execve(sys.executable, sys.orig_argv, environment)  # noqa: S606
    except OSError as error:
        raise LaunchError(
            f"{sys.executable} cannot be started again with the preload library: "
            f"{error.strerror}; --no-native does without"
        ) from error
