"""Parts of `allocmeter run` by themselves: what a process does last, and what seldom happens."""

from __future__ import annotations

import atexit
import os
import select
import signal
import sys
import threading

import pytest

from allocmeter.launcher import ending, relaunch, reporting, sampling
from allocmeter.launcher.ending import Ending
from allocmeter.launcher.errors import LaunchError
from allocmeter.launcher.options import Options
from allocmeter.launcher.program import Program
from allocmeter.launcher.reporting import Reporter
from allocmeter.launcher.sampling import Sampling
from allocmeter.launcher.termination import before_termination

posix_only = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")


@pytest.fixture
def sent(monkeypatch):
    """What this process sent itself; it reaches nobody."""
    signals = []
    monkeypatch.setattr(os, "kill", lambda process, number: signals.append((process, number)))
    return signals


@pytest.fixture
def dispositions(monkeypatch):
    """Lets functions of `signal` be replaced, and brings all back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    set_handler = signal.signal
    for name in ("signal", "getsignal", "raise_signal"):
        monkeypatch.setattr(signal, name, getattr(signal, name))
    for number in before:
        set_handler(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        set_handler(number, handler)


# The end ----------------------------------------------------------------------------------------


@posix_only
def test_sigterm_while_the_report_is_made_is_repeated_afterwards(monkeypatch, sent):
    monkeypatch.setattr(atexit, "register", lambda function: None)
    monkeypatch.setattr(os, "register_at_fork", lambda **functions: None)
    monkeypatch.setattr(ending, "before_termination", lambda finish: lambda: None)
    answers = []

    def deliver(is_forked):
        assert sent == []
        answers.append(end.finish())

    end = Ending(deliver, lambda: None)
    end.arm()
    assert end.finish()
    assert answers == [False], "it may not end while the report is being made"
    assert sent == [(os.getpid(), signal.SIGTERM)]
    assert end.finish()
    assert len(answers) == 1, "the report is made once"


@posix_only
@pytest.mark.parametrize("may_end", [True, False])
def test_sigterm_ends_the_process_by_its_default_once_all_is_done(dispositions, sent, may_end):
    before_termination(lambda: may_end)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "as the program sees it"
    signal.raise_signal(signal.SIGTERM)
    assert sent == [(os.getpid(), signal.SIGTERM)] * may_end


@posix_only
def test_the_report_is_made_before_the_program_raises_sigint_by_itself(dispositions, monkeypatch):
    order = []

    def raise_signal(number, /):
        order.append(number)

    monkeypatch.setattr(signal, "raise_signal", raise_signal)
    before_termination(lambda: order.append("report") or True)
    signal.raise_signal(signal.SIGUSR1)
    signal.raise_signal(signal.SIGINT)
    assert order == [signal.SIGUSR1, "report", signal.SIGINT]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)
    assert order[3:] == [signal.SIGINT], "as long as it is a KeyboardInterrupt it ends nothing"


# The start --------------------------------------------------------------------------------------


def test_a_process_that_cannot_be_executed_again_is_a_message(monkeypatch):
    def refuse(*arguments):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(sys, "argv", ["allocmeter", "run", "-c", "pass"])
    monkeypatch.setattr(os, "execve", refuse)
    with pytest.raises(LaunchError, match=r"Cannot allocate memory; --no-native does without"):
        relaunch.relaunch("/a/library.so")


def test_a_process_that_is_no_command_of_ours_is_not_executed_again(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pytest"])
    with pytest.raises(LaunchError, match="this one did not; start one, or give --no-native"):
        relaunch.relaunch("/a/library.so")


# The report -------------------------------------------------------------------------------------


def test_a_step_that_a_signal_interrupts_is_done_again_and_no_other(monkeypatch):
    done = []

    def interrupted():
        done.append("stop")
        if len(done) == 1:
            raise SystemExit

    reporter = Reporter(Program("code", "pass", ()), Options(), None)
    monkeypatch.setattr(reporter, "_stop_measuring", interrupted)
    monkeypatch.setattr(reporter, "_report", lambda: done.append("report"))
    monkeypatch.setattr(reporter, "_print", lambda *_: done.append("print"))
    monkeypatch.setattr(reporter, "_save", lambda *_: done.append("save"))
    reporter.deliver(is_forked=False)
    assert done == ["stop", "stop", "report", "print", "save"]


@pytest.fixture
def full_pipe(monkeypatch):
    """A pipe in the place of standard error that takes no more; what is in it; its other end."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    monkeypatch.setattr(reporting, "_STDERR", writing)
    filled = 0
    try:
        while True:
            filled += os.write(writing, b"x" * 65_536)
    except BlockingIOError:
        pass
    yield reading, filled
    os.close(reading)
    os.close(writing)


