"""The log of an operation's runs, and the block that is measured as one of them."""

from __future__ import annotations

from collections import deque
from threading import RLock
from typing import TYPE_CHECKING, TypeVar

from allocmeter._core.callbacks import CANCELLED, SUCCEEDED, classify
from allocmeter._core.own import OWN
from allocmeter.checks import check_count
from allocmeter.runs import Measurement, Runs

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from types import TracebackType

    from allocmeter.scopes import measure

T = TypeVar("T")


class RunLog:
    """Takes in the runs of one operation, from any task or thread, and keeps the latest.

    The counts may be read from outside; `runs` gives everything as it is at one moment.

    Args:
        name: of the scopes; `None` leaves them unnamed.
        max_measurements: how many successes, and how many failures, to keep; `None` keeps all.

    Raises:
        TypeError: `name` is not a string, or `max_measurements` not an `int`.
        ValueError: `max_measurements` is below 1.
    """

    def __init__(self, name: str | None, max_measurements: int | None) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"a profiler's name must be a str, not {type(name).__name__}")
        if max_measurements is not None:
            check_count("max_measurements", max_measurements, least=1)
        self.name: str | None = name
        self.max_measurements: int | None = max_measurements
        # Re-entrant: a finalizer that runs while a run is stored may store one here too.
        self._lock = RLock()
        self.clear()

    def clear(self) -> None:
        """Forget every run."""
        with self._lock:
            self.count: int = 0
            self.errors: int = 0
            self.cancelled: int = 0
            self._measurements: deque[Measurement] = deque(maxlen=self.max_measurements)
            self._failed_measurements: deque[Measurement] = deque(maxlen=self.max_measurements)

    def settle(self, scope: measure, result: T, error: BaseException | None) -> T:
        """Store the run of a measured call: this is the account of `call_measured`."""
        self.store(scope, error)
        return result

    def store(self, scope: measure, error: BaseException | None) -> None:
        """Store the run of a closed scope that was left by this exception, if any."""
        outcome = SUCCEEDED if error is None else classify(error)
        measurement = Measurement(scope.stats, scope.peak_bytes, scope.peak_allocations)
        with self._lock:
            if outcome == SUCCEEDED:
                self.count += 1
                self._measurements.append(measurement)
                return
            if outcome == CANCELLED:
                self.cancelled += 1
            else:
                self.errors += 1
            self._failed_measurements.append(measurement)

    def extend(self, runs: Runs) -> None:
        """Add runs behind those stored here; counts are added in full."""
        with self._lock:
            self.count += runs.count
            self.errors += runs.errors
            self.cancelled += runs.cancelled
            self._measurements.extend(runs.measurements)
            self._failed_measurements.extend(runs.failed_measurements)

    @property
    def failures(self) -> int:
        """Runs that raised or were cancelled."""
        with self._lock:
            return self.errors + self.cancelled

    def runs(self) -> Runs:
        """Return what is known now, as a value that does not change any more."""
        with self._lock:
            return Runs(
                self.count,
                self.errors,
                self.cancelled,
                tuple(self._measurements),
                tuple(self._failed_measurements),
            )


class ProfiledBlock:
    """What `AllocationProfiler.measure` returns: measures one block and stores its figures."""

    __slots__ = ("_log", "_scope")

    def __init__(self, log: RunLog, scope: measure) -> None:
        self._log = log
        self._scope = scope

    # Entering is the last and leaving the first thing done, and the scope itself makes the
    # coroutines of the async pair, so that nothing of ours is allocated inside it.

    def __enter__(self) -> measure:
        return self._scope.__enter__()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._scope.__exit__(exc_type, exc, traceback)
        with OWN:
            self._log.store(self._scope, exc)

    def __aenter__(self) -> Awaitable[measure]:
        return self._scope.__aenter__()

    def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> Awaitable[None]:
        left = self._scope.__aexit__(exc_type, exc, traceback)
        with OWN:
            self._log.store(self._scope, exc)
        return left
