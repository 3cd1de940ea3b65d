"""What holds of scopes at any moment, whatever the program does."""

from __future__ import annotations

import time

from allocmeter import AllocationStats
from allocmeter._core.figures import NOW, read_core, read_process, read_scope
from allocmeter._core.own import OWN

MOST_TRIES = 1_000


def stats_of(figures):
    return AllocationStats.from_figures(figures)


def sound(figures, what):
    """Check one set of figures by itself."""
    for name, _ in figures._fields_:
        assert getattr(figures, name) >= 0, (what, name, getattr(figures, name))
    stats = stats_of(figures)
    assert stats.net_allocations >= 0, (what, stats)
    assert stats.net_bytes >= 0, (what, stats)
    return stats


class Family:
    """The scopes below an outermost one, itself included: none of them unknown."""

    def __init__(self, outermost):
        self.outermost = outermost
        self.scopes = [outermost]
        self.finals = {}

    def add(self, scope):
        with OWN:
            self.scopes.append(scope)
        return scope

    def check(self):
        """Check everything, as soon as helper threads do not free blocks of these any more."""
        with OWN:
            opened = [scope for scope in self.scopes if scope.is_open or scope.is_closed]
            for _ in range(MOST_TRIES):
                total = sound(read_scope(self.outermost, NOW), "outermost")
                own = AllocationStats()
                for scope in opened:
                    own += self.check_one(scope)
                if total == stats_of(read_scope(self.outermost, NOW)):
                    break
                time.sleep(0.001)
            assert own == total, ("the sum over scopes", own, total)
            process = sound(read_process(), "process")
            assert process.net_bytes >= total.net_bytes, (process, total)
            assert process.allocations >= total.allocations, (process, total)
            assert read_core().open_scopes >= sum(scope.is_open for scope in opened)
            return len(opened)

    def check_one(self, scope):
        own = sound(read_scope(scope, NOW, exclusive=True), scope)
        figures = read_scope(scope, NOW)
        stats = sound(figures, scope)
        assert figures.peak_bytes >= stats.net_bytes, (scope, figures.peak_bytes, stats)
        assert figures.peak_allocations >= stats.net_allocations, (scope, stats)
        assert scope.retained_bytes <= stats.net_bytes
        assert scope.retained_allocations <= stats.net_allocations
        assert own.allocations <= stats.allocations, (scope, own, stats)
        if scope.is_closed:
            final = (scope.stats, scope.self_stats, scope.peak_bytes, scope.peak_allocations)
            before = self.finals.setdefault(id(scope), final)
            assert final == before, ("figures of a closed scope have changed", before, final)
        return own
