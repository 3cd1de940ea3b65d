"""`allocmeter run --timeline`: live memory over time, taken by a thread that nobody notices."""

from __future__ import annotations

import json
import sys
from itertools import pairwise

import pytest

from allocmeter.launcher.sampling import Sampling
from children import answer_of
from run_helpers import compare, measured

GROWING = """
import time
kept = []
for n in range(10):
    kept.append(bytes(1_000_000))
    time.sleep(0.03)
"""


@pytest.mark.parametrize("native", ["--native", "--no-native"])
def test_samples_follow_live_memory(tmp_path, native):
    _, report = compare(tmp_path, "-c", GROWING, options=["--timeline", native])
    samples = report["timeline"]
    assert len(samples) >= 4
    times, net_bytes, net_allocations, rss = map(list, zip(*samples, strict=True))
    assert times == sorted(times)
    assert all(later - earlier > -100_000 for earlier, later in pairwise(net_bytes))
    assert 10_000_330 <= net_bytes[-1] < 12_000_000
    assert net_allocations[-1] >= 10
    assert all(one > 1_000_000 for one in rss)


def test_without_the_option_there_is_no_timeline(tmp_path):
    _, report = compare(tmp_path, "-c", "pass")
    assert report["timeline"] == []


def test_the_program_finds_no_thread_more_and_may_fork(tmp_path):
    code = (
        "import os, sys, threading, warnings\n"
        "warnings.simplefilter('error')\n"
        "print(threading.active_count(), len(threading.enumerate()))\n"
        "for n in range(20):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        os._exit(threading.active_count())\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    compare(tmp_path, "-c", code, options=["--timeline"])


def test_a_forked_child_has_a_timeline_of_its_own(tmp_path):
    code = (
        "import os, sys, time, warnings\n"
        "warnings.simplefilter('error')\n"
        "time.sleep(0.5)\n"
        "pid = os.fork()\n"
        "time.sleep(0.2)\n"
        "if pid: os.waitpid(pid, 0)\n"
    )
    assert measured("-q", "-o", tmp_path / "r.json", "--timeline", "-c", code).status == 0
    files = sorted(tmp_path.iterdir(), key=lambda path: len(path.name))
    parent, child = (json.loads(file.read_text())["timeline"] for file in files)
    assert parent[-1][0] >= 0.7
    assert child[0][0] < parent[-1][0] - 0.2
    assert len(child) >= 2


def test_the_sampler_charges_nothing_to_the_program():
    grown = answer_of("""
        import json, time
        from allocmeter import start_tracking
        from allocmeter._core.figures import read_process
        from allocmeter.launcher.sampling import Sampling
        start_tracking()
        sampling = Sampling()
        sampling.start()
        while len(sampling.samples) < 3:
            time.sleep(0.01)
        before = read_process().allocations
        seen = len(sampling.samples)
        while len(sampling.samples) < seen + 5:
            time.sleep(0.01)
        print(json.dumps(read_process().allocations - before))
        sampling.stop()
    """)
    assert grown < 500  # what the loop itself does


def test_a_sampler_that_fails_says_so_once_and_stays_off(monkeypatch, caplog):
    def broken():
        raise OSError("no figures")

    monkeypatch.setattr("allocmeter.launcher.sampling.read_process", broken)
    sampling = Sampling()
    for _ in range(3):
        sampling.start()
        sampling.stop()
    assert [record.exc_info[0] for record in caplog.records] == [OSError]
    assert sampling.samples == ()


@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads of the kernel")
def test_a_stopped_sampler_has_left_no_thread():
    left = answer_of("""
        import json, os
        from allocmeter import start_tracking
        from allocmeter.launcher.sampling import Sampling
        start_tracking()
        sampling = Sampling()
        counts = set()
        for _ in range(50):
            sampling.start()
            sampling.stop()
            counts.add(len(os.listdir("/proc/self/task")))
        print(json.dumps(sorted(counts)))
    """)
    assert left == [1]
