"""What `allocmeter` exports: all that is documented, nothing private, and nothing of its own."""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path

import pytest

import allocmeter
from children import output_of

DOCUMENTED = {
    "AllocationHistogram": {"buckets"},
    "AllocationProfiler": {
        "profile", "measure", "count", "failures", "measurements", "mean_bytes", "median_bytes",
        "percentile_bytes", "mean_allocations", "median_allocations", "percentile_allocations",
        "histogram", "reset", "merge", "to_json", "from_json", "compare",
    },
    "AllocationStats": {
        "allocations", "deallocations", "reallocations", "bytes_allocated", "bytes_deallocated",
        "net_allocations", "net_bytes", "capture", "delta", "to_dict", "from_dict",
    },
    "AllocationTracker": {"measure"},
    "AllocmeterError": set(),
    "BackendUnavailableError": set(),
    "BudgetExceededError": set(),
    "HookError": set(),
    "LeakDetector": {
        "has_leaks", "net_allocations", "net_bytes", "delta", "assert_no_leaks", "check",
    },
    "LeakError": set(),
    "PeakMemoryTracker": {
        "sample", "peak_bytes", "peak_allocations", "samples", "current", "reset", "track",
    },
    "Registry": {"measure", "report", "row", "reset", "max_names"},
    "ReportFormatError": set(),
    "backend_info": set(),
    "detached": set(),
    "install": set(),
    "is_installed": set(),
    "is_tracking": set(),
    "measure": {
        "name", "stats", "self_stats", "peak_bytes", "peak_allocations", "retained_bytes",
        "retained_allocations", "late_stats", "by_domain", "is_open", "is_closed",
    },
    "measured": set(),
    "process_memory": set(),
    "report": set(),
    "start_tracking": set(),
    "stop_tracking": set(),
    "uninstall": set(),
}  # fmt: skip

EXPORTED = [name for name in dir(allocmeter) if not name.startswith("_")]
MODULES = {path.stem for path in Path(allocmeter.__file__).parent.iterdir()}
PUBLIC = [name for name in EXPORTED if name not in MODULES | {"TYPE_CHECKING"}]


def test_everything_documented_is_exported():
    assert set(DOCUMENTED) <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_export_comes_from_a_module_of_the_package_and_is_documented(name):
    value = getattr(allocmeter, name)
    assert inspect.getdoc(value), "has no docstring"
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__module__.startswith("allocmeter.")
        assert value.__name__ == name
        assert inspect.getdoc(value) != inspect.getdoc(object)


@pytest.mark.parametrize("name", [name for name, members in DOCUMENTED.items() if members])
def test_every_documented_member_is_there_and_documented(name):
    value = getattr(allocmeter, name)
    fields = getattr(value, "__dataclass_fields__", {})
    for member in DOCUMENTED[name]:
        assert hasattr(value, member) or member in fields, member
        if member not in fields:
            assert inspect.getdoc(getattr(value, member)), f"{member} has no docstring"


@pytest.mark.parametrize("name", PUBLIC)
def test_no_public_method_lacks_a_docstring(name):
    value = getattr(allocmeter, name)
    if not inspect.isclass(value):
        return
    for member, definition in vars(value).items():
        if member.startswith("_") or member in getattr(value, "__dataclass_fields__", {}):
            continue
        assert inspect.getdoc(definition), f"{name}.{member}"


def test_the_package_itself_defines_nothing_public():
    tree = ast.parse(Path(allocmeter.__file__).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            assert node.name.startswith("__"), node.name
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert alias.asname in {None, alias.name}, "a re-export keeps its name"


def test_names_that_are_loaded_later_are_those_that_are_exported_and_typed():
    tree = ast.parse(Path(allocmeter.__file__).read_text(encoding="utf-8"))
    typed = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname is not None
    }
    eager = {"__version__": "allocmeter._version"}
    later = {name: f"allocmeter.{module}" for name, module in allocmeter._LATER.items()}
    assert typed == eager | later
    assert sorted(typed) == sorted(allocmeter.__all__)
    for name in allocmeter.__all__:
        assert getattr(allocmeter, name) is getattr(sys.modules[typed[name]], name)


def test_importing_the_package_loads_nothing_until_a_name_is_used():
    loaded = "sorted(name for name in sys.modules if name.startswith(('allocmeter', 'ctypes')))"
    code = f"import sys, allocmeter; print({loaded}); allocmeter.measure; print({loaded})"
    before, after = map(ast.literal_eval, output_of(code).splitlines())
    assert before == ["allocmeter", "allocmeter._version"]
    assert "allocmeter._core.library" in after


def test_a_star_import_brings_everything():
    code = "from allocmeter import *; print(*sorted(dir()))"
    assert set(DOCUMENTED) <= set(output_of(code).split())


def test_every_error_of_the_package_can_be_caught_as_one():
    for name in PUBLIC:
        value = getattr(allocmeter, name)
        if inspect.isclass(value) and issubclass(value, BaseException):
            assert issubclass(value, allocmeter.AllocmeterError)
    assert issubclass(allocmeter.BackendUnavailableError, RuntimeError)
    assert issubclass(allocmeter.LeakError, AssertionError)
    assert issubclass(allocmeter.ReportFormatError, ValueError)


def test_asking_for_a_name_that_is_not_there_says_so():
    with pytest.raises(AttributeError, match="no attribute 'Mesure'"):
        _ = allocmeter.Mesure
