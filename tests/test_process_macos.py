"""The macOS back end of process_memory(), against a library with the signatures of macOS's own."""

from __future__ import annotations

import ctypes
import sys

import pytest

from allocmeter import process, process_memory
from allocmeter.process import rss_bytes
from allocmeter.process_sources import find, macos
from compiling import shared_library

GIB = 1 << 30


@pytest.fixture
def stand_in(tmp_path):
    library = ctypes.CDLL(shared_library(tmp_path, "macos_stand_in"))
    library.stand_in_set.argtypes = [ctypes.c_uint64, ctypes.c_uint64, ctypes.c_size_t]
    library.stand_in_set(5 * GIB + 1, 7 * GIB + 3, 6 * GIB + 5)
    return library


@pytest.fixture
def source(stand_in):
    return macos.source(stand_in._name)


def test_each_figure_is_read_from_its_member(source):
    assert source.rss_bytes() == 5 * GIB + 1
    assert source.peak_rss_bytes() == 7 * GIB + 3
    assert source.malloc_in_use_bytes() == 6 * GIB + 5


def test_every_reading_is_a_new_one(source, stand_in):
    source.rss_bytes()
    stand_in.stand_in_set(11, 12, 13)
    assert (source.rss_bytes(), source.peak_rss_bytes()) == (11, 12)
    assert source.malloc_in_use_bytes() == 13


def test_a_forked_child_asks_for_its_own_task(source, stand_in):
    source.rss_bytes()
    stand_in.stand_in_fork()
    assert source.rss_bytes() == 5 * GIB + 1


def test_a_refusal_makes_the_sizes_unknown_and_not_zero(source, stand_in):
    ctypes.c_uint32.in_dll(stand_in, "mach_task_self_").value += 1
    assert source.rss_bytes() is None
    assert source.peak_rss_bytes() is None
    assert source.malloc_in_use_bytes() == 6 * GIB + 5


def test_an_answer_cut_short_is_no_answer(source, stand_in, monkeypatch):
    monkeypatch.setattr(macos, "_MACH_TASK_BASIC_INFO_COUNT", 13)
    assert source.rss_bytes() is None


def test_the_public_functions_read_it_on_macos(stand_in, monkeypatch):
    source = macos.source(stand_in._name)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(macos, "source", lambda: source)
    process._source.cache_clear()
    try:
        memory = process_memory()
        assert (memory.rss_bytes, memory.peak_rss_bytes) == (5 * GIB + 1, 7 * GIB + 3)
        assert memory.malloc_in_use_bytes == 6 * GIB + 5
        assert rss_bytes() == 5 * GIB + 1
    finally:
        process._source.cache_clear()


def test_without_ctypes_only_the_peak_is_known(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "ctypes", None)
    monkeypatch.delitem(sys.modules, "allocmeter.process_sources.macos")
    monkeypatch.delattr("allocmeter.process_sources.macos")
    source = find()
    assert source.rss_bytes() is None
    assert source.malloc_in_use_bytes() is None
    # There, getrusage counts bytes.
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert source.peak_rss_bytes() == pytest.approx(highest, rel=0.1)


@pytest.mark.skipif(sys.platform != "darwin", reason="the real thing")
def test_the_system_answers():
    source = macos.source()
    assert 0 < source.rss_bytes() <= source.peak_rss_bytes()
    assert source.malloc_in_use_bytes() > 0
