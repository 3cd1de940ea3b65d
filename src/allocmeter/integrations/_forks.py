"""Beginning anew in forked children."""

from __future__ import annotations

import os
from threading import RLock
from typing import TYPE_CHECKING, Final
from weakref import WeakMethod

if TYPE_CHECKING:
    from collections.abc import Callable

# Held while other people's locks may be: a process is not forked meanwhile, as they would stay held
# in the child for ever.
no_fork: Final = RLock()

_restarts: list[WeakMethod[Callable[[], None]]] = []
_is_registered = False


def restart_in_children(restart: Callable[[], None]) -> None:
    """Have a bound method called first of all in every forked child, while its object lives.

    What other threads held at the moment of the fork stays held in the child for ever, so the
    method makes its locks anew. An exception of it is logged and does not reach the child.
    """
    global _is_registered  # noqa: PLW0603 - a handler of the process, which cannot be taken back
    # Those of objects that are gone are looked for here, not by a callback of the reference: one
    # that runs while the interpreter is torn down fails.
    _restarts[:] = [reference for reference in _restarts if reference() is not None]
    _restarts.append(WeakMethod(restart))
    if not _is_registered and hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=no_fork.acquire, after_in_parent=no_fork.release, after_in_child=_restart_all
        )
        _is_registered = True


def _restart_all() -> None:
    from allocmeter._core.own import OWN

    no_fork.release()
    with OWN:
        for reference in tuple(_restarts):
            restart = reference()
            if restart is None:
                continue
            try:
                restart()
            except Exception:
                from logging import getLogger

                getLogger("allocmeter").exception(
                    "the metrics of this forked process could not begin anew and may contain those "
                    "of its parent; the program is not affected"
                )
