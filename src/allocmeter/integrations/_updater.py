"""A thread that brings exported figures up to date from time to time."""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING

from allocmeter._core.own import OWN, own_context
from allocmeter.integrations._forks import no_fork, restart_in_children

if TYPE_CHECKING:
    from collections.abc import Callable


class Updater:
    """Calls a function every `interval` seconds, whatever the event loop is doing.

    The first call that fails is logged and was the last. A forked child has an updater of its own.
    """

    def __init__(self, update: Callable[[], None], interval: float) -> None:
        self._update = update
        self._interval = interval
        self._thread: Thread | None = None
        self._failed = False
        restart_in_children(self._restart)

    def start(self) -> None:
        """Begin; the first call comes after `interval` seconds."""
        self._stopping = Event()
        self._thread = Thread(
            target=self._run, args=(self._stopping,), name="allocmeter-metrics", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End, after a call that is under way."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping.set()
            thread.join()

    def update(self) -> None:
        """Call the function now, unless it has failed before."""
        with OWN, no_fork:
            if self._failed:
                return
            try:
                self._update()
            except Exception:
                from logging import getLogger

                self._failed = True
                getLogger("allocmeter").exception(
                    "the exported metrics cannot be brought up to date and stay as they are from "
                    "here on; scopes are measured as before and report() has their figures"
                )

    def _run(self, stopping: Event) -> None:
        with own_context():
            while not stopping.wait(self._interval):
                self.update()

    def _restart(self) -> None:
        if self._thread is not None:
            self.start()
