"""What tests of servers share: work of known size, and what is known of its scopes."""

from __future__ import annotations

import gc
import logging
import statistics

import anyio
import pytest
from anyio.lowlevel import checkpoint

from allocmeter import Registry
from allocmeter._core.figures import current_scope
from allocmeter.integrations import _served
from blocks import untouched
from operations import cost

SMALL, LARGE = 70_000, 900_000
STEPS = 5


@pytest.fixture(name="registry")
def _registry():
    return Registry()


@pytest.fixture(name="without_collector")
def _without_collector():
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(name="broken")
def _broken(monkeypatch):
    """Makes our part fail wherever a scope is opened."""

    def fail(*arguments, **keywords):
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(_served, "measure", fail)


class Work:
    """What handlers do, by the size of their blocks.

    Attributes:
        scopes: the ones that were current there.
        changes: what the work alone did to them.
    """

    def __init__(self):
        self.scopes = {}
        self.changes = {}

    async def __call__(self, size):
        """Take turns with the neighbours, holding a block of a given size at each."""
        scope = current_scope()
        self.scopes.setdefault(size, []).append(scope)
        before = scope and scope.stats
        for _ in range(STEPS):
            kept = untouched(size)
            await checkpoint()
            del kept
        if scope:
            self.changes.setdefault(size, []).append(scope.stats - before)

    def differs_by_its_blocks_alone(self):
        """Whether the work with large blocks allocated what that with small ones did, and no more.

        asyncio's table of current tasks grows every few steps, in whichever task is running.
        """
        more = least(self.changes[LARGE]) - least(self.changes[SMALL])
        tables = more.allocations
        own = STEPS * (LARGE - SMALL)
        return abs(tables) <= 1 and more.bytes_allocated == own + tables * TABLE

    def typical(self, size):
        """Return the median of the bytes that the scopes allocated."""
        return statistics.median(scope.stats.bytes_allocated for scope in self.scopes[size])

    def has_right_peaks(self):
        small, large = ([s.peak_bytes for s in self.scopes[size]] for size in (SMALL, LARGE))
        return max(small) < 2 * cost(SMALL) and cost(LARGE) <= min(large) <= max(large) < MOST

    def all_closed(self):
        return all(scope.is_closed for found in self.scopes.values() for scope in found)


def least(stats):
    """Return the smallest: now and then the loop grows its queue in whichever task is running."""
    return min(stats, key=lambda s: (s.bytes_allocated, s.allocations, s.bytes_deallocated))


TABLE = 160
MOST = cost(LARGE) + SMALL


def outcome(registry, name):
    """Return how often something has ended, failed and been cancelled."""
    row = registry.row(name)
    return row.count, row.errors, row.cancelled


async def until(condition):
    with anyio.fail_after(30):
        while not condition():
            await checkpoint()


def complaints(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
