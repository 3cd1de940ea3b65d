"""A small suite of every outcome; its name keeps it out of this project's own."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import warnings

import pytest


@pytest.fixture
def numbers(tmp_path):
    (tmp_path / "numbers").write_text("1 2 3")
    return [int(word) for word in (tmp_path / "numbers").read_text().split()]


def test_passes(numbers):
    assert sum(numbers) == 6


def test_fails(numbers):
    assert numbers == [1, 2, 4]


@pytest.mark.skip(reason="as an example")
def test_is_skipped():
    raise AssertionError


@pytest.mark.xfail(strict=True)
def test_fails_as_expected():
    raise ValueError


@pytest.mark.parametrize("number", range(3))
def test_has_parameters(number):
    assert number < 2


def test_warns():
    warnings.warn("careful", UserWarning, stacklevel=1)


def test_runs_tasks():
    async def main():
        return await asyncio.gather(*(asyncio.sleep(0, n) for n in range(5)))

    assert asyncio.run(main()) == [0, 1, 2, 3, 4]


def test_captures(capfd):
    os.system("echo from the shell")
    print("from here")
    assert capfd.readouterr().out == "from the shell\nfrom here\n"


def test_starts_processes():
    assert subprocess.run([sys.executable, "-c", "pass"], check=True).returncode == 0
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(abs, [-1]) == [1]


def test_finds_the_usual_signals():
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert "LD_PRELOAD" not in os.environ
