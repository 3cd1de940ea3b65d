"""Running a piece of code in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

HERE = Path(__file__).parent


def run_child(code, *arguments, timeout=120, **env):
    """Run `code` in a fresh interpreter of this version.

    Args:
        code: Python source; its indentation is removed.
        arguments: what the child finds in `sys.argv[1:]`.
        timeout: seconds after which the child is killed and `TimeoutExpired` is raised.
        env: variables to set, or with `None` to remove, in the child's environment.

    Returns:
        The `CompletedProcess`, its output as text.
    """
    # A hard crash then says which line of Python it was in.
    environment = {**os.environ, "PYTHONFAULTHANDLER": "1"}
    for name, value in env.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = str(value)
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env=environment,
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def output_of(code, *arguments, **options):
    """Run `code`, insist that it ends well and silently, and return what it printed."""
    child = run_child(code, *arguments, **options)
    assert (child.returncode, child.stderr) == (0, ""), child.stdout + child.stderr
    return child.stdout


def answer_of(code, *arguments, **options):
    """Return the JSON value that `code` prints as its last line."""
    return json.loads(output_of(code, *arguments, **options).splitlines()[-1])


# What most children begin with.
MEASURING = """
import ctypes, gc, json, logging, sys, threading, time, tracemalloc
from allocmeter import (
    AllocationStats, BackendUnavailableError, HookError, LeakDetector, PeakMemoryTracker,
    backend_info, install, measure, report, start_tracking, uninstall,
)

logging.getLogger("allocmeter").addHandler(logging.NullHandler())  # not on stderr

def refused(function, *arguments):
    try:
        function(*arguments)
    except (BackendUnavailableError, HookError) as error:
        return f"{type(error).__name__}: {error}"
    return "not refused"

def one_block():
    bytes(1000)  # leaves its tuple of arguments in a free list, for the next call to find
    with measure() as scope:
        block = bytes(1000)
    return scope.stats

ONE = AllocationStats(1, 0, 0, 1033, 0)
"""


def measuring(code, *arguments, **options):
    """Run `code` with the common names imported, and return the JSON value it prints last."""
    return answer_of(MEASURING + textwrap.dedent(code), *arguments, **options)
