"""Builds the native library; everything else about the package is in pyproject.toml."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from setuptools import Extension, setup

native = Path("src/allocmeter/_native")

compile_args = ["-std=c11", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra"]
if sys.platform == "linux":
    # One jump less on every call from a hook into the interpreter or the C library.
    compile_args.append("-fno-plt")
if os.environ.get("ALLOCMETER_WERROR") == "1":
    # Never by default: a new compiler's new warning must not break somebody's install.
    compile_args.append("-Werror")

# Not an extension module: there is no PyInit function, ctypes loads the library. Building it as
# one gives it the interpreter's own compiler and a file name for each version, so that virtual
# environments of different versions can share an editable source tree.
library = Extension(
    "allocmeter._native.liballocmeter",
    sources=sorted(map(str, native.glob("*.c"))),
    depends=sorted(map(str, native.glob("*.h"))),
    # For sanitizers and experiments; last, so that they win.
    extra_compile_args=compile_args + shlex.split(os.environ.get("ALLOCMETER_CFLAGS", "")),
    extra_link_args=shlex.split(os.environ.get("ALLOCMETER_LDFLAGS", "")),
)

setup(
    ext_modules=[library],
    # Time stamps cannot tell that the flags above have changed.
    options={"build_ext": {"force": True}},
)
