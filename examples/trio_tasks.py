"""What does each task of a trio nursery need, and what do they need together?

    $ python examples/trio_tasks.py
                  allocated         peak         kept
    csv           3,454,231    1,300,881       46,100
    json          1,227,797      493,330       31,684
    argparse     19,227,147    7,450,009      217,382
    inspect      24,468,563    9,263,586      275,396
    together     48,393,093   13,590,038      573,010

Scopes follow the context of a task and know no event loop. The one around a nursery contains what
all of its tasks do; its peak is what was alive at one moment, and not the sum of their peaks. What
they keep is the cache of source lines that `inspect.getsource` fills.
"""

from __future__ import annotations

import argparse
import ast
import csv
import inspect
import json
from typing import TYPE_CHECKING

import trio

from allocmeter import measure

if TYPE_CHECKING:
    from types import ModuleType

MODULES = csv, json, argparse, inspect


async def parse(module: ModuleType, scope: measure) -> None:
    """Parse the source of a module, and walk its syntax tree in steps."""
    async with scope:
        for number, _ in enumerate(ast.walk(ast.parse(inspect.getsource(module)))):
            if number % 1_000 == 0:
                await trio.lowlevel.checkpoint()


def show(scope: measure) -> None:
    """Print what was measured as a row of a table."""
    figures = scope.stats.bytes_allocated, scope.peak_bytes, scope.retained_bytes
    print(f"{scope.name:<10}", *(f"{figure:>12,}" for figure in figures))


async def main() -> None:
    """Parse all modules at once."""
    scopes = [measure(module.__name__) for module in MODULES]
    async with measure("together") as together, trio.open_nursery() as nursery:
        for module, scope in zip(MODULES, scopes, strict=True):
            nursery.start_soon(parse, module, scope)

    print(f"{'':<10}", *(f"{column:>12}" for column in ("allocated", "peak", "kept")))
    for scope in (*scopes, together):
        show(scope)


if __name__ == "__main__":
    trio.run(main)
