"""Allocating blocks of known size in a scope, and comparing its figures with what is known.

Single calls are made inside the scope, with arguments prepared outside of it, so that nothing is
counted but the block asked for and the object that carries its address back.
"""

from __future__ import annotations

import ctypes
import sys
from contextvars import Context
from typing import TYPE_CHECKING, Any

from allocmeter.doctor.checks import SelfTestError
from allocmeter.scopes import measure
from allocmeter.stats import AllocationStats

if TYPE_CHECKING:
    from collections.abc import Callable

    _Simple = ctypes._SimpleCData[int | None]  # noqa: SLF001 - public, for all its name
else:
    _Simple = ctypes._SimpleCData  # noqa: SLF001

OBJECT_BYTES = sys.getsizeof(object())


class _Pointer(_Simple):
    __slots__ = ()  # c_void_p has none: the room for attributes changes from object to object
    _type_ = "P"


class Address(_Pointer):
    """What a C function returns, as one block of known size; `value` is an int, or `None` for NULL.

    Of a plain c_void_p ctypes makes an int, which from 3.14 on may cost nothing: the interpreter
    keeps the memory of some for the next ones. Of a class derived from such a type it does not.
    """

    __slots__ = ()


ADDRESS_BYTES = sys.getsizeof(Address())


class Expected:
    """What a scope's figures have to be, kept up to date block by block."""

    def __init__(self) -> None:
        self.stats: AllocationStats = AllocationStats()
        self.peak_bytes: int = 0
        self.peak_allocations: int = 0

    def allocate(self, size: int) -> None:
        """Note a new block of so many bytes."""
        self.stats += AllocationStats(allocations=1, bytes_allocated=size)
        self.peak_bytes = max(self.peak_bytes, self.stats.net_bytes)
        self.peak_allocations = max(self.peak_allocations, self.stats.net_allocations)

    def free(self, size: int) -> None:
        """Note that a block of so many bytes is gone."""
        self.stats += AllocationStats(deallocations=1, bytes_deallocated=size)

    def reallocate(self, old: int, new: int) -> None:
        """Note that a block was given another size, in bytes."""
        self.free(old)
        self.allocate(new)
        self.stats += AllocationStats(reallocations=1)


class Block:
    """A block that an experiment has allocated."""

    def __init__(self, argument: Any, size: int) -> None:
        self.argument = argument
        self.size = size


class Experiment:
    """A scope that calls of known effect are made in.

    Args:
        with_lock: whether the functions called keep the interpreter lock. Without it a thread is
            charged to the scope of its last allocation with it, so one is made before each call.

    Raises:
        BackendUnavailableError: there can be no scope.
    """

    def __init__(self, *, with_lock: bool = True) -> None:
        self.expected: Expected = Expected()
        self.blocks: Expected = Expected()  # without the objects of the calls themselves
        self._with_lock = with_lock
        self._context = Context()
        self._scope = measure()
        self._context.run(self._scope.__enter__)

    def allocate(self, function: Any, arguments: tuple[Any, ...], size: int) -> Block:
        """Call a function that returns the address of a new block of `size` bytes."""
        address = self._call(function, arguments)
        self._note(size)
        return Block(self._returned(function, address), size)

    def allocate_into(self, function: Any, arguments: tuple[Any, ...], size: int) -> Block:
        """Call a function that stores that address where its first argument points."""
        place = ctypes.c_void_p()
        status = self._call(function, (ctypes.byref(place), *arguments))
        if status != 0 or place.value is None:
            raise SelfTestError(f"{function.__name__}: no memory")
        self._note(size)
        return Block(ctypes.c_void_p.from_param(place.value), size)

    def reallocate(
        self, function: Any, block: Block, arguments: tuple[Any, ...], size: int
    ) -> Block:
        """Call a function that gives a block another size; its address is the first argument."""
        address = self._call(function, (block.argument, *arguments))
        for expected in (self.expected, self.blocks):
            expected.reallocate(block.size, size)
        return Block(self._returned(function, address), size)

    def free(self, function: Any, block: Block) -> None:
        """Call a function that frees a block."""
        self._call(function, (block.argument,))
        for expected in (self.expected, self.blocks):
            expected.free(block.size)

    def finish(self) -> None:
        """Close the scope and compare its figures.

        Raises:
            SelfTestError: they are not what they have to be; the text says which.
        """
        self._context.run(self._scope.__exit__, None, None, None)
        differences = _differences(figures_of(self._scope), _figures(self.expected))
        if not self._with_lock:  # these blocks are native, and the calls' own objects are not
            native = self._scope.by_domain()["native"]
            if native is None:
                raise SelfTestError("the native domain is not seen in this process")
            differences += [
                f"native {text}"
                for text in _differences(native.to_dict(), self.blocks.stats.to_dict())
            ]
        if differences:
            raise SelfTestError(", ".join(differences))

    def _call(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        if self._with_lock:
            return self._context.run(_call, function, arguments)
        self.expected.allocate(OBJECT_BYTES)
        self.expected.free(OBJECT_BYTES)
        return self._context.run(_call_without_lock, function, arguments)

    def _note(self, size: int) -> None:
        for expected in (self.expected, self.blocks):
            expected.allocate(size)

    def _returned(self, function: Any, address: Address) -> Any:
        if address.value is None:
            raise SelfTestError(f"{function.__name__}: no memory")
        self.expected.allocate(ADDRESS_BYTES)
        self.expected.free(ADDRESS_BYTES)
        return ctypes.c_void_p.from_param(address.value)


def figures_of(scope: measure) -> dict[str, int]:
    """Return the figures of a scope by name."""
    return {
        **scope.stats.to_dict(),
        "peak_bytes": scope.peak_bytes,
        "peak_allocations": scope.peak_allocations,
    }


def function(library: ctypes.CDLL, name: str, result: Any = Address) -> Any:
    """Return a C function that returns a `result`, by default an address.

    Raises:
        AttributeError: there is none of that name in the process.
    """
    found = library[name]  # by index it is a new object, whose types are nobody else's
    found.restype = result
    return found


def size_argument(size: int) -> Any:
    """Return a size in bytes in the form in which passing it allocates nothing."""
    return ctypes.c_size_t.from_param(size)


def _call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return function(*arguments)  # a tuple that exists already is passed on as it is


def _call_without_lock(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    object()
    return function(*arguments)


def _figures(expected: Expected) -> dict[str, int]:
    return {
        **expected.stats.to_dict(),
        "peak_bytes": expected.peak_bytes,
        "peak_allocations": expected.peak_allocations,
    }


def _differences(found: dict[str, int], expected: dict[str, int]) -> list[str]:
    return [
        f"{name.replace('_', ' ')}: {found[name]:,} instead of {expected[name]:,}"
        for name in expected
        if found[name] != expected[name]
    ]
