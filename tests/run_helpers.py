"""Running a program twice, plainly and under `allocmeter run`, to see that it cannot tell."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tracing import traced

PROGRAMS = Path(__file__).parent / "programs"
# For tests that start so many processes that coverage would make them take minutes.
UNTRACED = {"is_traced": False}


class Ended(NamedTuple):
    """What is seen of a process from outside."""

    status: int
    stdout: str
    stderr: str


def start(command, *, is_traced=True, env=None, **options):
    """Start a command with pipes for its output, in text mode.

    Args:
        command: the command line.
        is_traced: whether coverage is to measure it, if it measures this process.
        env: its environment, by default that of this process.
        options: keyword arguments of `Popen`.
    """
    options = {"stdin": subprocess.DEVNULL, "text": True, **options}
    return subprocess.Popen(
        [str(word) for word in command],
        env=traced(env) if is_traced else env,
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=options.pop("stderr", subprocess.PIPE),
        **options,
    )


def run(command, *, text_in=None, timeout=120, **options):
    """Run a command to its end and return what was seen of it."""
    if text_in is not None:
        options["stdin"] = subprocess.PIPE
    with start(command, **options) as process:
        try:
            stdout, stderr = process.communicate(text_in, timeout)
        except BaseException:
            process.kill()
            raise
    return Ended(process.returncode, stdout, stderr)


def allocmeter(*arguments, interpreter=()):
    """Return the command line of `allocmeter run` with these arguments."""
    return [sys.executable, *interpreter, "-m", "allocmeter", "run", *map(str, arguments)]


def measured(*arguments, interpreter=(), **options):
    """Run `allocmeter run` with these arguments."""
    return run(allocmeter(*arguments, interpreter=interpreter), **options)


def compare(tmp_path, *program, interpreter=(), options=(), prepare=None, neutral=str, **how):
    """Insist that a program ends in the same way plainly and measured; return end and report.

    Args:
        tmp_path: where the report goes.
        program: the command line behind `python`.
        interpreter: options of the interpreter.
        options: further options of `allocmeter run`.
        prepare: called before each of the two runs.
        neutral: takes from standard output what may differ.
        how: keyword arguments of `run`.
    """
    if prepare is not None:
        prepare()
    plain = run([sys.executable, *interpreter, *program], **how)
    if prepare is not None:
        prepare()
    file = tmp_path / "report-of-comparison.json"
    file.unlink(missing_ok=True)
    watched = measured("-q", "-o", file, *options, *program, interpreter=interpreter, **how)
    assert without_runpy(watched.stderr) == without_runpy(plain.stderr)
    assert neutral(watched.stdout) == neutral(plain.stdout)
    assert watched.status == plain.status
    report = json.loads(file.read_text()) if file.exists() else None
    return plain, report


def without_runpy(traceback):
    """Remove what a plain run says of the interpreter's own `runpy`, addresses and depths."""
    traceback = re.sub(r'  File "<frozen runpy>".*\n', "", traceback)
    traceback = re.sub(r"repeated \d+ more times", "repeated", traceback)
    return re.sub(r"0x[0-9a-f]{6,}", "0x", traceback)


def stop(process, number=signal.SIGTERM):
    """Send a signal and return how the process ended."""
    process.send_signal(number)
    return finish(process)


def finish(process, timeout=60):
    """Wait for the end of a process and return what was seen of it."""
    try:
        stdout, stderr = process.communicate(timeout=timeout)
    except BaseException:
        process.kill()
        raise
    return Ended(process.returncode, stdout, stderr)


def names(report):
    """Return the names of the scopes in a report."""
    return [row["name"] for row in report["scopes"]]


def environment(**changes):
    """Return the environment with these variables set, or with `None` removed."""
    merged = {**os.environ, **changes}
    return {name: value for name, value in merged.items() if value is not None}
