"""Building the hooks that only forward; see `native/null_hook.c`."""

from __future__ import annotations

import shlex
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING, Final

from benchmarks.paths import BUILT, HERE

if TYPE_CHECKING:
    from pathlib import Path

SOURCE: Final = HERE / "native" / "null_hook.c"
FLAGS: Final = ("-std=c11", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra", "-shared", "-fPIC")
VARIABLE: Final = "ALLOCMETER_BENCHMARK_NULL_HOOK"


def build() -> Path:
    """Build the library for this interpreter, unless it is there, and return its path."""
    path = BUILT / f"null_hook{sysconfig.get_config_var('EXT_SUFFIX')}"
    if path.exists() and path.stat().st_mtime >= SOURCE.stat().st_mtime:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    more = ["-fno-plt"] if sys.platform == "linux" else ["-undefined", "dynamic_lookup"]
    include = f"-I{sysconfig.get_path('include')}"
    subprocess.run([*compiler, *FLAGS, *more, include, "-o", path, SOURCE], check=True)
    return path
