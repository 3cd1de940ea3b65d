"""Children with the C code of the hazards, and an allocator below the hooks that it can stop."""

from __future__ import annotations

from textwrap import dedent

from children import measuring
from preloading import library

# CDLL releases the interpreter lock around a call, PyDLL keeps it.
PLACED = """
from blocks import Enclosure
released, held = ctypes.CDLL(sys.argv[1]), ctypes.PyDLL(sys.argv[1])
for each in (released, held):
    each.hand_over.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    each.hand_over_here.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    each.passes_through.argtypes = [ctypes.c_int, ctypes.c_size_t]
    each.stop_inside.argtypes = [ctypes.c_size_t]
    each.exception_survives.argtypes = [ctypes.py_object]
raw = ctypes.CDLL(None)
raw.PyMem_RawMalloc.restype = raw.PyMem_RawRealloc.restype = ctypes.c_void_p
raw.PyMem_RawMalloc.argtypes = [ctypes.c_size_t]
raw.PyMem_RawFree.argtypes = [ctypes.c_void_p]
held.put_below()
install()
"""


def placed(code, **options):
    """Run `code` with the allocator below the hooks, return the JSON value it prints last."""
    return measuring(PLACED + dedent(code), library("hazards"), **options)
