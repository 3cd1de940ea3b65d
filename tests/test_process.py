"""process_memory() and the cheap reading of resident memory."""

import dataclasses
import json
import mmap
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from allocmeter import AllocationStats, measure, process, start_tracking, stop_tracking
from allocmeter._core import types
from allocmeter.errors import BackendUnavailableError
from allocmeter.process import ProcessMemory, process_memory, rss_bytes
from allocmeter.process_sources import linux
from children import answer_of

MIB = 1024 * 1024

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")


@pytest.fixture(autouse=True)
def _nothing_found_is_remembered():
    stop_tracking()
    process._source.cache_clear()
    yield
    stop_tracking()
    process._source.cache_clear()


def touched(size):
    """Return memory that is mapped and resident, whatever malloc would have done."""
    memory = mmap.mmap(-1, size)
    for page in range(0, size, mmap.PAGESIZE):
        memory[page] = 1
    return memory


@on_linux
class TestResidentMemory:
    def test_it_rises_and_falls_with_the_pages_in_use(self):
        before = rss_bytes()
        memory = touched(64 * MIB)
        during = rss_bytes()
        memory.close()
        after = rss_bytes()
        assert 60 * MIB < during - before < 80 * MIB
        assert 60 * MIB < during - after < 80 * MIB

    def test_it_agrees_with_the_mappings_of_the_process(self):
        reported = rss_bytes()
        smaps = Path("/proc/self/smaps").read_text().splitlines()
        mapped = sum(int(line.split()[1]) * 1024 for line in smaps if line.startswith("Rss:"))
        assert reported == pytest.approx(mapped, rel=0.05)

    def test_the_peak_agrees_with_getrusage_and_stays(self):
        resource = pytest.importorskip("resource")
        touched(64 * MIB).close()
        memory = process_memory()
        # The kernel gives both in kibibytes, the second from a counter it updates less often.
        highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        assert memory.peak_rss_bytes == pytest.approx(highest, abs=4 * MIB)
        assert memory.peak_rss_bytes >= memory.rss_bytes + 50 * MIB

    def test_a_forked_child_reads_its_own(self):
        rss_bytes()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            before = rss_bytes()
            memory = touched(64 * MIB)
            os.write(writer, str(rss_bytes() - before).encode())
            memory.close()
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writer)
        with os.fdopen(reader) as answer:
            assert int(answer.read()) > 30 * MIB

    def test_no_file_is_kept_open(self):
        before = len(list(Path("/proc/self/fd").iterdir()))
        rss_bytes()
        process_memory()
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    def test_it_is_cheap_enough_for_a_sampler(self):
        def fastest():
            started = time.perf_counter()
            rss_bytes()
            return time.perf_counter() - started

        assert min(fastest() for _ in range(200)) < 0.001

    @pytest.mark.parametrize("name", ["open", "os.open"])
    def test_without_proc_it_is_unknown_and_not_zero(self, monkeypatch, name):
        def refuse(*_args, **_kwargs):
            raise FileNotFoundError("/proc is not mounted")

        if name == "open":
            monkeypatch.setattr(linux, "open", refuse, raising=False)
            assert process_memory().peak_rss_bytes is None
        else:
            monkeypatch.setattr(linux.os, "open", refuse)
            assert rss_bytes() is None


class TestPythonLive:
    def test_it_is_unknown_while_the_process_is_not_tracked(self):
        assert process_memory().python_live_bytes is None

    def test_it_follows_live_memory_while_the_process_is_tracked(self):
        start_tracking()
        before = process_memory().python_live_bytes
        kept = bytes(10 * MIB)
        during = process_memory().python_live_bytes
        del kept
        after = process_memory().python_live_bytes
        assert 10 * MIB <= during - before < 11 * MIB
        assert 10 * MIB <= during - after < 11 * MIB

    def test_without_the_native_library_the_rest_is_still_known(self, monkeypatch):
        def missing():
            raise BackendUnavailableError("the native library is missing")

        monkeypatch.setattr(types, "native", missing)
        memory = process_memory()
        assert memory.python_live_bytes is None
        if sys.platform == "linux":
            assert memory.rss_bytes > 0


class TestOtherSystems:
    def test_only_the_peak_is_known(self, monkeypatch):
        resource = pytest.importorskip("resource")
        monkeypatch.setattr(sys, "platform", "freebsd14")
        memory = process_memory()
        highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        assert memory.peak_rss_bytes == pytest.approx(highest, rel=0.1)
        assert memory.rss_bytes is None
        assert memory.malloc_in_use_bytes is None

    def test_without_getrusage_nothing_is_known(self, monkeypatch):
        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.setitem(sys.modules, "resource", None)
        assert process_memory() == ProcessMemory(None, None, None, None)


def test_it_is_a_value_that_goes_into_json():
    memory = ProcessMemory(1, 2, None, 4)
    assert json.loads(json.dumps(memory.to_dict())) == {
        "rss_bytes": 1,
        "peak_rss_bytes": 2,
        "malloc_in_use_bytes": None,
        "python_live_bytes": 4,
    }
    assert memory == ProcessMemory(1, 2, None, 4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        memory.rss_bytes = 0


@pytest.mark.exact
def test_reading_inside_a_scope_is_not_in_its_figures():
    process_memory()
    with measure() as scope:
        process_memory()
    assert scope.stats == AllocationStats()


@pytest.mark.exact
@pytest.mark.parametrize("function", ["process_memory", "process.rss_bytes"])
def test_what_the_first_reading_finds_out_is_not_charged_to_the_scope(function):
    answer = answer_of(
        f"""
        import allocmeter.process
        function = allocmeter.{function}
        def first():
            with allocmeter.measure() as scope:
                function()
            return scope.stats
        print(first().allocations)
        """
    )
    assert answer == 0


def test_importing_it_brings_in_nothing_heavy():
    script = (
        "import sys; import allocmeter.process, allocmeter.leaks, allocmeter.peak; "
        "print(sorted({'allocmeter.process_sources', 'anyio', 'asyncio', 'logging', 'trio', "
        "'resource', 'traceback'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    assert shown.stdout.strip() == "[]"
