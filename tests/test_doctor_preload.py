"""`allocmeter doctor` and the preload library: in effect, wanted in vain, or not asked for."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import allocmeter
from allocmeter._core import preload
from allocmeter.doctor import preloading
from children import HERE
from compiling import CORE, compile_c
from test_doctor import check_of, doctor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD is of Linux")

OWN_MALLOC = """
#include <stddef.h>
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void __libc_free(void *);
"""
CALLOC = "void *calloc(size_t n, size_t each) { return __libc_calloc(n, each); }\n"
FAMILY = (
    CALLOC
    + """
void *malloc(size_t size) { return __libc_malloc(size); }
void *realloc(void *block, size_t size) { return __libc_realloc(block, size); }
void free(void *block) { __libc_free(block); }
"""
)
PASSES_ON = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
static void *(*next)(size_t);
void *malloc(size_t size) {
    if (next == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "malloc");
        memcpy(&next, &symbol, sizeof symbol);
    }
    return next(size);
}
"""


@pytest.fixture
def build(tmp_path):
    def compile_it(source, name="other.so", *flags):
        path = tmp_path / f"{name}.c"
        path.write_text(source)
        return compile_c(tmp_path / name, path, "-shared", "-fPIC", "-fno-builtin", *flags)

    return compile_it


def native(answer):
    check = check_of(answer, "native")
    return check["state"], check["reason"], check["advice"]


def test_a_process_with_the_preload_library_is_tested_itself():
    status, answer = doctor("--require", "native", LD_PRELOAD=preload.find())
    state, reason, _ = native(answer)
    assert (status, state) == (0, "ok")
    assert "in this process" in reason
    assert answer["backend"]["domains"]["native"] == ""


def test_a_process_without_it_is_told_that_it_works_when_started_with_run():
    status, answer = doctor("--require", "native")
    state, reason, _ = native(answer)
    assert (status, state) == (0, "ok")
    assert "works when started with `allocmeter run`" in reason
    assert answer["backend"]["domains"]["native"] != ""


# Wanted in vain: an error, never a zero ---------------------------------------------------------


def test_a_preload_library_that_is_not_there_is_an_error(tmp_path):
    path = tmp_path / Path(preload.find()).name
    status, answer = doctor(LD_PRELOAD=path)
    state, reason, advice = native(answer)
    assert (status, state, answer["problems"]) == (1, "failed", ["native"])
    assert f"LD_PRELOAD names {path}" in reason
    assert "no such file" in reason
    assert "allocmeter run" in advice


def test_a_preload_library_that_the_linker_refuses_is_an_error(tmp_path):
    path = tmp_path / Path(preload.find()).name
    path.write_bytes(b"no library")
    status, answer = doctor(LD_PRELOAD=path)
    state, reason, advice = native(answer)
    assert (status, state) == (1, "failed")
    assert "did not load it" in reason
    assert "standard error" in advice


def test_a_request_that_was_taken_out_of_the_environment_still_counts(tmp_path):
    path = tmp_path / Path(preload.find()).name
    status, answer = doctor(prelude="import os; del os.environ['LD_PRELOAD']", LD_PRELOAD=path)
    assert (status, native(answer)[0]) == (1, "failed")


def test_a_request_counts_where_the_system_does_not_tell_how_the_process_began(monkeypatch):
    def refuse(*arguments):
        raise OSError("no /proc here")

    monkeypatch.setenv("LD_PRELOAD", f"/other.so {preload.find()}")
    monkeypatch.setattr(preloading, "open", refuse, raising=False)
    assert preloading.named_libraries() == [preload.find()]


def test_another_malloc_before_the_preload_library_is_an_error(build):
    other = build(OWN_MALLOC + FAMILY)
    status, answer = doctor(LD_PRELOAD=f"{other}:{preload.find()}")
    state, reason, advice = native(answer)
    assert (status, state) == (1, "failed")
    assert "do not reach the preload library" in reason
    assert f"before {other} in LD_PRELOAD" in advice


def test_a_single_function_that_goes_past_the_preload_library_is_found(build):
    other = build(OWN_MALLOC + CALLOC)
    status, answer = doctor(LD_PRELOAD=f"{other} {preload.find()}")
    state, reason, advice = native(answer)
    assert (status, state) == (1, "failed")
    assert reason.startswith("calloc: allocations: ")
    assert "; " not in reason, "the others are counted"
    assert other in advice


def test_another_malloc_behind_the_preload_library_makes_no_difference(build):
    other = build(OWN_MALLOC + FAMILY)
    assert native(doctor(LD_PRELOAD=f"{preload.find()}:{other}")[1])[0] == "ok"
    assert native(doctor(LD_PRELOAD=other)[1])[0] == "ok", "the child has ours before it"


def test_another_malloc_that_passes_calls_on_makes_no_difference(build):
    other = build(PASSES_ON)
    status, answer = doctor(LD_PRELOAD=f"{other}:{preload.find()}")
    assert (status, native(answer)[0]) == (0, "ok")


