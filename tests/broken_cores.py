"""Damaging the core of a child on purpose, from outside: the core itself has nothing for that."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from textwrap import dedent

import pytest

from allocmeter import backend_info
from children import MEASURING, run_child

# Where things stand in the structures of node.h and context.h.
TOOLS = """
import asyncio, io, os
from allocmeter import Registry, is_installed
from allocmeter._core.figures import read_core
from allocmeter._core.own import OWN
from allocmeter.reports import Report

SYMBOLS = json.loads(sys.argv[1])
LIVE_BLOCKS, NODE_OF_MARK, HANDLES, CHILDREN = 8, 104, 124, 176
said = []

class Listener(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())

logging.getLogger("allocmeter").handlers[:] = [Listener()]

def base():
    with open("/proc/self/maps") as maps:
        return int(next(line for line in maps if SYMBOLS["library"] in line).partition("-")[0], 16)

def node_of(scope):
    return ctypes.c_uint32.from_address(id(scope) + 32)

def field(index, offset, kind=ctypes.c_uint32):
    core = read_core()
    size = core.node_table_bytes // (core.nodes_made + 4)
    table = ctypes.c_void_p.from_address(base() + SYMBOLS["am_nodes"]).value
    return kind.from_address(table + index * size + offset)

def a_scope(name):
    with measure(name) as scope:
        scope_blocks = bytes(1000)
    return scope, scope_blocks
"""

# Each is something that must never be, and is found out by the step at its end.
DAMAGES = {
    "a node that is not in use": """
        scope = measure("damaged")
        with scope:
            node_of(scope).value = 1 << 20
    """,
    "released more often": """
        scope, block = a_scope("damaged")
        field(node_of(scope).value, HANDLES).value = 0
        del scope
    """,
    "freed more blocks": """
        scope, block = a_scope("damaged")
        with measure("other") as other:
            kept = bytes(1000)
            field(node_of(scope).value, LIVE_BLOCKS, ctypes.c_int64).value = 0
            del block  # inside the allocator
    """,
    "lost more children": """
        outer = measure("outer")
        with outer:
            inner = measure("inner")
            with inner:
                pass
            field(node_of(outer).value, CHILDREN).value = 0
            del inner
    """,
    "should be free": """
        scope, block = a_scope("damaged")
        index = node_of(scope).value
        del scope, block
        assert field(index, NODE_OF_MARK).value == 0
        field(index, NODE_OF_MARK).value = index
        a_scope("next")
    """,
    "without a beginning": "OWN.__exit__(None, None, None)",
}


def symbols():
    """Return where the core has its table, as the toolchain tells."""
    library = backend_info().library
    if shutil.which("nm") is None:
        pytest.skip("needs nm, which tells where variables of the core stand")
    listing = subprocess.run(["nm", library], capture_output=True, text=True, check=True).stdout
    found = re.search(r"^([0-9a-f]+) \w am_nodes$", listing, re.MULTILINE)
    if found is None:
        pytest.skip("the library carries no symbols")
    return {"library": library, "am_nodes": int(found[1], 16)}


def damaged(damage, code):
    """Return the source of a program with the core of which something is wrong before `code`."""
    return "\n".join(
        [
            MEASURING,
            TOOLS,
            "before, kept_of_before = a_scope('before')",
            "stats_before = before.stats",
            dedent(DAMAGES[damage]),
            dedent(code),
        ]
    )


def with_damage(damage, code, **options):
    """Run such a program and return the `CompletedProcess`."""
    return run_child(damaged(damage, code), json.dumps(symbols()), **options)
