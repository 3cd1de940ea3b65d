"""A slow twin of the core in plain Python: the rules of accounting, and nothing else.

It follows the documentation, not the code: every event is carried up to every scope around at once,
and a context is a stack. A test does the same to the core and to the twin and compares the figures.

The rules of which scope is current:

* A context holds a stack of entries; the scope of the topmost one is current. A copy of a context
  starts with the same entries.
* Leaving takes the entry and what is above it off the stack of the context where it happens. If
  that is not the context the entry was made in, it is over there too, as soon as nothing is above
  it; contexts that copied it, before or since, go on as late work of the scope.
* A scope that is paused takes along what was entered inside it, and brings it back when it is
  resumed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import astuple, dataclass, field

from allocmeter import AllocationStats

MOST_NESTED = 1_000


@dataclass(slots=True)
class Counts:
    allocations: int = 0
    deallocations: int = 0
    reallocations: int = 0
    bytes_allocated: int = 0
    bytes_deallocated: int = 0

    @property
    def live_bytes(self):
        return self.bytes_allocated - self.bytes_deallocated

    @property
    def live_blocks(self):
        return self.allocations - self.deallocations

    def stats(self):
        return AllocationStats(*astuple(self))


@dataclass(slots=True, eq=False)
class Mark:
    """A high-water mark."""

    bytes: int = 0
    blocks: int = 0

    def raise_to(self, counts):
        self.bytes = max(self.bytes, counts.live_bytes)
        self.blocks = max(self.blocks, counts.live_blocks)

    def reset(self, counts):
        self.bytes, self.blocks = counts.live_bytes, counts.live_blocks


@dataclass(frozen=True, slots=True)
class Figures:
    """What one scope reports at one moment."""

    stats: AllocationStats
    self_stats: AllocationStats
    peak_bytes: int
    peak_allocations: int


@dataclass(slots=True, eq=False)
class Scope:
    """The account of a scope; the process is the one with nothing around it."""

    around: Scope | None
    name: str | None = None
    own: Counts = field(default_factory=Counts)
    total: Counts = field(default_factory=Counts)
    peak: Mark = field(default_factory=Mark)
    marks: list[Mark] = field(default_factory=list)
    final: Figures | None = None
    entry: Entry | None = None  # while it is current somewhere
    paused: tuple[Entry, ...] = ()

    def and_around(self):
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.around

    def allocate(self, size):
        self.own.allocations += 1
        self.own.bytes_allocated += size
        for scope in self.and_around():
            scope.total.allocations += 1
            scope.total.bytes_allocated += size
            for mark in (scope.peak, *scope.marks):
                mark.raise_to(scope.total)

    def deallocate(self, size):
        self.own.deallocations += 1
        self.own.bytes_deallocated += size
        for scope in self.and_around():
            scope.total.deallocations += 1
            scope.total.bytes_deallocated += size

    def reallocated(self):
        self.own.reallocations += 1
        for scope in self.and_around():
            scope.total.reallocations += 1

    def now(self):
        return Figures(self.total.stats(), self.own.stats(), self.peak.bytes, self.peak.blocks)

    def figures(self):
        return self.final or self.now()

    def late_stats(self):
        return self.total.stats() - self.figures().stats

    def close(self):
        if self.final is None:
            self.final = self.now()
            self.paused = ()


@dataclass(slots=True, eq=False)
class Entry:
    """One entering of a scope, or of `detached()`."""

    scope: Scope
    place: Place
    over: bool = False  # left in another context than `place`


@dataclass(slots=True, eq=False)
class Place:
    """A context."""

    process: Scope
    entries: tuple[Entry, ...] = ()
    unfinished: int = 0  # entries made here and not left here

    def copy(self):
        return Place(self.process, self.entries)

    def in_force(self):
        """Return the entries without those on top that are over here."""
        entries = self.entries
        while entries and entries[-1].over and entries[-1].place is self:
            entries = entries[:-1]
        return entries

    def current(self):
        entries = self.in_force()
        return entries[-1].scope if entries else self.process

    def enter(self, scope):
        entry = Entry(scope, self)
        self.entries = (*self.in_force(), entry)
        self.unfinished += 1
        return entry

    def leave(self, entry):
        """Leave an entry. If it is not on top here, it only ends where it was made."""
        if self.entries and self.entries[-1] is entry:
            self.entries = self.entries[:-1]
            self.entries = self.in_force()
            entry.over = entry.place is not self
            self.unfinished -= not entry.over
        else:
            entry.over = True

    # The life of a scope

    def open(self, name=None):
        """Make a scope within the current one. Late work stays under the outermost closed scope."""
        around = self.current()
        while around.final and around.around.final:
            around = around.around
        return Scope(around, name)

    def resume(self, scope):
        scope.entry = self.enter(scope)
        self.entries += scope.paused
        self.entries = self.in_force()
        scope.paused = ()

    def leave_scope(self, scope):
        if scope.entry is not None:
            self.leave(scope.entry)
            scope.entry = None
        scope.close()

    def pause(self, scope):
        entry, scope.entry = scope.entry, None
        if entry is None:
            return
        if entry not in self.entries or self.entries[-1] is entry:
            self.leave(entry)
            return
        at = self.entries.index(entry)
        inside, self.entries = self.entries[at + 1 :], self.entries[: at + 1]
        if scope.final is None:
            scope.paused = inside
        self.leave(entry)


class Aggregates:
    """What the finished scopes of each name add up to."""

    def __init__(self):
        self.finished = defaultdict(list)

    def finish(self, scope, outcome="done"):
        if scope.name is not None:
            self.finished[scope.name].append((scope, outcome))

    def row(self, name):
        """Return a row of the report as a dictionary, without what is estimated."""
        scopes = [scope for scope, _ in self.finished[name]]
        outcomes = [outcome for _, outcome in self.finished[name]]
        final = [scope.final for scope in scopes]
        return {
            "count": len(scopes),
            "errors": outcomes.count("failed"),
            "cancelled": outcomes.count("cancelled"),
            "bytes_allocated": _spread(f.stats.bytes_allocated for f in final),
            "allocations": _spread(f.stats.allocations for f in final),
            "peak_bytes": _spread(f.peak_bytes for f in final),
            "retained": _spread(f.stats.net_bytes for f in final),
            "retained_bytes": sum(scope.total.live_bytes for scope in scopes),
            "retained_allocations": sum(scope.total.live_blocks for scope in scopes),
            "late_bytes_allocated": sum(s.late_stats().bytes_allocated for s in scopes),
        }


def _spread(values):
    values = list(values)
    return sum(values), min(values), max(values)
