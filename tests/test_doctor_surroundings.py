"""What `allocmeter doctor` says where something about the process is unusual."""

from __future__ import annotations

import io
import sys
import sysconfig
import tracemalloc
from importlib import metadata

import pytest

from allocmeter.doctor import surroundings
from allocmeter.doctor.capabilities import CAPABILITIES
from standins import UNAVAILABLE, backend_says, raising
from test_doctor import check_of, doctor
from tracing import coverage_variables

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="as Linux does it")


def states(answer):
    return {name: check_of(answer, name)["state"] for name in CAPABILITIES}


ALL_WELL = dict.fromkeys(CAPABILITIES, "ok")


@linux_only
@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONMALLOC": "debug"},
        {"PYTHONMALLOC": "malloc"},
        {"PYTHONMALLOC": "malloc_debug"},
        {"PYTHONDEVMODE": "1"},
        {"PYTHONTRACEMALLOC": "5"},
    ],
    ids=str,
)
def test_other_allocators_below_the_hooks_make_no_difference(env):
    status, answer = doctor(**env)
    assert (status, states(answer)) == (0, ALL_WELL)
    assert answer["environment"].items() >= env.items()
    noted = [check["state"] for check in answer["checks"] if check["name"] == "tracemalloc"]
    assert noted == ["note"] * ("PYTHONTRACEMALLOC" in env)


def test_a_tool_on_top_of_the_hooks_is_named_as_the_cause():
    prelude = "import allocmeter, tracemalloc; allocmeter.install(); tracemalloc.start()"
    status, answer = doctor(prelude=prelude)
    python = check_of(answer, "python")
    assert (status, python["state"]) == (1, "failed")
    assert "another tool has hooked the allocators" in python["reason"]
    assert python["advice"] == "start that tool before the first scope"
    assert answer["backend"]["hook_position"] == "wrapped"


def test_a_trace_function_is_named_as_the_cause():
    # It allocates an object per event, as the tuples of a tool's records do.
    prelude = (
        "kept = []\n"
        "def trace(frame, event, argument):\n    kept.append(object())\n    return trace\n"
        "sys.settrace(trace)"
    )
    status, answer = doctor(prelude=prelude)
    python = check_of(answer, "python")
    assert (status, python["state"]) == (1, "failed")
    assert "trace function" in python["reason"]
    assert python["advice"] == "run without it"


@pytest.mark.parametrize("content", [None, b"", b"junk"])
def test_without_the_native_library_nothing_works_and_the_reason_is_given(tmp_path, content):
    path = tmp_path / "library.so"
    if content is not None:
        path.write_bytes(content)
    status, answer = doctor(ALLOCMETER_LIBRARY=path, **coverage_variables())
    assert (status, states(answer)) == (1, dict.fromkeys(CAPABILITIES, "missing"))
    assert str(path) in check_of(answer, "python")["reason"]
    assert str(path) in answer["libraries"]["native"]
    assert answer["environment"]["ALLOCMETER_LIBRARY"] == str(path)
    assert answer["problems"] == ["python"]


def test_an_interpreter_without_ctypes_is_diagnosed_too():
    status, answer = doctor(prelude="sys.modules['_ctypes'] = None", **coverage_variables())
    assert (status, states(answer)) == (1, dict.fromkeys(CAPABILITIES, "missing"))
    assert "ctypes" in check_of(answer, "python")["reason"]


def test_elsewhere_than_on_linux_the_native_domain_is_missing():
    prelude = (
        "from types import SimpleNamespace\n"
        "from allocmeter._core import preload\n"
        "preload.sys = SimpleNamespace(platform='darwin')"
    )
    status, answer = doctor(prelude=prelude)
    assert (status, states(answer)) == (0, {**ALL_WELL, "native": "missing"})
    assert "Linux only" in check_of(answer, "native")["reason"]
    assert "darwin" in answer["libraries"]["preload"]
    status, answer = doctor("--require", "tasks,native", prelude=prelude)
    assert (status, answer["problems"]) == (1, ["native"])


