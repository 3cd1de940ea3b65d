"""The conditions that the same work runs under, beside each other."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks import null_hook, starting
from benchmarks.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.workloads import Scope

SCRATCH: Final = "ALLOCMETER_BENCHMARK_SCRATCH"


class Condition(NamedTuple):
    """How a process is measured, or not.

    Attributes:
        key: what results are stored under.
        label: in tables.
        start: called in the process, before the work is prepared.
        needs: a module that has to be installed.
        measures: whether it opens scopes.
        preloads: whether the preload library is in the process.
        launcher: the arguments for the interpreter that start a script under the tool.
        slow: whether the work takes several times as long, and is done fewer times in a process.
    """

    key: str
    label: str
    start: Callable[[], Scope | None]
    needs: str = "allocmeter"
    measures: bool = False
    preloads: bool = False
    launcher: tuple[str, ...] = ("{script}",)
    slow: bool = False

    def environment(self, scratch: Path) -> dict[str, str]:
        """Return the environment of a process, which may write files to the directory."""
        from allocmeter._core import preload

        environment = dict(os.environ)
        environment.pop(preload.VARIABLE, None)
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        # The order of sets and the layout of dicts are to be the same in every process.
        environment |= {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONHASHSEED": "0",
            SCRATCH: str(scratch),
        }
        if self is NULL_HOOK:
            environment[null_hook.VARIABLE] = str(null_hook.build())
        if self.preloads:
            environment[preload.VARIABLE] = preload.find()
        return environment

    def command(self, script: Path, scratch: Path) -> list[str]:
        """Return the command that runs a script; the script's arguments are to follow."""
        filled = (part.format(script=script, scratch=scratch) for part in self.launcher)
        return [sys.executable, *filled]

    def why_not(self) -> str:
        """Return why processes cannot be started so here, or an empty text."""
        if importlib.util.find_spec(self.needs) is None:
            return f"{self.needs} is not installed"
        if self.preloads and sys.platform != "linux":
            return "native memory is seen on Linux only"
        return ""


NOTHING: Final = Condition("nothing", "nothing", starting.nothing)
NULL_HOOK: Final = Condition("null_hook", "null hook", starting.null_hook)
IDLE: Final = Condition("idle", "installed, idle", starting.idle)
SCOPE: Final = Condition("scope", "a scope per unit", starting.one_scope, measures=True)
TRACKING: Final = Condition("tracking", "and process tracking", starting.tracking, measures=True)
PRELOADED: Final = Condition(
    "preloaded", "and both domains", starting.both_domains, measures=True, preloads=True
)
UNMEASURED: Final = Condition("unmeasured", "preloaded only", starting.nothing, preloads=True)
TRACEMALLOC: Final = Condition(
    "tracemalloc", "tracemalloc, 1 frame", starting.tracemalloc, slow=True
)
MEMRAY: Final = Condition("memray", "memray", starting.memray, needs="memray", slow=True)
MEMRAY_PYTHON: Final = Condition(
    "memray_python",
    "memray, Python allocators",
    starting.memray_python,
    needs="memray",
    slow=True,
)
DDTRACE: Final = Condition(
    "ddtrace", "ddtrace's memory profiler", starting.ddtrace, needs="ddtrace", slow=True
)
# Without its attribution to asyncio's tasks, which asks for all tasks at every sample: with it, the
# programs with many of them took more than a hundred times as long.
SCALENE: Final = Condition(
    "scalene",
    "scalene",
    starting.nothing,
    needs="scalene",
    launcher=(
        "-m",
        "scalene",
        "run",
        "--no-async",
        "-o",
        "{scratch}/scalene.json",
        "{script}",
        "---",
    ),
    slow=True,
)

OURS: Final = (NOTHING, NULL_HOOK, IDLE, SCOPE, TRACKING, PRELOADED)
OTHERS: Final = (TRACEMALLOC, MEMRAY, MEMRAY_PYTHON, DDTRACE, SCALENE)
CONDITIONS: Final = {condition.key: condition for condition in (*OURS, UNMEASURED, *OTHERS)}
