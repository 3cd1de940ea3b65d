"""Signals end a program under `allocmeter run` as they do without, and the report is made."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import textwrap

import pytest

from run_helpers import allocmeter, compare, measured, names, start, stop

WAITING = """
import atexit, gc, signal, sys, threading, time
gc.set_threshold(0)  # or the garbage may be collected at any time
{imports}
{set_up}
atexit.register(print, "exit handler")
class Block:
    def __del__(self): print("finalizer", flush=True)
cycle = Block()
cycle.me = cycle
del cycle
try:
    print("ready", flush=True)
    {wait}
finally:
    print("finally", flush=True)
"""
WAITS = {
    "sleep": "time.sleep(60)",
    "a lock": "threading.Event().wait(60)",
    "a busy loop": "while True: pass",
    "input": "sys.stdin.read()",
    "a handler of its own": "time.sleep(60)",
    "a handler that it took away again": "time.sleep(60)",
    "an ignored signal": "time.sleep(0.5)",
    "asyncio": "asyncio.run(asyncio.sleep(60))",
    "uvloop": "uvloop.run(asyncio.sleep(60))",
    "trio": "trio.run(trio.sleep, 60)",
}
IMPORTS = {"asyncio": "import asyncio", "uvloop": "import asyncio, uvloop", "trio": "import trio"}
SET_UPS = {
    "a handler of its own": "signal.signal(signal.{0}, lambda *_: sys.exit(8))",
    "a handler that it took away again": (
        "before = signal.signal(signal.{0}, print)\n"
        "print(before, signal.getsignal(signal.{0}))\n"
        "print(signal.signal(signal.{0}, signal.SIG_DFL), signal.getsignal(signal.{0}))"
    ),
    "an ignored signal": "signal.signal(signal.{0}, signal.SIG_IGN)",
}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda one: one.name)
@pytest.mark.parametrize("wait", WAITS)
def test_a_signal_ends_a_program_as_without_us_and_the_report_is_made(wait, number, tmp_path):
    script, file = tmp_path / "script.py", tmp_path / "report.json"
    set_up = SET_UPS.get(wait, "").format(number.name)
    imports = IMPORTS.get(wait, "")
    script.write_text(WAITING.format(imports=imports, set_up=set_up, wait=WAITS[wait]))
    ends = []
    for command in (
        [sys.executable, script],
        allocmeter("-q", "-o", file, "--no-native", "--no-per-task", script),
    ):
        with start(command, stdin=subprocess.PIPE) as process:
            shown = process.stdout.readline()
            while not shown.endswith("ready\n"):
                shown += process.stdout.readline()
            ended = stop(process, number)
            # Where the program is just then is its own affair.
            ends.append((ended.status, shown + ended.stdout, "KeyboardInterrupt" in ended.stderr))
            # A path of ours may stand in the traceback: an interrupt is raised wherever it is seen.
            assert not re.search(r"^allocmeter", ended.stderr, re.MULTILINE)
    assert ends[0] == ends[1]
    # An interrupt that the program has given its default disposition is Python's no longer.
    if (wait, number) != ("a handler that it took away again", signal.SIGINT):
        assert json.loads(file.read_text())["program"] == str(script)


def test_the_report_of_a_terminated_program_holds_its_open_scopes(tmp_path):
    script, file = tmp_path / "script.py", tmp_path / "report.json"
    script.write_text(
        "import asyncio\n"
        "async def worker():\n"
        "    kept = bytes(100_000)\n"
        "    print('ready', flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "async def main():\n"
        "    await asyncio.create_task(worker())\n"
        "asyncio.run(main())\n"
    )
    with start(allocmeter("-o", file, script)) as process:
        process.stdout.readline()
        ended = stop(process)
    assert ended.status == -signal.SIGTERM
    report = json.loads(file.read_text())
    assert set(names(report)) == {"main", "worker"}
    row = next(row for row in report["scopes"] if row["name"] == "worker")
    assert row["cancelled"] == 1
    assert row["retained_bytes"] >= 100_033
    assert "worker" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_handler_that_raises_while_the_report_is_made_changes_nothing(tmp_path):
    file = tmp_path / "report.json"
    code = """
        import os, signal, sys
        from allocmeter.launcher import reporting

        def leave(*_):
            sys.exit(9)

        signal.signal(signal.SIGTERM, leave)
        real = reporting.close_open_scopes
        signals = [signal.SIGTERM, signal.SIGINT]

        def disturbed():
            if signals:
                os.kill(os.getpid(), signals.pop())
            return real()

        reporting.close_open_scopes = disturbed
        print("end")
    """
    ended = measured("-o", file, "-c", textwrap.dedent(code))
    assert (ended.status, ended.stdout) == (0, "end\n")
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert ended.stderr.count("program: -c") == 1
    assert json.loads(file.read_text())["program"] == "-c"


def test_a_termination_that_comes_while_the_report_is_made_waits_for_it(tmp_path):
    file = tmp_path / "report.json"
    code = """
        import os, signal
        from allocmeter.launcher import reporting
        real = reporting.close_open_scopes

        def disturbed():
            for _ in range(3):
                os.kill(os.getpid(), signal.SIGTERM)
            return real()

        reporting.close_open_scopes = disturbed
    """
    ended = measured("-q", "-o", file, "-c", textwrap.dedent(code))
    assert ended == (-signal.SIGTERM, "", "")
    assert json.loads(file.read_text())["program"] == "-c"


def test_no_module_is_loaded_and_no_text_executed_for_the_report():
    code = """
        import atexit, sys
        from allocmeter import measure
        kept = []
        for n in range(200):
            with measure("work"):
                kept.append(bytes(n))
        loaded = set(sys.modules)

        class Watch:
            def find_spec(self, name, path=None, target=None):
                print("loads", name)

        sys.meta_path.insert(0, Watch())
        sys.addaudithook(lambda event, args: event == "exec" and print("executes", args))
    """
    ended = measured("-c", textwrap.dedent(code))
    assert "work" in ended.stderr
    # The interpreter's own end executes nothing either.
    assert (ended.status, ended.stdout) == (0, "")


@pytest.mark.parametrize("handler", ["none", "the default", "its own", "one that it took away"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda one: one.name)
def test_interrupting_the_main_thread_does_what_it_does_without_us(tmp_path, handler, number):
    """It runs the handler of a signal in the main thread, and nothing where the default holds."""
    set_up = {
        "none": "",
        "the default": f"signal.signal({number:d}, signal.SIG_DFL)",
        "its own": f"signal.signal({number:d}, lambda *_: print('handled'))",
        "one that it took away": (
            f"signal.signal({number:d}, print); signal.signal({number:d}, signal.SIG_DFL)"
        ),
    }[handler]
    code = textwrap.dedent("""
        import _thread, signal, threading
        {set_up}
        for interrupt in (lambda: _thread.interrupt_main(signal.Signals({number})),
                          lambda: _thread.interrupt_main({number})):
            thread = threading.Thread(target=interrupt)
            try:
                thread.start()
                thread.join()
                interrupt()
                print("goes on")
            except KeyboardInterrupt:
                print("interrupted")
        for wrong in (0, -1, 65, "TERM"):
            try:
                _thread.interrupt_main(wrong)
            except (TypeError, ValueError) as error:
                print(type(error).__name__, error)
        print(signal.getsignal({number}) == signal.SIG_DFL)
    """).format(set_up=set_up, number=int(number))
    ended, report = compare(tmp_path, "-c", code)
    assert ended.status == 0
    assert ("goes on" in ended.stdout) is not ("interrupted" in ended.stdout)
    assert report["program"] == "-c"
