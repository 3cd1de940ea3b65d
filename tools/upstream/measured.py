"""Put into an environment under test, where a `.pth` file imports it: measures every process there.

Every interpreter of that environment starts like this, children and isolated ones included: hooks
installed, the whole process recorded, a scope open and every task in a scope of its own. What the
process was seen to allocate is noted at its end, as evidence that it was measured.
"""

import os
import sys

LOG_VARIABLE = "ALLOCMETER_UPSTREAM_LOG"


def _is_main_interpreter() -> bool:
    """Tell whether this is the interpreter that hooks belong to; `.pth` files are read in all."""
    try:
        if sys.version_info >= (3, 13):
            import _interpreters

            return bool(_interpreters.get_current()[0] == _interpreters.get_main()[0])
        import _xxsubinterpreters  # type: ignore[import-not-found]

        return bool(_xxsubinterpreters.get_current() == _xxsubinterpreters.get_main())
    except ImportError:
        return True


def _begin() -> None:
    import allocmeter
    from allocmeter.integrations.tasks import instrument_tasks

    allocmeter.start_tracking()
    instrument_tasks()
    scope = allocmeter.measure("process")
    scope.__enter__()
    if log := os.environ.get(LOG_VARIABLE):
        _note_at_exit(log, scope)


def _note_at_exit(log: str, scope: object) -> None:
    import atexit

    pid = os.getpid()

    def note() -> None:
        import allocmeter

        if os.getpid() != pid:
            return
        with open(log, "a", encoding="utf-8") as file:  # noqa: PTH123 - as little as can be imported
            stats = scope.stats  # type: ignore[attr-defined]
            file.write(f"{pid} {allocmeter.backend_info().hook_position} {stats.allocations}\n")

    atexit.register(note)


if _is_main_interpreter():
    _begin()
