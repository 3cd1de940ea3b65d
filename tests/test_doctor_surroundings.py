"""What `allocmeter doctor` says where something about the process is unusual."""

from __future__ import annotations

import sys

import pytest

from allocmeter.doctor.capabilities import CAPABILITIES
from test_doctor import check_of, doctor

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
    status, answer = doctor(ALLOCMETER_LIBRARY=path)
    assert (status, states(answer)) == (1, dict.fromkeys(CAPABILITIES, "missing"))
    assert str(path) in check_of(answer, "python")["reason"]
    assert str(path) in answer["libraries"]["native"]
    assert answer["environment"]["ALLOCMETER_LIBRARY"] == str(path)
    assert answer["problems"] == ["python"]


def test_an_interpreter_without_ctypes_is_diagnosed_too():
    status, answer = doctor(prelude="sys.modules['_ctypes'] = None")
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