def test_a_preload_library_of_another_version_is_an_error(tmp_path):
    # Built from the sources that are here, with another number in its header.
    (tmp_path / "preload").mkdir()
    for name in ("preload/preload.c", "preload/preload.h", "platform.h"):
        source = (CORE / name).read_text()
        source = re.sub(r"(#define AM_PRELOAD_VERSION) \d+", r"\1 999", source)
        (tmp_path / name).write_text(source)
    library = tmp_path / f"{preload.STEM}.so"
    command = ["gcc", "-std=c11", "-O1", "-fno-builtin", "-shared", "-fPIC", "-o", library]
    done = subprocess.run([*command, tmp_path / "preload" / "preload.c", "-ldl"], check=False)
    if done.returncode != 0:
        pytest.skip("needs gcc")
    status, answer = doctor(LD_PRELOAD=library)
    state, reason, advice = native(answer)
    assert (status, state) == (1, "failed")
    assert "another version of allocmeter" in reason
    assert advice.startswith("unset LD_PRELOAD")


def test_an_interpreter_with_a_malloc_of_its_own_cannot_be_measured(tmp_path):
    directory, library = map(sysconfig.get_config_var, ("LIBDIR", "INSTSONAME"))
    if not (Path(directory or "") / str(library)).is_file() or ".so" not in str(library):
        pytest.skip("needs an interpreter built as a shared library")
    source = tmp_path / "main.c"
    source.write_text(
        OWN_MALLOC
        + FAMILY
        + "int Py_BytesMain(int, char **);\n"
        + "int main(int count, char **words) { return Py_BytesMain(count, words); }\n"
    )
    program = compile_c(
        tmp_path / "python",
        source,
        *("-fno-builtin", f"{directory}/{library}", f"-Wl,-rpath,{directory}"),
    )
    paths = [Path(allocmeter.__file__).parent.parent, sysconfig.get_path("purelib")]
    options = {"PYTHONHOME": sys.base_prefix, "PYTHONPATH": ":".join(map(str, paths))}
    command = [program, "-m", "allocmeter", "doctor", "--require", "native"]

    def lines(**env):
        done = subprocess.run(
            command, env=options | env, cwd=HERE, capture_output=True, text=True, check=False
        )
        (line,) = [line for line in done.stdout.splitlines() if " native   " in line][:1]
        return done.returncode, line

    for env, mark in (({}, "  missing "), ({"LD_PRELOAD": preload.find()}, "  FAILED ")):
        status, line = lines(**env)
        assert status == 1
        assert line.startswith(mark)
        assert "linked with another malloc" in line


# The self-test can fail -------------------------------------------------------------------------

STAND_IN = """
from allocmeter.doctor import known_blocks
real = known_blocks.figures_of
known_blocks.figures_of = lambda scope: {**real(scope), "peak_bytes": 7}
"""
STAND_IN_DOMAINS = """
from allocmeter.doctor import known_blocks
known_blocks.measure.by_domain = lambda scope: {"python": scope.stats, "native": scope.stats}
"""
STAND_IN_PROCESS = """
from allocmeter._core import figures
real = figures.read_process_native
first = []
figures.read_process_native = lambda: first.append(real()) or first[0]
"""


@pytest.mark.parametrize(
    ("prelude", "expected"),
    [
        (STAND_IN, "pvalloc: peak bytes: 7 instead of"),
        (STAND_IN_DOMAINS, "memalign: native allocations: 4 instead of 1"),
        (STAND_IN_PROCESS, "thread without Python: bytes allocated and freed: 0 and 0 instead of"),
    ],
)
def test_figures_of_native_blocks_that_are_wrong_are_found(prelude, expected):
    status, answer = doctor(prelude=prelude, LD_PRELOAD=preload.find())
    state, reason, _ = native(answer)
    assert (status, state) == (1, "failed")
    assert expected in reason


@pytest.mark.parametrize(
    ("child", "state", "expected"),
    [
        ("raise SystemExit('it broke')", "missing", "ended with status 1: it broke"),
        ("import os; os.kill(os.getpid(), 9)", "missing", "ended with status -9"),
        ("print('nonsense')", "missing", "ended with status 0"),
        ("import time; time.sleep(60)", "missing", "no answer in 0.5 seconds"),
        ('print(\'{"error": "off by one", "unseen": ""}\')', "failed", "off by one"),
        ('print(\'{"error": "", "unseen": "blind"}\')', "missing", "blind"),
    ],
)
def test_a_child_that_gives_no_good_answer_is_reported(monkeypatch, child, state, expected):
    monkeypatch.setattr(preloading, "_CHILD", child)
    if "sleep" in child:
        monkeypatch.setattr(preloading, "TIME_LIMIT", 0.5)
    check = preloading.check_native()
    assert check.state == state
    assert expected in check.reason


def test_an_interpreter_that_cannot_be_started_is_reported(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    check = preloading.check_native()
    assert check.state == "missing"
    assert "'/nowhere/python' cannot be started" in check.reason