@posix_only
def test_a_report_waits_for_a_slow_reader_of_standard_error(full_pipe, monkeypatch):
    reading, filled = full_pipe
    seen = []

    def reader_comes_back(_reading, writing, _failed, _timeout):
        seen.append(os.read(reading, 1 << 24))
        return [], writing, []

    monkeypatch.setattr(select, "select", reader_comes_back)
    reporting._say("a report\n" * 20_000)
    shown = b"".join([*seen, os.read(reading, 1 << 24)])
    assert shown[filled:] == b"a report\n" * 20_000


@posix_only
def test_a_report_does_not_wait_for_ever(full_pipe, monkeypatch):
    reading, filled = full_pipe
    monkeypatch.setattr(reporting, "_LONGEST_WAIT", 0.01)
    reporting._say("a report\n")
    os.set_blocking(reading, False)
    assert len(os.read(reading, 1 << 24)) == filled


# The timeline -----------------------------------------------------------------------------------


@pytest.fixture
def seen_thread(monkeypatch):
    """The sampler's thread as one of `threading`, which a tool that traces threads sees."""

    def start(function, arguments):
        threading.Thread(target=function, args=arguments, daemon=True).start()

    monkeypatch.setattr(sampling, "start_new_thread", start)


def test_samples_are_taken_at_the_start_at_intervals_and_at_the_end(seen_thread, monkeypatch):
    monkeypatch.setattr(sampling, "INTERVAL", 0.001)
    sampler = Sampling()
    sampler.start()
    sampler.start()  # it has been
    while len(sampler.samples) < 5:
        pass
    sampler.stop()
    sampler.stop()
    times = [sample.time for sample in sampler.samples]
    assert times == sorted(times)
    assert len(times) >= 6


def test_a_sampler_whose_thread_fails_says_so_once_and_stays_off(seen_thread, monkeypatch, caplog):
    def broken():
        raise OSError("no figures")

    monkeypatch.setattr(sampling, "read_process", broken)
    sampler = Sampling()
    for _ in range(3):
        sampler.start()
        sampler.stop()
    assert [record.exc_info[0] for record in caplog.records] == [OSError]


def test_a_sampler_without_a_thread_says_so_and_the_program_goes_on(monkeypatch, caplog):
    def refuse(function, arguments):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(sampling, "start_new_thread", refuse)
    sampler = Sampling()
    sampler.start()
    sampler.stop()
    (record,) = caplog.records
    assert "every other figure of the report stays exact" in record.message
    assert sampler.samples == ()


@pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="needs fork")
def test_a_sampler_pauses_around_a_fork_if_it_runs(seen_thread, monkeypatch):
    callbacks = {}
    monkeypatch.setattr(os, "register_at_fork", callbacks.update)
    sampler = Sampling()
    sampler.attend()
    callbacks["before"]()
    paused = len(sampler.samples)
    assert not sampler._running
    callbacks["after_in_parent"]()
    assert sampler._running
    sampler.stop()
    assert len(sampler.samples) > paused
    callbacks["before"]()
    callbacks["after_in_parent"]()
    assert not sampler._running, "it had been stopped"
