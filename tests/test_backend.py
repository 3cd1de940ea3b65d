"""The backend where it cannot work, and what importing and installing it does and does not do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import allocmeter
from allocmeter import BackendUnavailableError, backend_info, install, is_installed, uninstall
from children import answer_of, output_of

SUFFIX = EXTENSION_SUFFIXES[0]
COMPILER = shutil.which("cc")

# Everything that needs the library, and must say what is wrong with it; one a line.
USES = """
allocmeter.install()
allocmeter.uninstall()
allocmeter.measure("name").__enter__()
allocmeter.detached().__enter__()
allocmeter.start_tracking()
allocmeter.stop_tracking()
allocmeter.report()
allocmeter.Registry()
allocmeter.AllocationStats.capture()
allocmeter.AllocationTracker.measure(len, ())
allocmeter.LeakDetector()
allocmeter.PeakMemoryTracker()
allocmeter.AllocationProfiler().profile(len, ())
allocmeter.measured(len)(())
""".strip().splitlines()

TRY_EVERYTHING = """
import json, sys
import allocmeter

errors = {}
for use in sys.argv[1:]:
    try:
        eval(use)
    except allocmeter.BackendUnavailableError as error:
        errors[use] = str(error)
    except BaseException as error:
        errors[use] = f"UNTYPED {error!r}"
