"""A world that a random program changes, once in the core and once in its twin."""

from __future__ import annotations

import asyncio
from contextvars import Context
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import reference_model as twin
from allocmeter import AllocationStats, Registry, detached, measure
from allocmeter._core.figures import (
    HighWaterMark,
    read_aggregate,
    read_core,
    read_process,
    refresh_retained,
)
from allocmeter._core.own import OWN
from allocmeter.doctor.known_blocks import ADDRESS_BYTES
from fuzz_steps import LOCKED, Kept, chained, perform

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor
    from random import Random

OUTCOMES = {"done": None, "failed": ValueError(), "cancelled": asyncio.CancelledError()}
WHAT = ("stats", "self_stats", "peak_bytes", "peak_allocations")


@dataclass(slots=True, eq=False)
class Place:
    number: int
    context: Context
    twin: twin.Place
    busy: bool = False


@dataclass(slots=True, eq=False)
class Scope:
    number: int
    real: measure
    twin: twin.Scope | None = None
    stepwise: bool = False


@dataclass(slots=True, eq=False)
class Detour:
    number: int
    real: detached
    entry: twin.Entry


@dataclass(slots=True, eq=False)
class Block:
    pointer: Any
    domain: int
    owner: twin.Scope | None
    size: int


class World:
    """What a random program has made so far. `log` says how."""

    def __init__(self, rng: Random, threads: list[ThreadPoolExecutor], *, tracked, released=False):
        self.rng, self.threads = rng, threads
        self.tracked, self.released = tracked, released
        self.log: list[tuple[Any, ...]] = []
        self.process = twin.Scope(None)
        self.nodes_before, self.process_before = read_core().nodes_in_use, process_stats()
        self.marks = [(HighWaterMark(None), twin.Mark(), self.process)]
        self.live_before = self.marks[0][0].live_bytes, self.marks[0][0].live_allocations
        self.process.marks.append(self.marks[0][1])
        self.registry, self.names = Registry(), twin.Aggregates()
        self.scopes: list[Scope] = []
        self.detours: list[Detour] = []
        self.blocks: list[Block] = []
        self.objects: list[Kept] = []
        self.places = [Place(0, Context(), twin.Place(self.process))]
        self.remembered: list[Context] = []
        self.made = 0
        self.own = 0
        self.carriers: list[twin.Scope | None] = []

    def note(self, *words):
        self.log.append(words)

    def number(self):
        self.made += 1
        return self.made

    # Accounting

    def owner(self, place):
        if self.own:
            return None
        owner = place.twin.current()
        return owner if owner is not self.process or self.tracked else None

    def charged(self, place, size):
        owner = self.owner(place)
        if owner is not None:
            owner.allocate(size)
        return owner

    @staticmethod
    def credited(owner, size):
        if owner is not None:
            owner.deallocate(size)

    def carried_back(self, place):
        """Account for what carries an address or says NULL: freed when the steps are over."""
        self.carriers.append(self.charged(place, ADDRESS_BYTES))

    def finished(self, scope, outcome):
        if scope.twin.final is None:
            scope.twin.close()
            self.names.finish(scope.twin, outcome)

    # Performing

    def run(self, place, steps, thread=None):
        """Perform steps in a context, here or on another thread, and see to what came of them."""
        first = chained(steps)
        if thread is None:
            place.context.run(perform, first)
        else:
            thread.submit(place.context.run, perform, first).result()
        self.finish(steps)
        for owner in self.carriers:
            self.credited(owner, ADDRESS_BYTES)
        self.carriers.clear()

    def finish(self, steps):
        for step in steps:
            step.following = None
            if isinstance(step, Kept):
                continue
            result, step.result = step.result, None
            if step.after is not None:
                step.after(result)

    # Figures

    def compare(self, what, found, expected):
        # Without the lock the highest moments count as if they had coincided.
        at_least = self.released and "peak" in what
        assert found >= expected if at_least else found == expected, (what, found, expected)

    def check_scope(self, scope):
        expected, m = scope.twin.figures(), scope.real
        for what in WHAT:
            self.compare(f"{what} of {scope.number}", getattr(m, what), getattr(expected, what))
        self.compare(f"late_stats of {scope.number}", m.late_stats, scope.twin.late_stats())
        alive = m.retained_bytes, m.retained_allocations
        total = scope.twin.total
        self.compare(f"retained of {scope.number}", alive, (total.live_bytes, total.live_blocks))

    def check_everything(self):
        for scope in self.scopes:
            self.check_scope(scope)
        for mark, expected, scope in self.marks:
            before = self.live_before if scope is self.process else (0, 0)
            total = scope.total
            live = mark.live_bytes - before[0], mark.live_allocations - before[1]
            self.compare("alive of a mark", live, (total.live_bytes, total.live_blocks))
            self.compare("peak bytes of a mark", mark.peak_bytes - before[0], expected.bytes)
            peak_blocks = mark.peak_allocations - before[1]
            self.compare("peak blocks of a mark", peak_blocks, expected.blocks)
        process = process_stats() - self.process_before
        self.compare("process", process, self.process.total.stats())
        refresh_retained()
        for name in self.names.finished:
            found, expected = row(self.registry, name), self.names.row(name)
            peaks = found.pop("peak_bytes"), expected.pop("peak_bytes")
            if not self.released:
                self.compare(f"peaks of {name}", *peaks)
            self.compare(name, found, expected)

    def release(self):
        for block in self.blocks:
            LOCKED[block.domain][3](block.pointer)
            self.credited(block.owner, block.size)
        for kept in self.objects:
            kept.result = None
            self.credited(kept.owner, kept.size)
        for scope in self.scopes:
            if scope.stepwise and scope.twin.entry:
                self.places[0].twin.pause(scope.twin)
                self.places[0].context.run(scope.real._suspend)
            scope.real._close(None)
            self.finished(scope, "done")

    def end(self):
        """Free everything; then nothing may be left of it."""
        self.release()
        self.check_everything()
        assert self.process.total.live_blocks == 0
        for things in (self.scopes, self.detours, self.places, self.remembered, self.marks):
            things.clear()
        self.compare("nodes in use", read_core().nodes_in_use, self.nodes_before)


def row(registry, name):
    found = read_aggregate(registry._aggregates[name])
    spreads = ("bytes_allocated", "allocations", "peak_bytes", "retained")
    names = ("count", "errors", "cancelled", "retained_bytes", "retained_allocations")
    plain = {name: getattr(found, name) for name in (*names, "late_bytes_allocated")}
    quantities = {name: getattr(found, name) for name in spreads}
    return plain | {name: (q.sum, q.min, q.max) for name, q in quantities.items()}


def process_stats():
    with OWN:
        figures = read_process()
        return AllocationStats(*(getattr(figures, f.name) for f in fields(AllocationStats)))
