"""Finding and loading the native library, and what is said where it cannot be had."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from allocmeter import BackendUnavailableError, backend_info
from allocmeter._core import figures, library, own, preload, types
from standins import UNAVAILABLE, raising


@pytest.fixture
def alone(monkeypatch):
    """Name no library in the environment."""
    monkeypatch.delenv(library.PATH_VARIABLE, raising=False)


def refusal(function, *arguments):
    with pytest.raises(BackendUnavailableError) as refused:
        function(*arguments)
    return str(refused.value)


# Finding


def test_the_library_of_this_interpreter_is_found(alone):
    assert library.find() == library.find_built(library.STEM)
    assert sys.implementation.cache_tag in library.find()


def test_the_environment_may_name_another_library(tmp_path, monkeypatch):
    path = tmp_path / "library.so"
    monkeypatch.setenv(library.PATH_VARIABLE, str(path))
    assert f"names {str(path)!r}, where there is no file" in refusal(library.find)
    path.touch()
    assert library.find() == str(path)


def test_an_installation_without_the_library_says_which_file_is_missing(alone, monkeypatch):
    monkeypatch.setattr(library._native, "__path__", ["/nowhere"])
    assert f"the native library {library.STEM}.c" in (said := refusal(library.load))
    assert said.endswith("--force-reinstall .")


# Interpreters


def test_other_interpreters_are_refused(monkeypatch):
    monkeypatch.setattr(sys, "implementation", SimpleNamespace(name="pypy"))
    assert "which pypy does not have" in refusal(library.check_interpreter)


def test_free_threaded_builds_are_refused(monkeypatch):
    monkeypatch.setattr(sys, "abiflags", "t")
    assert "free-threaded builds of CPython are not supported" in refusal(library.load)


# Files that are no library of ours


class Function:
    """Stands in for a function of a library."""

    restype = None

    def __init__(self, value):
        self._value = value

    def __call__(self, *arguments):
        return self._value


OF_HERE = sys.version_info.major * 256 + sys.version_info.minor
VERSIONS = {"am_abi_version": library.ABI_VERSION, "am_python_version": OF_HERE}


@pytest.fixture
def loaded(alone, monkeypatch):
    """Have ctypes load a stand-in with these functions."""

    def give(**values):
        stand_in = SimpleNamespace(**{name: Function(value) for name, value in values.items()})
        monkeypatch.setattr(library.ctypes, "PyDLL", lambda path: stand_in)
        return stand_in

    return give


def test_a_file_that_is_no_library_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "library.so"
    path.write_bytes(b"no library")
    monkeypatch.setenv(library.PATH_VARIABLE, str(path))
    assert f"the native library {path} cannot be loaded: " in refusal(library.load)


def test_a_library_of_somebody_else_is_refused(loaded):
    loaded()
    assert "is not the native library of this package" in refusal(library.load)


def test_a_library_of_another_version_of_this_package_is_refused(loaded):
    loaded(**VERSIONS | {"am_abi_version": 999})
    assert f"ABI version 999, but this package speaks {library.ABI_VERSION}" in refusal(
        library.load
    )


def test_a_library_for_another_interpreter_is_refused(loaded):
    loaded(**VERSIONS | {"am_python_version": 3 * 256 + 2})
    assert "was built for CPython 3.2, but this is 3." in refusal(library.load)


def test_a_library_that_lacks_a_function_is_refused(loaded):
    loaded(**VERSIONS)
    assert "cannot start: " in refusal(library.load)


def test_a_library_that_cannot_start_is_refused(loaded, monkeypatch):
    stand_in = loaded(**VERSIONS)
    monkeypatch.setattr(library, "_declare", lambda _: None)
    stand_in.am_init = raising(MemoryError("no room"))
    assert "cannot start: no room" in refusal(library.load)


# The preload library


def test_a_preload_library_is_for_linux(monkeypatch):
    monkeypatch.setattr(preload, "sys", SimpleNamespace(platform="darwin"))
    assert "on Linux only, by LD_PRELOAD; this is darwin" in refusal(preload.find)


@pytest.mark.parametrize("directory", ["/a directory", "/a:directory"])
def test_a_preload_library_whose_path_cannot_be_named_is_refused(monkeypatch, directory):
    monkeypatch.setattr(preload, "sys", SimpleNamespace(platform="linux"))
    monkeypatch.setattr(library, "find_built", lambda stem: f"{directory}/{stem}.so")
    assert "cannot be preloaded: LD_PRELOAD separates paths" in refusal(preload.find)


# Without the library


@pytest.fixture
def without(monkeypatch):
    """Make the native types anew, as another module, where the library cannot be loaded."""

    def import_anew():
        spec = importlib.util.find_spec(types.__name__)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return import_anew


def test_without_the_library_the_types_say_why_when_they_are_used(without, monkeypatch):
    monkeypatch.setattr(library, "load", raising(UNAVAILABLE))
    made = without()
    assert made.NativeScope is made.NativeAnchor is made.NativeRegistry
    assert refusal(made.NativeScope, "name") == refusal(made.native) == "no library here"


def test_without_ctypes_the_types_say_what_the_interpreter_lacks(without, monkeypatch):
    monkeypatch.setattr(library, "load", raising(ImportError("No module named '_ctypes'")))
    said = refusal(without().native)
    assert "ctypes, which this interpreter lacks (No module named '_ctypes')" in said


def test_without_the_library_our_own_work_needs_no_guard(monkeypatch):
    monkeypatch.setattr(types, "native", raising(UNAVAILABLE))
    assert isinstance(own._guard(), nullcontext)
    assert refusal(own.own_context) == "no library here"


def test_without_the_library_the_backend_says_why(monkeypatch):
    monkeypatch.setattr(types, "native", raising(UNAVAILABLE))
    info = backend_info()
    assert (info.available, info.reason, info.library) == (False, "no library here", None)
    assert info.domains == {"python": "no library here", "native": "no library here"}
    assert refusal(figures.read_process) == "no library here"
