"""What is measured, and under which conditions."""

from __future__ import annotations

import importlib.util
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.conditions import (
    IDLE,
    NOTHING,
    NULL_HOOK,
    OTHERS,
    OURS,
    PRELOADED,
    SCOPE,
    TRACEMALLOC,
    TRACKING,
    UNMEASURED,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.conditions import Condition

ALL: Final = (*OURS, *OTHERS)


class Subject(NamedTuple):
    """Something that is measured, always in a fresh process.

    Attributes:
        name: in tables.
        group: which table it is in, and how it is measured: see `measuring.py` and `child.py`.
        where: module and function, below `benchmarks`.
        arguments: further ones of the function.
        options: further ones by name.
        conditions: that it is measured under; the first is what the others are compared with.
        needs: modules that have to be installed.
        rounds: at most.
        slow_rounds: at most under conditions that are slow.
    """

    name: str
    group: str
    where: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = {}  # never written to
    conditions: tuple[Condition, ...] = ALL
    needs: tuple[str, ...] = ()
    rounds: int = 1_000
    slow_rounds: int = 1_000

    def function(self) -> Callable[..., Any]:
        module, _, name = self.where.partition(":")
        found: Callable[..., Any] = getattr(import_module(f"benchmarks.{module}"), name)
        return found

    def why_not(self) -> str:
        """Return why it cannot be measured here, or an empty text."""
        missing = [name for name in self.needs if importlib.util.find_spec(name) is None]
        return f"{', '.join(missing)} not installed" if missing else ""


def _pyperformance(title: str, name: str, loops: int, *more: str, **constants: int) -> Subject:
    return Subject(
        title,
        "pyperformance",
        "workloads.pyperformance:program",
        (name, loops, *more),
        constants,
        needs=("pyperformance", "pyperf"),
        slow_rounds=3,
    )


def _tree(variant: str) -> Subject:
    name = f"async_tree_{variant}"
    return _pyperformance(name, "async_tree", 2, variant, NUM_RECURSE_LEVELS=4)


_CURVES: Final = (NOTHING, NULL_HOOK, SCOPE)

SUBJECTS: Final = (
    Subject("slotted objects", "allocation", "workloads.allocation:slotted_objects"),
    Subject("json round trip", "allocation", "workloads.allocation:json_round_trip"),
    Subject("strings", "allocation", "workloads.allocation:strings"),
    Subject("int arithmetic", "allocation", "workloads.allocation:integers"),
    Subject("dict and list growth", "allocation", "workloads.allocation:dicts_and_lists"),
    Subject("task trees", "tasks", "workloads.tasks:task_trees", slow_rounds=3),
    Subject("20,000 tasks, a scope each", "tasks", "workloads.tasks:many_tasks", slow_rounds=3),
    Subject("echo server, a scope a line", "tasks", "workloads.echo:echo", slow_rounds=3),
    Subject(
        "numpy loop",
        "native",
        "workloads.arrays:small_arrays",
        needs=("numpy",),
        slow_rounds=3,
    ),
    *(
        Subject(
            f"strings, {depth} deep",
            "nesting",
            "workloads.nesting:nested",
            (depth,),
            conditions=(NOTHING, NULL_HOOK, SCOPE, TRACKING, PRELOADED),
        )
        for depth in (1, 4, 16)
    ),
    *map(_tree, ("none", "io", "memoization", "cpu_io_mixed")),
    _pyperformance("json_loads", "json_loads", 100),
    _pyperformance("json_dumps", "json_dumps", 3),
    _pyperformance("regex_compile", "regex_compile", 1),
    _pyperformance("sqlite_synth", "sqlite_synth", 20_000),
    Subject(
        "python_startup",
        "start",
        "",
        conditions=(NOTHING, UNMEASURED, IDLE, SCOPE, TRACKING, PRELOADED, TRACEMALLOC),
    ),
    Subject(
        "computes only",
        "preload",
        "workloads.malloc:computing",
        conditions=(NOTHING, UNMEASURED),
    ),
    Subject(
        "a malloc a turn",
        "preload",
        "workloads.malloc:mallocs",
        conditions=(NOTHING, UNMEASURED, SCOPE, PRELOADED),
    ),
    *(
        Subject(
            f"Starlette in uvicorn, /{route}",
            "server",
            "",
            (route,),
            conditions=(NOTHING, IDLE, SCOPE, TRACEMALLOC),
            needs=("starlette", "uvicorn", "uvloop", "httptools"),
            rounds=rounds,
        )
        for route, rounds in (("small", 9), ("objects", 3))
    ),
    Subject("enter and leave", "entering", "entering:costs", conditions=(SCOPE,)),
    Subject("live blocks", "scaling", "scaling.blocks:live_blocks", conditions=_CURVES),
    Subject("open scopes", "scaling", "scaling.scopes:open_scopes", conditions=_CURVES),
    Subject("nesting depth", "scaling", "scaling.depth:nesting_depth", conditions=_CURVES),
    Subject("threads", "scaling", "scaling.threads:threads", conditions=_CURVES),
    *(
        Subject(
            f"heap of {what}",
            "memory",
            f"scaling.heap:{function}",
            conditions=(NOTHING, SCOPE, TRACEMALLOC),
            rounds=3,
        )
        for what, function in (
            ("object()", "objects"),
            ("slotted points", "points"),
            ("short strings", "short_strings"),
        )
    ),
)
