"""What random programs do with scopes and contexts, and how they are put together."""

from __future__ import annotations

from contextvars import Context

import reference_model as twin
from allocmeter import detached, measure
from allocmeter._core.figures import HighWaterMark
from allocmeter._core.own import OWN
from fuzz_blocks import Blocks
from fuzz_steps import Step, chained, perform
from fuzz_world import OUTCOMES, Detour, Place, Scope

NAMES = (None, "a", "b")
DEEPEST = 3  # calls through other contexts, and own sections, within each other


class Program(Blocks):
    """A random program: a sequence of turns, each of some steps in one context."""

    def __init__(self, rng, threads, **options):
        super().__init__(rng, threads, **options)
        actions = {
            self.malloc: 3,
            self.realloc: 2,
            self.realloc_in_vain: 0.2,
            self.free: 3,
            self.make: 4,
            self.drop: 4,
            self.enter: 2,
            self.leave_innermost: 2,
            self.leave_any: 0.4,
            self.step_out: 0.7,
            self.step_back: 0.7,
            self.open: 0.8,
            self.resume: 1.5,
            self.pause: 1.5,
            self.pause_elsewhere: 0.2,
            self.close: 0.3,
            self.own_section: 0.7,
            self.elsewhere: 1,
            self.read: 0.7,
        }
        self.kinds, self.weights = list(actions), list(actions.values())

    # Turns

    def go(self, turns):
        """Run, and return how many operations that were."""
        for _ in range(turns):
            self.between()
            self.turn(self.rng.choice(self.places))
        self.check_everything()
        self.end()
        return len(self.log)

    def turn(self, place):
        thread = self.rng.choice(self.threads) if self.rng.random() < 0.2 else None
        self.note("in", place.number, "here" if thread is None else "on a thread")
        self.run(place, self.steps(place, self.rng.randrange(1, 7)), thread)

    def steps(self, place, length, deep=0):
        place.busy, steps = True, []
        for _ in range(length):
            action = self.rng.choices(self.kinds, self.weights)[0]
            if action not in (self.own_section, self.elsewhere):
                steps += action(place) or ()
            elif deep < DEEPEST:
                steps += action(place, deep + 1) or ()
        place.busy = False
        return steps

    def own_section(self, place, deep):
        self.note("own section begins")
        self.own += 1
        steps = self.steps(place, self.rng.randrange(4), deep)
        place.busy = True
        self.own -= 1
        self.note("own section ends")
        return [Step(OWN.__enter__), *steps, Step(OWN.__exit__, (None, None, None))]

    def elsewhere(self, _place, deep):
        others = [place for place in self.places if not place.busy]
        if not others:
            return None
        other = self.rng.choice(others)
        self.note("from there in", other.number)
        steps = self.steps(other, self.rng.randrange(1, 5), deep)
        self.note("back")
        return [Nested(self, other, steps)]

    def between(self):
        """What happens between two turns, outside of every scope."""
        kind = self.rng.random()
        if kind < 0.12 and len(self.places) < 6:
            self.copy_place()
        elif kind < 0.16 and len(self.places) < 6:
            self.places.append(Place(self.number(), Context(), twin.Place(self.process)))
            self.note("new context", self.places[-1].number)
        elif kind < 0.21 and len(self.places) > 1:
            self.forget_place()
        elif kind < 0.25:
            self.forget_scope()
        elif kind < 0.30 and self.scopes:
            self.check_scope(self.rng.choice(self.scopes))
        elif kind < 0.33:
            self.mark()
        elif kind < 0.36:
            self.reset_mark()
        elif kind < 0.38:
            self.check_everything()

    def copy_place(self):
        place = self.rng.choice(self.places)
        copy = Place(self.number(), place.context.copy(), place.twin.copy())
        self.places.append(copy)
        self.note("copy context", place.number, "to", copy.number)

    def forget_place(self):
        place = self.taken(self.places)
        self.note("forget context", place.number)
        # A scope knows the context it was entered in by its address alone, which a new context may
        # get: late work of a scope that was left elsewhere would then be taken for the process's.
        if place.twin.unfinished:
            self.remembered.append(place.context)

    def forget_scope(self):
        found = [s for s in self.scopes if not (s.twin.paused or (s.stepwise and s.twin.entry))]
        if found:
            scope = self.rng.choice(found)
            self.scopes.remove(scope)
            self.note("forget scope", scope.number)

    def mark(self):
        scopes = [scope for scope in self.scopes if scope.twin is not None]
        if scopes:
            scope = self.rng.choice(scopes)
            mark = twin.Mark()
            mark.reset(scope.twin.total)
            scope.twin.marks.append(mark)
            self.note("mark", len(self.marks), "on", scope.number)
            self.marks.append((HighWaterMark(scope.real), mark, scope.twin))

    def reset_mark(self):
        real, mark, scope = self.rng.choice(self.marks[1:] or [(None, None, None)])
        if real is not None:
            real.reset()
            self.note("reset mark", self.marks.index((real, mark, scope)))
            mark.reset(scope.total)

    # Scopes

    def new_scope(self, place, *, stepwise):
        name = self.rng.choice(NAMES)
        real = measure(name, registry=self.registry)
        scope = Scope(self.number(), real, place.twin.open(name), stepwise)
        self.scopes.append(scope)
        return scope

    def enter(self, place):
        scope = self.new_scope(place, stepwise=False)
        scope.twin.entry = place.twin.enter(scope.twin)
        self.note("enter", scope.number)
        if self.rng.random() < 0.3:
            return [Step(scope.real.__aenter__, after=closed)]
        return [Step(scope.real.__enter__)]

    def leave_innermost(self, place):
        entry = place.twin.entries[-1] if place.twin.entries else None
        found = [s for s in self.scopes if not s.stepwise and entry and s.twin.entry is entry]
        return self.leave(place, found[0]) if found else None

    def leave_any(self, place):
        found = [s for s in self.scopes if not s.stepwise and s.twin.entry is not None]
        return self.leave(place, self.rng.choice(found)) if found else None

    def leave(self, place, scope):
        outcome = self.rng.choice(list(OUTCOMES))
        self.note("leave", scope.number, outcome)
        self.finished(scope, outcome)
        place.twin.leave_scope(scope.twin)
        leaving = (None, OUTCOMES[outcome], None)
        if self.rng.random() < 0.3:
            return [Step(scope.real.__aexit__, leaving, closed)]
        return [Step(scope.real.__exit__, leaving)]

    def step_out(self, place):
        detour = Detour(self.number(), detached(), place.twin.enter(self.process))
        self.detours.append(detour)
        self.note("enter detached", detour.number)
        return [Step(detour.real.__enter__)]

    def step_back(self, place):
        entered = self.detours
        if self.rng.random() < 0.9:
            entered = [detour for detour in entered if detour.entry in place.twin.entries[-1:]]
        if not entered:
            return None
        detour = self.rng.choice(entered)
        place.twin.leave(detour.entry)
        self.detours.remove(detour)
        self.note("leave detached", detour.number)
        return [Step(detour.real.__exit__, (None, None, None))]

    # Step by step, as generators do

    def open(self, place):
        scope = self.new_scope(place, stepwise=True)
        self.note("open", scope.number)
        return [Step(scope.real._open)]

    def resume(self, place):
        paused = [
            scope
            for scope in self.scopes
            if scope.stepwise and scope.twin.entry is None and scope.twin.final is None
            if self.can_come_back(scope, place)
        ]
        if not paused:
            return None
        scope = self.rng.choice(paused)
        place.twin.resume(scope.twin)
        self.note("resume", scope.number)
        return [Step(scope.real._resume)]

    @staticmethod
    def can_come_back(scope, place):
        """Where what was inside may be current too, by inheritance, it is not brought back."""
        inside, here = scope.twin.paused, place.twin
        if not inside or not here.entries:
            return True
        return inside[0].place is here and here.entries[-1] not in inside

    def pause(self, place):
        entries = place.twin.entries
        found = [
            s
            for s in self.scopes
            if s.stepwise and s.twin.entry in entries and s.twin.entry.place is place.twin
        ]
        return self.pause_one(place, self.rng.choice(found)) if found else None

    def pause_elsewhere(self, place):
        """Suspend a scope where it is not, as whoever closes a forgotten generator does."""
        found = [scope for scope in self.scopes if scope.stepwise]
        if not found or place.twin.entries:  # there it may be by inheritance
            return None
        return self.pause_one(place, self.rng.choice(found))

    def pause_one(self, place, scope):
        place.twin.pause(scope.twin)
        self.note("pause", scope.number)
        return [Step(scope.real._suspend)]

    def close(self, _place):
        found = [s for s in self.scopes if s.stepwise and s.twin.final is None]
        if not found:
            return None
        scope, outcome = self.rng.choice(found), self.rng.choice(list(OUTCOMES))
        self.note("close", scope.number, outcome)
        self.finished(scope, outcome)
        return [Step(scope.real._close, (OUTCOMES[outcome],))]


class Nested(Step):
    """Steps in another context, while this one waits."""

    __slots__ = ()

    def __init__(self, program, place, steps):
        first = chained(steps)
        super().__init__(place.context.run, (perform, first), lambda _: program.finish(steps))


def closed(awaitable):
    awaitable.close()
