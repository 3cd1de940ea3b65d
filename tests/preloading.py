"""Running children with the preload library, and C programs of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from textwrap import dedent

import pytest

from allocmeter._core.preload import VARIABLE, find
from children import measuring, output_of, run_child
from compiling import compile_c

PROGRAMS = Path(__file__).parent / "native_programs"
BUILT = tempfile.TemporaryDirectory(prefix="allocmeter-tests-")

linux_only = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="malloc can be interposed on Linux only"
)


def preloaded(*, before=(), after=()):
    """Return the environment variable that preloads our library among others."""
    return {VARIABLE: ":".join([*before, find(), *after])}


# What most children begin with, after the common names.
NATIVE = """
from allocmeter._core.figures import read_process_native

def loaded(path, kind=ctypes.CDLL):  # CDLL releases the interpreter lock around a call
    library = kind(path)
    for name in ("malloc", "calloc", "realloc"):
        getattr(library, name).restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.calloc.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
    library.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.free.restype = None
    return library

def native(scope):
    return scope.by_domain()["native"]

def process():
    return AllocationStats.from_figures(read_process_native())

released, held = loaded(None), loaded(None, ctypes.PyDLL)
MIB = 1 << 20
"""


def natively(code, *arguments, around=None, **options):
    """Run `code` under the preload with the common names, return the JSON value it prints last."""
    environment = preloaded(**(around or {}))
    return measuring(NATIVE + dedent(code), *arguments, **environment, **options)


def preloaded_child(code, *arguments, around=None, **options):
    """Run `code` under the preload and return the `CompletedProcess`."""
    return run_child(code, *arguments, **preloaded(**(around or {})), **options)


def preloaded_output(code, *arguments, around=None, **options):
    """Run `code` under the preload, insist that it ends well and silently, return its output."""
    return output_of(code, *arguments, **preloaded(**(around or {})), **options)


@cache
def program(name, *flags):
    """Compile `native_programs/<name>.c` once and return the path of the program."""
    flags = ("-fno-builtin", "-pthread", *flags)
    return compile_c(Path(BUILT.name) / name, PROGRAMS / f"{name}.c", *flags)


@cache
def library(name, *flags):
    """Compile `native_programs/<name>.c` once as a library and return its path."""
    output = Path(BUILT.name) / f"{'_'.join([name, *flags])}.so".replace("-", "")
    flags = ("-shared", "-fPIC", "-fno-builtin", "-pthread", *flags)
    return compile_c(output, PROGRAMS / f"{name}.c", *flags)


def run_program(command, *, cwd=None, stdin="", **environment):
    """Run a command, without our library unless `environment` has it; `None` removes a variable."""
    variables = {**os.environ, **environment}
    return subprocess.run(
        [str(word) for word in command],
        env={name: value for name, value in variables.items() if value is not None},
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
