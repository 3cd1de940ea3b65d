"""What process_memory() says of malloc, on glibc and where glibc's figures are not about it."""

from __future__ import annotations

import ctypes
import sys

import pytest

from allocmeter import process, process_memory
from allocmeter.process_sources import find, glibc, linux
from children import answer_of
from compiling import shared_library

MIB = 1 << 20
GIB = 1 << 30

has_mallinfo2 = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="needs glibc 2.33 or newer"
)
has_mallinfo = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo"), reason="needs glibc")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")


@pytest.fixture(autouse=True)
def _nothing_found_is_remembered():
    process._source.cache_clear()
    yield
    process._source.cache_clear()


@pytest.fixture
def malloc():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    return libc


@pytest.fixture
def old_glibc(tmp_path):
    """A library with `mallinfo` alone; without the C library, whose `mallinfo2` would be found."""
    return shared_library(tmp_path, "old_glibc", "-nostdlib")


def set_figures(library, in_arenas, mapped):
    ctypes.CDLL(library).old_glibc_set(ctypes.c_size_t(in_arenas), ctypes.c_size_t(mapped))


# From an arena, and mapped on its own.
@has_mallinfo2
@pytest.mark.parametrize("size", [60_000, 64 * MIB])
def test_the_figure_follows_what_malloc_hands_out(malloc, size):
    before = process_memory().malloc_in_use_bytes
    block = malloc.malloc(size)
    during = process_memory().malloc_in_use_bytes
    malloc.free(block)
    after = process_memory().malloc_in_use_bytes
    assert size <= during - before < size + 50_000
    assert size <= during - after < size + 50_000


@has_mallinfo2
@has_mallinfo
def test_mallinfo_gives_what_mallinfo2_gives():
    library = ctypes.CDLL(None)
    older = glibc._mallinfo(library, lambda: GIB)
    newer = glibc._mallinfo2(library)
    assert older() == pytest.approx(newer(), abs=100_000)


def test_an_older_glibc_is_read_through_mallinfo(old_glibc):
    read = glibc.malloc_in_use_reader(lambda: GIB, old_glibc)
    set_figures(old_glibc, in_arenas=300 * MIB, mapped=20 * MIB)
    assert read() == 320 * MIB


def test_members_beyond_what_an_int_holds_are_read_as_unsigned(old_glibc):
    read = glibc.malloc_in_use_reader(lambda: 4 * GIB - 1, old_glibc)
    set_figures(old_glibc, in_arenas=3 * GIB, mapped=GIB // 2)
    assert read() == 3 * GIB + GIB // 2


@pytest.mark.parametrize("mapped", [4 * GIB, 9 * GIB, None])
def test_where_members_may_have_wrapped_the_figure_is_unknown(old_glibc, mapped):
    answers = iter([GIB, GIB, mapped, GIB])
    read = glibc.malloc_in_use_reader(lambda: next(answers), old_glibc)
    assert read() is None
    assert read() is not None, "as soon as less is mapped, the figure is true again"


@on_linux
def test_the_data_size_covers_what_is_handed_out_and_not_resident(malloc):
    before, resident = linux.data_bytes(), linux.rss_bytes()
    block = malloc.malloc(GIB)
    grown, touched = linux.data_bytes() - before, linux.rss_bytes() - resident
    malloc.free(block)
    assert GIB <= grown < GIB + 10 * MIB
    assert touched < 100 * MIB


@on_linux
def test_a_c_library_without_either_makes_it_unknown(tmp_path):
    library = shared_library(tmp_path, "no_mallinfo", "-nostdlib")
    assert glibc.malloc_in_use_reader(lambda: GIB, library)() is None


@on_linux
def test_another_malloc_makes_it_unknown(tmp_path):
    code = """
        import json
        from allocmeter import process_memory
        memory = process_memory()
        print(json.dumps([memory.malloc_in_use_bytes, memory.rss_bytes]))
    """
    library = shared_library(tmp_path, "other_malloc")
    in_use, rss = answer_of(code, LD_PRELOAD=library)
    assert in_use is None
    assert rss > MIB


@on_linux
def test_without_ctypes_it_is_unknown(monkeypatch):
    monkeypatch.setitem(sys.modules, "ctypes", None)
    monkeypatch.delitem(sys.modules, "allocmeter.process_sources.glibc")
    monkeypatch.delattr("allocmeter.process_sources.glibc")
    source = find()
    assert source.malloc_in_use_bytes() is None
    assert source.rss_bytes() > MIB
