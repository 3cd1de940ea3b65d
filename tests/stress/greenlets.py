"""Greenlets that switch to each other at random, each in a scope of its own."""

from __future__ import annotations

import random
import time

from allocmeter import install, measure, start_tracking
from fuzz_steps import BYTES_HEADER, Kept, Step, chained, perform

GREENLETS = 50
MIB = 1 << 20


def run(seed, seconds):
    try:
        from greenlet import greenlet
    except ImportError:
        return 0, "(greenlet is not installed: skipped)"
    install()
    start_tracking()
    rng, done, until = random.Random(seed), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        done += one_round(rng, greenlet)
    return done


def one_round(rng, greenlet):
    """Each greenlet allocates objects of whole mebibytes and frees those of others.

    Greenlets copy their stacks when they switch, into some kibibytes that are theirs.
    """
    plans = [Plan() for _ in range(GREENLETS)]
    runners = [greenlet(plan.body) for plan in plans]
    objects, done = [], 0
    for _ in range(GREENLETS * 10):
        number = rng.randrange(GREENLETS)
        steps = plans[number].prepare(rng, objects)
        if not steps:
            continue
        plans[number].first = chained(steps)
        runners[number].switch()
        done += len(steps)
        for step in steps:
            step.following = None
    for plan, runner in zip(plans, runners, strict=True):
        plan.first = None
        runner.switch()  # leaves the scope, or never entered it
        plan.check()
    return done


class Plan:
    def __init__(self):
        self.scope, self.first = measure(), None
        self.allocated = self.freed = 0
        self.entered = False

    def prepare(self, rng, objects):
        steps = []
        for _ in range(rng.randrange(12)):
            if objects and rng.random() < 0.5:
                kept = objects.pop(rng.randrange(len(objects)))
                kept.owner.freed += kept.size
                steps.append(Step(setattr, (kept, "result", None)))
            else:
                kept = Kept(rng.randrange(1, 4) * MIB - BYTES_HEADER, self)
                self.allocated += kept.size
                objects.append(kept)
                steps.append(kept)
        return steps

    def body(self):
        from greenlet import getcurrent

        switch = getcurrent().parent.switch
        if self.first is None:
            return
        self.entered = True
        with self.scope:
            while self.first is not None:
                perform(self.first)
                switch()

    def check(self):
        if not self.entered:
            return
        now = self.scope.stats + self.scope.late_stats
        found = now.bytes_allocated // MIB, now.bytes_deallocated // MIB
        expected = self.allocated // MIB, self.freed // MIB
        assert found == expected, (found, expected)
