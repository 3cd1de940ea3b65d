"""Programs that know nothing of Python, and other mallocs, beside the preload library."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from allocmeter import _native
from allocmeter._core.preload import STEM, VARIABLE, find
from children import output_of
from compiling import CORE, compile_c
from preloading import (
    library,
    linux_only,
    natively,
    preloaded,
    program,
    run_program,
)

pytestmark = linux_only

BINDINGS = pytest.mark.parametrize("binding", [{}, {"LD_BIND_NOW": "1"}], ids=["lazy", "now"])
QUIET_GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    **{
        f"GIT_{who}_{what}": "nobody"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    },
    **{f"GIT_{who}_DATE": "2001-01-01T00:00:00Z" for who in ("AUTHOR", "COMMITTER")},
}
SCRIPTS = {
    "sh": "for i in 1 2 3; do echo $i; done | sort -r; x=$(ls /usr); echo ${#x}; (exit 3); exit $?",
    "cc": "printf 'int main(void) { return 4; }' > a.c && cc -O2 -Wall -o a a.c && ./a",
    "git": "git init -q r && cd r && seq 20000 > f && git add f && git commit -qm first &&"
    " git status --short && git log --stat && git gc -q && git fsck 2>&1",
    "tar": "mkdir d && seq 20000 > d/f && tar -czf d.tgz d && tar -tzf d.tgz && rm -r d &&"
    " tar -xzf d.tgz && cat d/f",
    "gzip": "seq 20000 | gzip -9 | gzip -dc | tail -1; gzip -dc /dev/null; echo $?",
    "perl": 'perl -e \'my %h; $h{$_} = "x" x ($_ % 700) for 1 .. 30000; delete $h{$_} for 1 .. 999;'
    ' my $n = 0; $n += length for values %h; print "$n\\n"; exit 5\'',
    "awk": "seq 30000 | awk '{ a[$1 % 977] = a[$1 % 977] $1 } END { print length(a[5]) }'",
}


@BINDINGS
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_program_does_the_same_as_without(tmp_path, name, binding):
    if shutil.which(name) is None:
        pytest.skip(f"there is no {name} here")
    ends = []
    for variables in ({VARIABLE: None}, preloaded()):
        directory = tmp_path / str(len(ends))
        directory.mkdir()
        end = run_program(
            ["sh", "-c", SCRIPTS[name]], cwd=directory, **QUIET_GIT, **binding, **variables
        )
        ends.append((end.returncode, end.stdout, end.stderr))
    assert ends[0][0] in (0, 3, 4, 5)
    assert ends[1] == ends[0]


# Before the real functions are known --------------------------------------------------------------


def test_the_preload_library_serves_whoever_allocates_while_it_looks_for_the_real_functions():
    core = Path(_native.__path__[0])
    end = run_program([program("bootstrap", "-I", str(core))])
    assert (end.returncode, end.stderr) == (0, "")


@BINDINGS
@pytest.mark.parametrize("place", ["before", "after", "linked"])
def test_constructors_and_destructors_may_allocate_before_and_after_everything_else(place, binding):
    early = library("early")
    user = program("early_user", early, f"-Wl,-rpath,{Path(early).parent}")
    others = {} if place == "linked" else {place: [early]}
    end = run_program([user], **binding, **preloaded(**others))
    assert (end.returncode, end.stdout, end.stderr) == (0, "well\n", "")


# Other mallocs ------------------------------------------------------------------------------------

CALLS = """
second = ctypes.CDLL(sys.argv[1]).second_malloc_calls
first = second()
with measure() as scope:
    blocks = [released.malloc(size) for size in (1, 8, 9, 100, 70_000)]
    blocks += [released.calloc(1, 3), released.realloc(None, 5)]
for block in blocks:
    released.free(block)
for _ in range(5):
    block = released.realloc(released.malloc(2), 7)
    released.free(block)
"""


def test_calls_reach_a_malloc_that_stands_behind_ours_and_are_counted():
    # Its blocks of up to 8 bytes are not aligned to 16, as those of jemalloc and mimalloc.
    second = library("second_malloc")
    calls, figures, gaps = natively(
        CALLS
        + """
print(json.dumps([second() - first, native(scope).to_dict(), backend_info().gaps]))
""",
        second,
        around={"after": [second]},
    )
    assert calls >= 17
    assert (figures["allocations"], figures["bytes_allocated"]) == (7, 70_126)
    assert gaps == 0


@pytest.mark.parametrize("order", ["before", "after"])
def test_the_family_is_whole_with_another_malloc_around(order):
    second = library("second_malloc")
    end = run_program([program("family")], **preloaded(**{order: [second]}))
    assert (end.returncode, end.stderr) == (0, "")


def test_the_family_is_whole_where_the_linker_binds_names_within_a_library(tmp_path):
    # As in the flags that Debian's Python links libraries with.
    source, binding = CORE / "preload" / "preload.c", "-Wl,-Bsymbolic-functions"
    flags = ("-shared", "-fPIC", "-fno-builtin", "-fvisibility=hidden", "-Wno-pedantic")
    ours = compile_c(tmp_path / "bound.so", source, *flags, binding)
    order = f"{library('second_malloc')}:{ours}"
    end = run_program([program("family")], **{VARIABLE: order})
    assert (end.returncode, end.stderr) == (0, "")


def test_a_malloc_that_stands_before_ours_is_the_reason_why_nothing_is_seen():
    second = library("second_malloc")
    calls, reason, figures = natively(
        CALLS
        + """
print(json.dumps([second() - first, backend_info().domains["native"], native(scope)]))
""",
        second,
        around={"before": [second]},
    )
    assert calls >= 17
    assert "stands before it in LD_PRELOAD" in reason
    assert figures is None


# Where it is not, or is another -------------------------------------------------------------------


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="only root can make a program that runs as somebody else",
)
def test_a_setuid_program_ignores_it():
    # Not in tmp_path, which only its owner may enter.
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        copy = shutil.copy(shutil.which("id"), directory)
        Path(copy).chmod(0o4755)
        somebody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        end = run_program([*somebody, copy, "-u"], **preloaded())
    if end.stdout != "0\n":
        pytest.skip("setuid has no effect here")
    assert end.returncode == 0


def test_the_preload_library_of_another_python_serves_as_well():
    directory = Path(find()).parent
    for other in directory.glob(f"{STEM}*.so"):
        output = output_of(
            "import allocmeter; allocmeter.install(); print(allocmeter.backend_info().domains)",
            LD_PRELOAD=other,
        )
        assert output == "{'python': '', 'native': ''}\n", other
