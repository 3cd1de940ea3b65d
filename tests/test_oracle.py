"""Live bytes and peak against an oracle nobody here wrote: `tracemalloc`.

Each instrument measures the same work in a process of its own, after the same imports, two warm-up
runs, a collection (which empties the free lists) and with the collector off, and the result of the
work is alive when live bytes are read. The residue is printed (`pytest -rP`): it is 0 bytes, live
and peak, for every workload on 3.11, 3.12 and 3.13. The tolerance of 0.05 % is there for versions
that nobody has looked at yet. Two things had to be made equal, and would show as residues:

- The hooks come with a callback in `gc.callbacks`. With one there, the interpreter makes a dict to
  pass to it after the collection, and the dict (64 bytes) and its keys (120) wait in the free
  lists for the work to use: up to 184 bytes that it need not allocate. So the process under
  tracemalloc has a callback too, which does nothing.
- `re.finditer` looks its scanner's method up by a C string, every time a new `"search"` of 47 or
  55 bytes. The interpreter's method cache keeps some of them, as many as their addresses happen to
  fall into different slots: up to 800 bytes between two runs of either instrument. So the workload
  `re` does not use it. (Work on many asyncio tasks before 3.12 is unfit for a like reason: the
  global set of tasks resizes by addresses.)
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from children import HERE, run_child
from oracle_workloads import INSTRUMENTS, WORKLOADS

TOLERANCE = 0.0005
MEANINGFUL = 4_000_000  # bytes of which the tolerance is 2 kB

SCRIPT = """
import runpy, sys
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def measure_with(instrument, workload):
    child = subprocess.run(
        [sys.executable, HERE / "oracle_workloads.py", workload, instrument],
        env={"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout)
