"""A scope for every task of the program, without a change to the program."""

from __future__ import annotations

from threading import Lock

from allocmeter import backend
from allocmeter._core.own import OWN
from allocmeter.integrations import _asyncio_tasks, _task_scopes, _trio_tasks
from allocmeter.integrations._import_hooks import ImportWatch

_lock = Lock()
_watch = ImportWatch(
    {
        "asyncio": _asyncio_tasks.instrument_asyncio,
        "trio": _trio_tasks.instrument_trio,
    }
)


def instrument_tasks() -> None:
    """Give every asyncio and trio task that is created from now on a scope of its own.

    The scope is named after the coroutine's `__qualname__` (of the coroutine inside, where a
    library has put one of its own around it) and aggregated in `report()`. It lies within the
    scope that the task was started in. What the steps of the task allocate is charged to it, and
    what the tasks and `to_thread` workers do that it starts; making the task object is still its
    creator's work. The scope ends when the task does, and counts as an error if the task raised,
    as cancelled if it was cancelled.

    It makes no difference which event loop is used, how the task is started (`create_task`, a
    task group, `gather`, `run`, by calling `asyncio.Task`), whether it is an eager one, or what
    task factory the program sets, now or later. asyncio and trio may be imported afterwards; none
    is imported here.

    A task shares the scope of the code that creates it if it is started with a `context` that is
    the running one, or the one of a task that has not ended. Work in `loop.run_in_executor` runs
    without the context of the task that asked for it, and so outside its scope;
    `asyncio.to_thread` passes it on.

    Installs the allocator hooks as `install()` does. Calling it again changes nothing. Safe from
    any thread and task. Should it fail on a task, it says so once in the log `allocmeter` and
    leaves all further tasks alone; the program goes on.

    Raises:
        BackendUnavailableError: the native library cannot be used. Nothing is changed then.
        HookError: the hooks were installed over too many different allocators; likewise.
    """
    with OWN, _lock:
        backend.install()
        _task_scopes.switch.turn_on()
        _watch.begin()


def uninstrument_tasks() -> None:
    """Give tasks no scopes from now on. Those that have one keep it until they end.

    Whatever the program or another tool has put on top of our part stays in place. Calling it
    again changes nothing. Safe from any thread and task.
    """
    with OWN, _lock:
        _task_scopes.switch.turn_off()
        _watch.end()
        _asyncio_tasks.restore()
        _trio_tasks.restore()
