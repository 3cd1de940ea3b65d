"""However a process ends, the report file of before or a whole new one is what is found."""

from __future__ import annotations

import random
import signal
import sys
import time

import pytest

from allocmeter.reports import Report
from run_helpers import UNTRACED, allocmeter, finish, measured, start
from sample_reports import report, row

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and limits")

WORK = """
import os, signal, sys
from allocmeter import measure
for n in range(300):
    with measure(f"name {n}"):
        kept = bytes(n)
print("at work", flush=True)
"""

AT_STEP = """
left = int(sys.argv[1])

def strike(event, arguments):
    global left
    if event in {"open", "os.rename", "os.chmod", "os.remove", "os.truncate"} and any(
        "report.json" in str(argument) or ".allocmeter-" in str(argument) for argument in arguments
    ):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(strike)
"""

IN_THE_MIDDLE = """
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # ends the process in the middle of a write
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
"""

FATAL = {
    "os._exit": "os._exit(3)",
    "os.abort": "os.abort()",
    "a fatal error": "import ctypes; ctypes.pythonapi.Py_FatalError(b'on purpose')",
    "a segmentation fault": "import ctypes; ctypes.string_at(0)",
    "os._exit at exit": "import atexit; atexit.register(os._exit, 3)",
    "a fatal error at exit": "import atexit, ctypes; atexit.register("
    "ctypes.pythonapi.Py_FatalError, b'on purpose')",
    "os._exit in a thread": "import threading; threading.Thread(target=os._exit, args=(3,)).start()"
    "; threading.Event().wait()",
}


class Place:
    """A report file of before, and programs that are to replace it."""

    def __init__(self, directory, has_old):
        self.file, self.program = directory / "report.json", directory / "program.py"
        self.old = None
        if has_old:
            self.file.write_text(report(row("old")).to_json())
            self.old = self.file.read_bytes()

    def write(self, code):
        self.program.write_text(WORK + code)

    def run(self, *arguments):
        return measured("-q", "-o", self.file, self.program, *arguments, **UNTRACED)

    def is_new(self):
        """Insist that the file is whole; return whether it was replaced."""
        found = self.file.read_bytes() if self.file.exists() else None
        if found == self.old:
            return False
        assert len(Report.from_json(found).rows) >= 300
        return True


@pytest.fixture(params=[False, True], ids=["first", "again"])
def place(request, tmp_path):
    return Place(tmp_path, request.param)


def test_killed_before_any_step_of_writing_the_report(place):
    place.write(AT_STEP)
    replaced, statuses = [], []
    for step in range(1, 20):
        statuses.append(place.run(step).status)
        replaced.append(place.is_new())
        if statuses[-1] == 0:
            break
    assert statuses[-1] == 0
    assert statuses[0] == -signal.SIGKILL
    assert len(statuses) >= 3
    assert replaced[0] is False
    assert replaced[-1] is True


@pytest.mark.parametrize("room", [0, 1, 20_000])
def test_killed_in_the_middle_of_writing_the_report(place, room):
    place.write(IN_THE_MIDDLE)
    assert place.run(room).status == -signal.SIGXFSZ
    assert not place.is_new()


@pytest.mark.parametrize("place", [True], ids=["again"], indirect=True)
@pytest.mark.parametrize("ending", FATAL)
def test_a_program_that_ends_at_once_leaves_what_was_there_or_a_whole_report(place, ending):
    place.write(
        "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n" + FATAL[ending]
    )
    assert place.run().status != 0
    place.is_new()


@pytest.mark.slow
def test_killed_at_random_moments(place):
    place.write("")
    began = time.monotonic()
    assert place.run().status == 0
    takes = time.monotonic() - began
    assert place.is_new()
    if place.old is not None:
        place.old = place.file.read_bytes()
    seed = random.randrange(1 << 32)
    moments = random.Random(seed)
    for turn in range(10):
        if place.old is None:
            place.file.unlink(missing_ok=True)
        with start(allocmeter("-q", "-o", place.file, place.program), **UNTRACED) as process:
            # A delay is the point here: any moment will do.
            time.sleep(moments.uniform(0, takes))
            process.kill()
            finish(process)
        try:
            place.is_new()
        except Exception as error:
            raise AssertionError(f"turn {turn} of seed {seed}") from error
