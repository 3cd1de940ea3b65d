"""Builds the native libraries; everything else about the package is in pyproject.toml."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from setuptools import Extension, setup

native = Path("src/allocmeter/_native")

compile_args = ["-std=c11", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra"]
# Two counters that stand side by side are increased by two instructions, not by five on vectors.
compile_args.append("-fno-tree-slp-vectorize")
if sys.platform == "linux":
    # One jump less on every call from a hook into the interpreter or the C library.
    compile_args.append("-fno-plt")
if os.environ.get("ALLOCMETER_WERROR") == "1":
    # Never by default: a new compiler's new warning must not break somebody's install.
    compile_args.append("-Werror")

# For sanitizers and experiments; last, so that they win.
more_compile_args = shlex.split(os.environ.get("ALLOCMETER_CFLAGS", ""))
more_link_args = shlex.split(os.environ.get("ALLOCMETER_LDFLAGS", ""))

# Not extension modules: there is no PyInit function; ctypes loads the one library, the dynamic
# linker the other. Building them as modules gives them the interpreter's own compiler and a file
# name for each version, so that virtual environments of different versions can share an editable
# source tree.
libraries = [
    Extension(
        "allocmeter._native.liballocmeter",
        sources=sorted(map(str, native.glob("*.c"))),
        depends=sorted(map(str, native.glob("**/*.h"))),
        libraries=["dl"] if sys.platform == "linux" else [],
        extra_compile_args=compile_args + more_compile_args,
        extra_link_args=more_link_args,
    )
]
if sys.platform == "linux":
    libraries.append(
        Extension(
            "allocmeter._native.liballocmeter_preload",
            sources=[str(native / "preload" / "preload.c")],
            depends=sorted(map(str, native.glob("**/*.h"))),
            libraries=["dl"],
            # The compiler must not turn what malloc and its family do into calls of the family.
            extra_compile_args=[*compile_args, "-fno-builtin", *more_compile_args],
            extra_link_args=more_link_args,
        )
    )

setup(
    ext_modules=libraries,
    # Time stamps cannot tell that the flags above have changed.
    options={"build_ext": {"force": True}},
)