@linux_only
def test_a_tight_limit_on_the_address_space_is_noted_and_breaks_nothing():
    prelude = (
        "import resource\n"
        "with open('/proc/self/statm') as file:\n"
        "    used = int(file.read().split()[0]) * resource.getpagesize()\n"
        "hard = resource.getrlimit(resource.RLIMIT_AS)[1]\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (700 << 20), hard))"
    )
    status, answer = doctor(prelude=prelude)
    note = check_of(answer, "address space")
    assert note["state"] == "note"
    assert "limited to" in note["reason"]
    assert "ulimit" in note["advice"]
    assert (status, states(answer)) == (0, ALL_WELL)


# Parts ---------------------------------------------------------------------------------------


def test_a_preload_library_that_there_is_not_is_told_with_the_reason(monkeypatch):
    monkeypatch.setattr("allocmeter._core.preload.find", raising(UNAVAILABLE))
    assert surroundings.libraries()["preload"] == "none: no library here"


def test_packages_that_are_not_installed_are_named_too(monkeypatch):
    monkeypatch.setattr(metadata, "version", raising(metadata.PackageNotFoundError("trio")))
    assert surroundings.versions()["trio"] == "not installed"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ""),
        ({"Py_GIL_DISABLED": 1}, " (free-threaded)"),
        ({"Py_GIL_DISABLED": 1, "WITH_PYMALLOC": 0}, " (free-threaded, without pymalloc)"),
    ],
)
def test_the_build_of_the_interpreter_is_part_of_its_version(monkeypatch, variables, expected):
    monkeypatch.setattr(sysconfig, "get_config_var", variables.get)
    monkeypatch.delattr(sys, "gettotalrefcount", raising=False)
    assert surroundings._build_flags() == expected


def test_a_debug_build_is_called_one(monkeypatch):
    monkeypatch.setattr(sys, "gettotalrefcount", lambda: 0, raising=False)
    assert "debug build" in surroundings._build_flags()


def test_a_system_without_limits_has_nothing_to_note(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert "address space" not in [check.name for check in surroundings.notes()]


def test_a_limit_is_noted_where_the_system_does_not_tell_what_is_used(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1 << 30, 1 << 30))
    monkeypatch.setattr(surroundings, "open", raising(OSError("no /proc here")), raising=False)
    (check,) = [check for check in surroundings.notes() if check.name == "address space"]
    assert (check.state, check.reason) == ("note", "limited to 1.0 GiB")


def test_what_is_left_of_a_limit_is_told(monkeypatch):
    resource = pytest.importorskip("resource")
    page = resource.getpagesize()
    monkeypatch.setattr(resource, "getrlimit", lambda which: (3 << 30, 3 << 30))
    for used, state in ((1 << 20, "ok"), ((3 << 30) - (1 << 20), "note"), (4 << 30, "note")):
        statm = f"{used // page} 1 1 0 0 0 0"
        monkeypatch.setattr(
            surroundings, "open", lambda _path, text=statm: io.StringIO(text), raising=False
        )
        (check,) = [check for check in surroundings.notes() if check.name == "address space"]
        assert check.state == state
        assert "limited to 3.0 GiB, of which" in check.reason


def test_tracemalloc_is_noted_while_it_traces(monkeypatch):
    for tracing, expected in ((True, ["note"]), (False, [])):
        monkeypatch.setattr(tracemalloc, "is_tracing", lambda tracing=tracing: tracing)
        found = [check.state for check in surroundings.notes() if check.name == "tracemalloc"]
        assert found == expected


def test_gaps_are_noted_with_their_number(monkeypatch):
    backend_says(monkeypatch, gaps=3)
    (check,) = [check for check in surroundings.notes() if check.name == "gaps"]
    assert check.state == "note"
    assert check.reason.startswith("3 times blocks may have gone by unseen")
    backend_says(monkeypatch, gaps=0)
    assert "gaps" not in [check.name for check in surroundings.notes()]
