"""The self-test of concurrent tasks: each is charged with its own blocks, and only with those."""

from __future__ import annotations

import ctypes
from typing import Any

from allocmeter.doctor.checks import Check, SelfTestError
from allocmeter.doctor.explanation import explain
from allocmeter.doctor.known_blocks import ADDRESS_BYTES, function, size_argument
from allocmeter.errors import AllocmeterError
from allocmeter.scopes import measure
from allocmeter.stats import AllocationStats

TURNS = 20

_BACKENDS: dict[str, tuple[str, dict[str, Any]]] = {
    "tasks": ("asyncio", {"use_uvloop": False}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}


def check_tasks(name: str) -> Check:
    """Run two tasks side by side on an event loop, and say whether they are told apart.

    Args:
        name: `"tasks"` for asyncio, `"uvloop"` or `"trio"`.
    """
    import importlib.util

    if name != "tasks" and importlib.util.find_spec(name) is None:
        return Check(name, "missing", f"{name} is not installed", f"pip install {name}")
    try:
        _run_side_by_side(*_BACKENDS[name])
    except ImportError as error:
        return Check(name, "missing", f"cannot be imported: {error}")
    except SelfTestError as error:
        return Check(name, "failed", *explain(str(error)))
    except AllocmeterError as error:
        return Check(name, "missing", str(error))
    loop = "asyncio" if name == "tasks" else name
    return Check(
        name,
        "ok",
        f"two {loop} tasks in {TURNS} turns each: every block with its own task, exactly",
    )


def _run_side_by_side(backend: str, options: dict[str, Any]) -> None:
    import anyio

    async def main() -> list[_Task]:
        tasks = [_Task("first", 10_007), _Task("second", 1_000_003)]
        async with anyio.create_task_group() as group:
            for task, other in zip(tasks, reversed(tasks), strict=True):
                group.start_soon(task.run, other)
        return tasks

    try:
        tasks = anyio.run(main, backend=backend, backend_options=options)
    except* SelfTestError as failures:
        # The task group has put what a task raised into a group.
        error: BaseException = failures
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise SelfTestError(str(error)) from None
    for task in tasks:
        task.free_block()
    for task in tasks:
        if task.wrong:
            raise SelfTestError(task.wrong)


class _Task:
    """In each turn it frees the block that the other task has made and makes one of its own."""

    def __init__(self, name: str, size: int) -> None:
        from anyio import Event

        library = ctypes.PyDLL(None)
        self.wrong = ""
        self._name = name
        self._size = size
        self._scope = measure()
        self._entered, self._finished = Event(), Event()
        self._turns = 0
        self._block: Any = None  # as a prepared argument; None stands for NULL
        self._arguments = (size_argument(size),)
        self._malloc = function(library, "PyObject_Malloc")
        self._free = function(library, "PyObject_Free", None)

    async def run(self, other: _Task) -> None:
        from anyio.lowlevel import checkpoint

        async with self._scope:
            self._entered.set()
            await other._entered.wait()
            while self._turns < TURNS:
                self._take_turn(other)
                await checkpoint()
            self._finished.set()
            await other._finished.wait()  # it reads the figures of this scope too

    def free_block(self) -> None:
        """Free the block of the last turn, unless the other task has done so."""
        self._free(self._block)

    def _take_turn(self, other: _Task) -> None:
        freed = 0 if other._block is None else other._size
        expected_of_other = AllocationStats(0, int(freed > 0), 0, 0, freed)
        given = (other._block,)
        # From here to the last reading the only blocks are the ones asked for: what reading takes
        # is charged to the library.
        own, others = self._scope.stats, other._scope.stats
        self._free(*given)
        address = self._malloc(*self._arguments)
        own_after, others_after = self._scope.stats, other._scope.stats
        if address.value is None:
            raise SelfTestError("no memory")
        self._block, other._block = ctypes.c_void_p.from_param(address.value), None
        self._turns += 1
        self._compare(
            own_after - own, AllocationStats(2, 0, 0, self._size + ADDRESS_BYTES, 0), self
        )
        self._compare(others_after - others, expected_of_other, other)

    def _compare(self, found: AllocationStats, expected: AllocationStats, task: _Task) -> None:
        if found != expected:
            self.wrong = self.wrong or (
                f"in turn {self._turns} of the {self._name} of two tasks, the "
                f"{task._name} one was charged {found}, instead of {expected}"
            )
