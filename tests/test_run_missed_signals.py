"""Signals that the interpreter would miss, or hear of too late, end a program as without us."""

from __future__ import annotations

import json
import signal
import sys

import pytest

from preloading import library
from run_helpers import compare

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs timers that send signals")


def ended_by(tmp_path, code):
    """Run code that has `released`, the C code of this test, plainly and measured."""
    prelude = (
        "import ctypes, os, signal, time\n"
        f"released = ctypes.CDLL({str(library('signals'))!r})\n"
        "signal.alarm(30)  # a signal that was missed ends nothing\n"
    )
    return compare(tmp_path, "-c", prelude + code)


def test_a_signal_right_before_the_main_thread_waits_ends_the_wait(tmp_path):
    ended, report = ended_by(tmp_path, f"released.raise_and_wait({signal.SIGTERM:d})")
    assert ended.status == -signal.SIGTERM
    assert report["program"] == "-c"


def test_a_signal_in_a_computation_without_end_ends_it_without_a_report(tmp_path):
    ended, report = ended_by(tmp_path, f"released.raise_and_stay({signal.SIGTERM:d})")
    assert ended.status == -signal.SIGTERM
    assert report is None


def test_a_signal_in_a_child_that_is_just_being_forked_ends_it(tmp_path):
    code = f"""
released.raise_in_children({signal.SIGTERM:d})
child = os.fork()
if child == 0:
    time.sleep(30)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    ended, report = ended_by(tmp_path, code)
    assert ended.stdout == f"{-signal.SIGTERM}\n"
    assert report["program"] == "-c"
    (of_child,) = set(tmp_path.glob("*.json")) - {tmp_path / "report-of-comparison.json"}
    assert json.loads(of_child.read_text())["program"] == "-c"


def test_a_handler_of_the_program_hears_a_signal_once(tmp_path):
    code = f"""
heard = []
signal.signal({signal.SIGTERM:d}, lambda number, _: heard.append(number))
os.kill(os.getpid(), {signal.SIGTERM:d})
time.sleep(0.3)
print(heard)
signal.signal({signal.SIGTERM:d}, signal.SIG_DFL)
released.raise_and_wait({signal.SIGTERM:d})
"""
    ended, report = ended_by(tmp_path, code)
    assert (ended.status, ended.stdout) == (-signal.SIGTERM, f"[{signal.SIGTERM:d}]\n")
    assert report["program"] == "-c"
