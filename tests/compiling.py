"""Compiling C sources of the tests with the system's compiler."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

NATIVE = Path(__file__).parent / "native"
CORE = Path(__file__).parent.parent / "src" / "allocmeter" / "_native"
STRICT = ("-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pedantic")


@cache
def _compiler():
    named = shlex.split(os.environ.get("CC", ""))
    return next((c for c in [named, ["cc"], ["gcc"], ["clang"]] if c and shutil.which(c[0])), None)


def compile_c(output, *sources_and_flags):
    """Compile strictly and return the path of the output; without a compiler, skip the test."""
    compiler = _compiler()
    if compiler is None:
        pytest.skip("no C compiler: neither $CC nor cc, gcc or clang")
    done = subprocess.run(
        [*compiler, *STRICT, "-o", output, *sources_and_flags],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return str(output)


def shared_library(directory, name, *flags):
    """Compile `native/<name>.c` as a library of its own."""
    return compile_c(directory / f"{name}.so", NATIVE / f"{name}.c", "-shared", "-fPIC", *flags)


def skip_unless_the_toolchain_has(directory, *flags):
    """Skip the test if a program built with these flags cannot be built or does not run here."""
    source = directory / "trivial.c"
    source.write_text("int main(void) { return 0; }\n")
    program = directory / "trivial"
    compiler = _compiler()
    if compiler is None:
        pytest.skip("no C compiler: neither $CC nor cc, gcc or clang")
    for command in ([*compiler, *flags, "-o", program, source], [program]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"the toolchain has no {' '.join(flags)}: {done.stderr.strip()[:200]}")
