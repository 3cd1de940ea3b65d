"""Steps of random programs: calls that allocate exactly what is known.

A step is made ready outside of every scope, and performed by a loop that allocates nothing.
"""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from allocmeter._core.own import own_context
from allocmeter.doctor.known_blocks import Address
from blocks import DOMAINS

BYTES_HEADER = bytes.__basicsize__  # of an object with no content, its final NUL included

_new_bytes = ctypes.PyDLL(None).PyBytes_FromStringAndSize  # converts nothing: so it makes no block
_new_bytes.restype = ctypes.py_object


class Step:
    """One call, and what came of it."""

    __slots__ = ("after", "arguments", "following", "function", "result")

    def __init__(self, function, arguments=(), after=None):
        self.function, self.arguments, self.after = function, arguments, after
        self.result = self.following = None


def perform(step):
    while step is not None:
        step.result = step.function(*step.arguments)
        step = step.following


class Kept(Step):
    """A call whose result, an object of `size` bytes, lives until it is dropped."""

    __slots__ = ("owner", "size")

    def __init__(self, length, owner):
        super().__init__(_new_bytes, (None, length))
        self.size, self.owner = length + BYTES_HEADER, owner


def chained(steps):
    for step, following in pairwise(steps):
        step.following = following
    return steps[0] if steps else None


def allocators(library):
    found = []
    for domain in DOMAINS:
        functions = [library[domain + name] for name in ("Malloc", "Calloc", "Realloc", "Free")]
        functions[3].restype = None
        for function in functions[:3]:
            function.restype = Address
        found.append(functions)
    return found


LOCKED, RELEASED = allocators(ctypes.PyDLL(None)), allocators(ctypes.CDLL(None))


def is_null(address):
    assert address.value is None


def count(number):
    return ctypes.c_size_t.from_param(number)


def pointer(address):
    return ctypes.c_void_p.from_param(address.value)


def own_threads(count):
    """Return threads whose own work is charged to the library."""
    threads = []
    for _ in range(count):
        threads.append(ThreadPoolExecutor(1, initializer=own_context().__enter__))
        threads[-1].submit(int).result()
    return threads
