"""Making the report of a process once, however it ends."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from allocmeter.launcher.termination import before_termination

if TYPE_CHECKING:
    from collections.abc import Callable

# Below whatever the program registers; they are called from the highest on.
_LAST = -sys.maxsize


class Ending:
    """Calls `deliver` when this process ends by Python's ways or by SIGTERM, in children too.

    A forked child begins anew: what its parent delivers is not its own. Whoever replaces the
    process (`os.exec*`) or leaves without goodbye (`os._exit`) delivers nothing.

    Args:
        deliver: makes the report; it is told whether this is a forked child, and must not raise.
        begin_anew: called in every forked child, before the program goes on in it.
    """

    def __init__(self, deliver: Callable[[bool], None], begin_anew: Callable[[], None]) -> None:
        self._deliver = deliver
        self._begin_anew = begin_anew
        self._is_armed = self._is_forked = self._is_known_to_multiprocessing = False
        self._is_delivering = self._is_terminated = False

    def arm(self) -> None:
        """Begin to wait. What the program registers with `atexit` later will run earlier."""
        self._is_armed = True
        atexit.register(self._at_exit)
        self._stand_down = before_termination(self.finish)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)

    def disarm(self) -> None:
        """Deliver nothing: there was no program."""
        self._is_armed = False

    def finish(self) -> bool:
        """Deliver, unless this process has done so; return whether it may end now.

        While it is delivering already it may not: SIGTERM has come once more, or to a worker that
        was about to end anyway. The signal is repeated afterwards.
        """
        if self._is_delivering:
            self._is_terminated = True
            return False
        if self._is_armed:
            self._is_armed = False
            self._is_delivering = True
            try:
                self._deliver(self._is_forked)
            finally:
                self._is_delivering = False
                self._stand_down()
            if self._is_terminated:
                os.kill(os.getpid(), signal.SIGTERM)
        return True

    def _at_exit(self) -> None:
        # A signal may come at any time, and the program's handler for it raise SystemExit. That
        # changes nothing any more, with us or without; only our frames must not be shown.
        with suppress(BaseException):
            # Garbage in cycles is no leak. The interpreter collects it next anyway, and not if the
            # program has turned that off.
            if self._is_armed and gc.isenabled():
                gc.collect()
        with suppress(BaseException):
            self.finish()

    def _in_child(self) -> None:
        self._is_armed = self._is_forked = True
        self._begin_anew()
        # Children of multiprocessing do not end as other processes do: before Python 3.13 they
        # call no `atexit` handlers, and from then on only those registered in the child.
        util = sys.modules.get("multiprocessing.util")
        if util is not None and not self._is_known_to_multiprocessing:
            self._is_known_to_multiprocessing = True
            util.register_after_fork(self, Ending._in_worker)

    def _in_worker(self) -> None:
        sys.modules["multiprocessing.util"].Finalize(None, self.finish, exitpriority=_LAST)
