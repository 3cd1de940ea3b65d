"""Runs: one subject under one condition, in a fresh process."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.paths import HERE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.conditions import Condition
    from benchmarks.subjects import Subject

TIMEOUT: Final = 120.0  # seconds
REPEATS, SLOW_REPEATS = 3, 1  # of the work, in one process
CHILD: Final = HERE / "child.py"
# An interpreter that starts, and ends.
STARTED: Final = "from benchmarks import starting\nopened = starting.{name}()\n{scope}"


def children_cpu_seconds() -> float:
    """Return the CPU time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class RunFailedError(Exception):
    """A process did not do what it was started for."""


def run(subject: Subject, condition: Condition, *, quick: bool) -> dict[str, float]:
    """Measure a subject once, and return its figures.

    Raises:
        RunFailedError: the process failed, or took too long.
    """
    with tempfile.TemporaryDirectory(prefix="allocmeter-benchmark-") as directory:
        scratch = Path(directory)
        if subject.group == "start":
            return {"seconds": _cpu_seconds(_starting(condition), condition, scratch)}
        answer = scratch / "answer.json"
        repeats = SLOW_REPEATS if condition.slow else REPEATS
        command = child_command(subject, condition, scratch, repeats, quick=quick)
        _cpu_seconds(command, condition, scratch)
        found: dict[str, float] = json.loads(answer.read_text(encoding="utf-8"))
        return found


def child_command(
    subject: Subject, condition: Condition, scratch: Path, repeats: int, *, quick: bool
) -> list[str]:
    """Return the command of a process that measures; its answer is left in `scratch`."""
    return [
        *condition.command(CHILD, scratch),
        subject.name,
        condition.key,
        str(scratch / "answer.json"),
        f"--repeats={repeats}",
        *(["--quick"] if quick else []),
    ]


def _starting(condition: Condition) -> list[str]:
    scope = 'with opened("start"): pass' if condition.measures else ""
    name = condition.start.__name__
    return [sys.executable, "-c", STARTED.format(name=name, scope=scope)]


def _cpu_seconds(command: Sequence[str], condition: Condition, scratch: Path) -> float:
    """Run a process to its end, and return the CPU seconds that it and its children took."""
    said = scratch / "said.txt"
    with (
        said.open("wb") as output,
        subprocess.Popen(
            command,
            env=condition.environment(scratch),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=scratch,
            start_new_session=True,
        ) as process,
    ):
        before = children_cpu_seconds()
        try:
            process.wait(TIMEOUT)
        except BaseException as error:
            with suppress(ProcessLookupError):  # an interruption reaches it as well
                os.killpg(process.pid, signal.SIGKILL)  # of all that it started
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise RunFailedError(f"took more than {TIMEOUT:.0f} seconds") from None
    if process.returncode:
        text = said.read_text(encoding="utf-8", errors="replace")
        raise RunFailedError(f"ended with status {process.returncode}: {text[-2000:]}")
    return children_cpu_seconds() - before
