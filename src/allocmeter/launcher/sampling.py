"""Sampling live memory and resident size while a program runs."""

from __future__ import annotations

import os
import time
from _thread import allocate_lock, get_native_id, start_new_thread
from typing import Final

from allocmeter._core.figures import read_process
from allocmeter._core.own import OWN, own_context
from allocmeter.process import rss_bytes
from allocmeter.timeline import MemorySample, Timeline

INTERVAL: Final = 0.05  # seconds
MAX_SAMPLES: Final = 1_000
_LONGEST_WAIT: Final = 2.0  # seconds, for a thread that is about to end


class Sampling:
    """A thread that takes samples of this process until it is stopped.

    It is started below `threading`, which neither lists it nor waits for it: the program must not
    find one thread more than it has started.
    """

    __slots__ = ("_ended", "_failed", "_native_id", "_paused", "_running", "_stop", "_timeline")

    def __init__(self) -> None:
        self._timeline = Timeline(MAX_SAMPLES)
        self._running = self._paused = self._failed = False

    @property
    def samples(self) -> tuple[MemorySample, ...]:
        """What was sampled in this process; bytes and blocks are those alive."""
        return tuple(self._timeline.samples)

    def attend(self) -> None:
        """Sample this process, with a pause whenever it forks."""
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._pause, after_in_parent=self._resume)
        self.start()

    def _pause(self) -> None:
        self._paused = self._running
        self.stop()

    def _resume(self) -> None:
        if self._paused:
            self.start()

    def start(self) -> None:
        """Begin, or go on, to sample."""
        with OWN:
            if self._failed or self._running:
                return
            self._stop, self._ended = allocate_lock(), allocate_lock()
            self._stop.acquire()
            self._ended.acquire()
            self._native_id: int | None = None
            try:
                start_new_thread(self._run, ())
            except RuntimeError as error:  # no more threads, or the interpreter is about to end
                self._give_up(error)
                return
            self._running = True

    def restart(self) -> None:
        """Begin anew in a forked child, which has none of its parent's threads."""
        with OWN:
            self._running = False
            self._timeline.restart()
        self.start()

    def stop(self) -> None:
        """Stop, and return when the thread is gone for the operating system as well."""
        with OWN:
            if not self._running:
                return
            self._running = False
            self._stop.release()
            deadline = time.monotonic() + _LONGEST_WAIT
            self._ended.acquire(timeout=_LONGEST_WAIT)
            # From Python 3.12 on, forking warns while the kernel counts a second thread.
            while _is_listed(self._native_id) and time.monotonic() < deadline:
                time.sleep(0.0005)

    def _run(self) -> None:
        stop, ended = self._stop, self._ended
        self._native_id = get_native_id()
        try:
            with own_context():
                self._sample()
                while not stop.acquire(timeout=INTERVAL):
                    self._sample()
                self._sample()
        except Exception as error:  # noqa: BLE001 - the program goes on
            self._give_up(error)
        finally:
            ended.release()

    def _sample(self) -> None:
        figures = read_process()
        self._timeline.add(
            MemorySample(
                time=self._timeline.elapsed(),
                net_bytes=figures.bytes_allocated - figures.bytes_deallocated,
                net_allocations=figures.allocations - figures.deallocations,
                rss_bytes=rss_bytes(),
            )
        )

    def _give_up(self, error: Exception) -> None:
        from logging import getLogger

        self._failed = True
        getLogger("allocmeter").warning(
            "sampling memory for the timeline failed and has stopped; every other figure of the "
            "report stays exact",
            exc_info=error,
        )


def _is_listed(native_id: int | None) -> bool:
    return os.path.exists(f"/proc/self/task/{native_id}")  # noqa: PTH110
