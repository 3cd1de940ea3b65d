"""What random programs do with blocks."""

from __future__ import annotations

from blocks import HUGE
from fuzz_steps import (
    BYTES_HEADER,
    LOCKED,
    RELEASED,
    Kept,
    Step,
    count,
    is_null,
    pointer,
)
from fuzz_world import WHAT, Block, World

RAW = 0  # the domain that may be used without the interpreter lock


class Blocks(World):
    """Steps that allocate, reallocate and free."""

    def domain(self):
        """Return a domain, and its functions with the interpreter lock or without it."""
        domain = self.rng.randrange(3)
        if self.released and domain == RAW and not self.own and self.rng.random() < 0.7:
            return domain, RELEASED[domain], True
        return domain, LOCKED[domain], False

    def malloc(self, place):
        domain, functions, released = self.domain()
        size, each = self.size(), self.rng.choice([0, 1, 1, 3])
        zeroed = self.rng.random() < 0.3
        steps = self.known(place) if released else []
        self.note("malloc", size * each**zeroed, "without the lock" * released)
        owner = self.charged(place, size * each**zeroed)
        self.carried_back(place)

        def made(address):
            assert address.value is not None
            self.blocks.append(Block(pointer(address), domain, owner, size * each**zeroed))

        arguments = (count(size), count(each)) if zeroed else (count(size),)
        return [*steps, Step(functions[zeroed], arguments, made)]

    def realloc(self, place):
        if not self.blocks:
            return []
        block = self.taken(self.blocks)
        domain, size = block.domain, self.size()
        released = self.released and domain == RAW and not self.own and self.rng.random() < 0.7
        functions = (RELEASED if released else LOCKED)[domain]
        steps = self.known(place) if released else []
        self.note("realloc", block.size, "to", size, "without the lock" * released)
        self.credited(block.owner, block.size)
        owner = self.charged(place, size)
        if owner is not None:
            owner.reallocated()
        self.carried_back(place)

        def moved(address):
            assert address.value is not None
            self.blocks.append(Block(pointer(address), domain, owner, size))

        return [*steps, Step(functions[2], (block.pointer, count(size)), moved)]

    def realloc_in_vain(self, place):
        if not self.blocks:
            return []
        block = self.rng.choice(self.blocks)
        self.carried_back(place)
        return [Step(LOCKED[block.domain][2], (block.pointer, count(HUGE)), is_null)]

    def free(self, _place):
        if not self.blocks:
            return []
        block = self.taken(self.blocks)
        released = self.released and block.domain == RAW and self.rng.random() < 0.5
        functions = (RELEASED if released else LOCKED)[block.domain]
        self.note("free", block.size, "without the lock" * released)
        self.credited(block.owner, block.size)
        return [Step(functions[3], (block.pointer,))]

    def make(self, place):
        length = self.size() + 2  # shorter ones exist already
        step = Kept(length, self.charged(place, length + BYTES_HEADER))
        self.note("make", step.size)
        self.objects.append(step)
        return [step]

    def drop(self, _place):
        if not self.objects:
            return []
        kept = self.taken(self.objects)
        self.note("drop", kept.size)
        self.credited(kept.owner, kept.size)
        return [Step(setattr, (kept, "result", None))]

    def known(self, place):
        """Let the thread look up its scope: without the lock it can only remember."""
        length = self.size() + 2
        step = Kept(length, self.charged(place, length + BYTES_HEADER))
        self.credited(step.owner, step.size)
        return [step, Step(setattr, (step, "result", None))]

    def size(self):
        kind = self.rng.random()
        if kind < 0.7:
            return self.rng.randrange(600)
        return self.rng.choice([511, 512, 513, 1022, 1023, self.rng.randrange(100_000)])

    def taken(self, things):
        return things.pop(self.rng.randrange(len(things)))

    def read(self, _place):
        if not self.scopes:
            return []
        scope, what = self.rng.choice(self.scopes), self.rng.choice(WHAT)
        expected = getattr(scope.twin.figures(), what)
        return [
            Step(getattr, (scope.real, what), lambda found: self.compare(what, found, expected))
        ]