info = allocmeter.backend_info()
state = [info.available, info.reason, allocmeter.is_installed()]
print(json.dumps([errors, state]))
"""


def reasons(prelude="", **env):
    """Import the package in a child, use all of it, and return the reasons that it gives."""
    errors, (available, reason, installed) = answer_of(prelude + TRY_EVERYTHING, *USES, **env)
    assert set(errors) == set(USES), "these worked without a library"
    untyped = {use: text for use, text in errors.items() if text.startswith("UNTYPED")}
    assert not untyped
    assert (available, installed) == (False, False)
    return {reason, *errors.values()}


def the_reason(prelude="", **env):
    (reason,) = reasons(prelude, **env)
    return reason


def test_an_unknown_backend_is_refused_by_name():
    with pytest.raises(BackendUnavailableError, match="unknown backend 'valgrind'.*'native'"):
        install(backend="valgrind")


def test_a_variable_that_names_no_file_is_named(tmp_path):
    reason = the_reason(ALLOCMETER_LIBRARY=tmp_path / "nowhere.so")
    assert "ALLOCMETER_LIBRARY" in reason
    assert "nowhere.so" in reason
    assert "unset it" in reason


def test_what_is_not_there_is_neither_installed_nor_tracking(tmp_path):
    ask = "import allocmeter; print(allocmeter.is_installed(), allocmeter.is_tracking())"
    assert output_of(ask, ALLOCMETER_LIBRARY=tmp_path / "nowhere.so") == "False False\n"


@pytest.mark.parametrize("content", [b"", b"not a library at all", b"\x7fELF" + bytes(100)])
def test_a_file_that_is_no_library_is_refused(tmp_path, content):
    path = tmp_path / "liballocmeter.so"
    path.write_bytes(content)
    reason = the_reason(ALLOCMETER_LIBRARY=path)
    assert f"{path} cannot be loaded" in reason
    assert "pip install" in reason


def test_a_directory_in_place_of_the_library_is_refused(tmp_path):
    assert "no file" in the_reason(ALLOCMETER_LIBRARY=tmp_path)


def test_a_package_without_its_library_says_how_to_get_it(tmp_path):
    source = Path(allocmeter.__file__).parent
    shutil.copytree(source, tmp_path / "allocmeter", ignore=shutil.ignore_patterns("*.so"))
    reason = the_reason(PYTHONPATH=tmp_path)
    assert f"liballocmeter{SUFFIX} is missing" in reason
    assert "pip install" in reason


@pytest.fixture
def build(tmp_path):
    """Compile a stand-in for the library."""
    if COMPILER is None:
        pytest.skip("needs a C compiler")

    def compile_it(source):
        (tmp_path / "library.c").write_text(source)
        path = tmp_path / f"liballocmeter{SUFFIX}"
        command = [COMPILER, "-shared", "-fPIC", "-o", path, tmp_path / "library.c"]
        subprocess.run(command, check=True)
        return path

    return compile_it


HANDSHAKE = """
#include <stdint.h>
uint32_t am_abi_version(void) { return %d; }
uint32_t am_python_version(void) { return %d << 8 | %d; }
"""


def test_a_library_of_something_else_is_refused(build):
    reason = the_reason(ALLOCMETER_LIBRARY=build("int answer(void) { return 42; }"))
    assert "not the native library of this package" in reason
    assert "pip install" in reason


def test_a_library_of_another_abi_is_refused(build):
    own = backend_info().abi_version
    path = build(HANDSHAKE % (own + 1000, *sys.version_info[:2]))
    reason = the_reason(ALLOCMETER_LIBRARY=path)
    assert f"ABI version {own + 1000}" in reason
    assert f"speaks {own}" in reason
    assert "pip install" in reason


@pytest.mark.parametrize("version", [(3, 10), (3, 255), (4, sys.version_info.minor)])
def test_a_library_for_another_interpreter_is_refused(build, version):
    reason = the_reason(
        ALLOCMETER_LIBRARY=build(HANDSHAKE % (backend_info().abi_version, *version))
    )
    assert "built for CPython {}.{}".format(*version) in reason
    assert "this is {}.{}".format(*sys.version_info) in reason


def test_a_library_that_lacks_a_function_is_refused(build):
    path = build(HANDSHAKE % (backend_info().abi_version, *sys.version_info[:2]))
    reason = the_reason(ALLOCMETER_LIBRARY=path)
    assert "am_init" in reason
    assert "pip install" in reason


@pytest.mark.parametrize(
    ("prelude", "expected"),
    [
        ("import sys; sys.implementation.name = 'pypy'", "pypy"),
        ("import sys; sys.abiflags += 't'", "free-threaded"),
    ],
)
def test_an_interpreter_on_which_counting_would_not_be_exact_is_refused(prelude, expected):
    reason = the_reason(prelude)
    assert expected in reason
    assert "CPython" in reason


def test_an_interpreter_without_ctypes_can_import_the_package():
    assert "ctypes" in the_reason("import sys; sys.modules['_ctypes'] = None")


def test_a_library_found_by_the_variable_is_the_one_that_counts(tmp_path):
    info = backend_info()
    path = tmp_path / "copy.so"
    shutil.copy(info.library, path)
    code = """
        from allocmeter import backend_info, measure
        block = scope = None
        with measure() as scope:
            block = bytes(1000)
        print(backend_info().library, scope.stats.allocations)
    """
    assert output_of(code, ALLOCMETER_LIBRARY=path) == f"{path} 1\n"


def test_importing_installs_nothing_and_takes_no_framework():
    installed, position, modules = answer_of("""
        import json, sys
        before = set(sys.modules)
        import allocmeter
        after = {name.partition(".")[0] for name in set(sys.modules) - before}
        info = allocmeter.backend_info()
        print(json.dumps([allocmeter.is_installed(), info.hook_position, sorted(after)]))
    """)
    assert (installed, position) == (False, "not installed")
    # `inspect` is not here: `dataclasses` imports it on all of 3.11 to 3.13.
    heavy = {"anyio", "asyncio", "trio", "uvloop", "numpy", "logging", "statistics", "subprocess"}
    assert not heavy & set(modules)


def test_installing_and_uninstalling_twice_change_nothing():
    readings = answer_of("""
        import json
        from allocmeter import backend_info, install, is_installed, measure, uninstall
        readings = []
        for step in (uninstall, install, install, uninstall, uninstall, install):
            step()
            info = backend_info()
            readings.append([step.__name__, is_installed(), info.hook_position])
        block = scope = None
        with measure() as scope:
            block = bytes(1000)
        assert scope.stats.allocations == 1
        print(json.dumps(readings))
    """)
    assert [(name, installed) for name, installed, _ in readings] == [
        ("uninstall", False),
        ("install", True),
        ("install", True),
        ("uninstall", False),
        ("uninstall", False),
        ("install", True),
    ]
    assert {position for _, installed, position in readings if installed} == {"on top"}
    assert {position for _, installed, position in readings if not installed} == {"not installed"}


def test_the_state_of_the_backend_can_be_written_as_json():
    install()
    assert is_installed()
    info = backend_info()
    assert info.available
    assert info.reason == ""
    assert json.loads(json.dumps(info.to_dict())) == info.to_dict()
    assert info.domains["python"] == ""
    assert info.domains["native"] != "", "a figure that cannot be known says why"


def test_uninstalling_is_refused_while_a_scope_is_open():
    with allocmeter.measure() as scope:
        with pytest.raises(allocmeter.HookError, match="1 scope.*open.*still in place"):
            uninstall()
        block = bytes(1000)
    assert is_installed()
    assert scope.stats.bytes_allocated >= sys.getsizeof(block)
