"""Blocks of known size, straight from the interpreter's allocators.

A line of Python allocates more than it says: tuples of arguments, bound methods, numbers. Where
every block must be known, the test itself runs outside every scope, and makes single calls inside
one: with arguments made beforehand, and with a single block around the block asked for, the object
that carries its address back, or says that there is none.
"""

from __future__ import annotations

import ctypes
from contextvars import Context
from typing import TYPE_CHECKING, Any

from allocmeter import AllocationStats, measure
from allocmeter.doctor.known_blocks import ADDRESS_BYTES, Address

if TYPE_CHECKING:
    from collections.abc import Callable

DOMAINS = ("PyMem_Raw", "PyMem_", "PyObject_")

ADDRESS = AllocationStats(1, 1, 0, ADDRESS_BYTES, ADDRESS_BYTES)

HUGE = 1 << 62  # more than there is address space, yet less than the interpreter refuses by itself


class Enclosure:
    """A scope that is current in the calls made through it, and nowhere else."""

    def __init__(self, around: Enclosure | None = None, scope: measure | None = None) -> None:
        self.context = Context() if around is None else around.context.copy()
        self.scope = measure() if scope is None else scope
        self.context.run(self.scope.__enter__)

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.context.run(_call, function, arguments)

    def leave(self) -> None:
        self.context.run(self.scope.__exit__, None, None, None)


def _call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return function(*arguments)  # a tuple that exists already is passed on as it is


class Allocator:
    """The four functions of one allocator domain, called inside an enclosure.

    Blocks are handed out as prepared arguments, `None` stands for NULL.
    """

    def __init__(self, domain: str, library: ctypes.CDLL | None = None) -> None:
        library = library or ctypes.PyDLL(None)
        self._malloc = library[f"{domain}Malloc"]
        self._calloc = library[f"{domain}Calloc"]
        self._realloc = library[f"{domain}Realloc"]
        self._free = library[f"{domain}Free"]
        self._free.restype = None
        for function in (self._malloc, self._calloc, self._realloc):
            function.restype = Address

    def malloc(self, inside: Enclosure, size: int) -> Any:
        return _pointer(inside(self._malloc, _size(size)))

    def calloc(self, inside: Enclosure, count: int, each: int) -> Any:
        return _pointer(inside(self._calloc, _size(count), _size(each)))

    def realloc(self, inside: Enclosure, block: Any, size: int) -> Any:
        return _pointer(inside(self._realloc, block, _size(size)))

    def free(self, inside: Enclosure, block: Any) -> None:
        inside(self._free, block)


_new_bytes = ctypes.PyDLL(None).PyBytes_FromStringAndSize
_new_bytes.restype = ctypes.py_object
_new_bytes.argtypes = (ctypes.c_void_p, ctypes.c_ssize_t)


def untouched(length: int) -> Any:
    """Return bytes with whatever content: megabytes of them cost no more than a few do."""
    return _new_bytes(None, length)


def _size(size: int) -> Any:
    return ctypes.c_size_t.from_param(size)


def _pointer(address: Address) -> Any:
    return None if address.value is None else ctypes.c_void_p.from_param(address.value)
