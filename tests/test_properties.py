"""Whatever a program does with its blocks and scopes, the figures are those of a plain model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from allocmeter import AllocationStats
from allocmeter._core.figures import HighWaterMark
from allocmeter.doctor.known_blocks import ADDRESS_BYTES
from blocks import DOMAINS, HUGE, Allocator, Enclosure

pytestmark = pytest.mark.exact


@dataclass
class Mark:
    bytes: int
    blocks: int


@dataclass
class Counts:
    """The five counters of a scope, one by one."""

    allocations: int = 0
    deallocations: int = 0
    reallocations: int = 0
    bytes_allocated: int = 0
    bytes_deallocated: int = 0

    def allocate(self, size):
        self.allocations += 1
        self.bytes_allocated += size

    def deallocate(self, size):
        self.deallocations += 1
        self.bytes_deallocated += size

    def live(self):
        return (
            self.bytes_allocated - self.bytes_deallocated,
            self.allocations - self.deallocations,
        )

    def stats(self):
        return AllocationStats(*astuple(self))


@dataclass(eq=False)
class Model:
    """What a scope should report: every event is carried up to every scope around, at once."""

    around: Model | None
    closed: bool = False
    own: Counts = field(default_factory=Counts)
    total: Counts = field(default_factory=Counts)
    marks: list[Mark] = field(default_factory=lambda: [Mark(0, 0)])

    def and_around(self):
        scope: Model | None = self
        while scope is not None:
            yield scope
            scope = scope.around

    def allocate(self, size):
        self.own.allocate(size)
        for scope in self.and_around():
            scope.total.allocate(size)
            live_bytes, live_blocks = scope.total.live()
            for mark in scope.marks:
                mark.bytes = max(mark.bytes, live_bytes)
                mark.blocks = max(mark.blocks, live_blocks)

    def deallocate(self, size):
        self.own.deallocate(size)
        for scope in self.and_around():
            scope.total.deallocate(size)

    def figures(self):
        return self.total.stats(), self.own.stats(), self.marks[0].bytes, self.marks[0].blocks

    def reallocated(self):
        self.own.reallocations += 1
        for scope in self.and_around():
            scope.total.reallocations += 1


@dataclass(eq=False)
class Scope:
    """A scope, its model, and whom work is charged to that goes on where the scope was left."""

    real: Enclosure
    model: Model
    afterwards: Model
    final: tuple[Any, ...] | None = None

    def charged(self):
        return self.model if self.final is None else self.afterwards


@dataclass(eq=False)
class Block:
    pointer: Any
    allocator: Allocator
    owner: Model
    size: int


allocators = st.sampled_from([Allocator(domain) for domain in DOMAINS])
sizes = st.one_of(
    st.integers(0, 1_100), st.sampled_from([511, 512, 513, 1_022, 1_023]), st.integers(0, 300_000)
)


class Program(RuleBasedStateMachine):
    scopes = Bundle("scopes")
    blocks = Bundle("blocks")
    marks = Bundle("marks")

    def __init__(self):
        super().__init__()
        self.everything: list[Scope] = []
        self.process = Model(None)  # outside every scope nothing is recorded
        self.all_marks: list[tuple[HighWaterMark, Mark, Model]] = []
        self.living: set[Block] = set()
        self.elsewhere = ThreadPoolExecutor(1)

    # Scopes

    @rule(target=scopes)
    def enter_outermost(self):
        return self.enter(Enclosure(), self.process)

    @rule(target=scopes, around=scopes, depth=st.integers(1, 3))
    def enter_nested(self, around, depth):
        chain = [around]
        for _ in range(depth):
            chain.append(self.enter(Enclosure(chain[-1].real), chain[-1].charged()))
        return multiple(*chain[1:])

    def enter(self, real, charged):
        parent = charged
        while parent.closed and parent.around.closed:  # late work hangs under the outermost scope
            parent = parent.around
        scope = Scope(real, Model(parent), charged)
        self.everything.append(scope)
        return scope

    @rule(scope=scopes, with_all_around=st.booleans())
    def leave(self, scope, with_all_around):
        around = list(scope.model.and_around())[1:] if with_all_around else []
        for leaving in [scope, *(s for s in self.everything if s.model in around)]:
            if leaving.final is None:
                leaving.final = leaving.model.figures()
                leaving.model.closed = True
                leaving.real.leave()

    @rule(target=marks, scope=scopes)
    def mark(self, scope):
        model = Mark(*scope.model.total.live())
        scope.model.marks.append(model)
        self.all_marks.append((HighWaterMark(scope.real.scope), model, scope.model))
        return self.all_marks[-1]

    @rule(mark=marks)
    def reset_mark(self, mark):
        real, model, scope = mark
        real.reset()
        model.bytes, model.blocks = scope.total.live()

    # Blocks

    @contextmanager
    def carrier(self, scope):
        """Account for what carries an address back or says NULL: made last, then freed."""
        yield
        scope.charged().allocate(ADDRESS_BYTES)
        scope.charged().deallocate(ADDRESS_BYTES)

    def made(self, pointer, allocator, scope, size):
        assert pointer is not None
        block = Block(pointer, allocator, scope.charged(), size)
        self.living.add(block)
        return block

    @rule(target=blocks, scope=scopes, allocator=allocators, size=sizes)
    def malloc(self, scope, allocator, size):
        with self.carrier(scope):
            scope.charged().allocate(size)
            pointer = allocator.malloc(scope.real, size)
        return self.made(pointer, allocator, scope, size)

    @rule(target=blocks, scope=scopes, allocator=allocators, count=sizes, each=st.integers(0, 9))
    def calloc(self, scope, allocator, count, each):
        with self.carrier(scope):
            scope.charged().allocate(count * each)
            pointer = allocator.calloc(scope.real, count, each)
        return self.made(pointer, allocator, scope, count * each)

    @rule(target=blocks, scope=scopes, block=consumes(blocks), size=sizes)
    def realloc(self, scope, block, size):
        self.living.remove(block)
        with self.carrier(scope):
            block.owner.deallocate(block.size)
            scope.charged().allocate(size)
            scope.charged().reallocated()
            pointer = block.allocator.realloc(scope.real, block.pointer, size)
        return self.made(pointer, block.allocator, scope, size)

    @rule(scope=scopes, block=blocks)
    def realloc_that_fails(self, scope, block):
        with self.carrier(scope):
            assert block.allocator.realloc(scope.real, block.pointer, HUGE) is None

    @rule(scope=scopes, block=consumes(blocks))
    def free(self, scope, block):
        self.living.remove(block)
        block.owner.deallocate(block.size)
        block.allocator.free(scope.real, block.pointer)

    @rule(scope=scopes, block=consumes(blocks))
    def free_on_another_thread(self, scope, block):
        self.living.remove(block)
        block.owner.deallocate(block.size)
        self.elsewhere.submit(block.allocator.free, scope.real, block.pointer).result()

    # Figures

    @invariant()
    def figures_are_those_of_the_model(self):
        for scope in self.everything:
            m, model = scope.real.scope, scope.model
            now = model.figures()
            final = scope.final or now
            assert (m.stats, m.self_stats, m.peak_bytes, m.peak_allocations) == final
            assert m.late_stats == now[0] - final[0]
            assert (m.retained_bytes, m.retained_allocations) == model.total.live()
        for mark, expected, model in self.all_marks:
            assert (mark.live_bytes, mark.live_allocations) == model.total.live()
            assert (mark.peak_bytes, mark.peak_allocations) == astuple(expected)

    @invariant()
    def what_scopes_retain_is_what_lives(self):
        living = [block for block in self.living if block.owner is not self.process]
        outermost = [s.real.scope for s in self.everything if s.model.around is self.process]
        assert sum(m.retained_allocations for m in outermost) == len(living)
        assert sum(m.retained_bytes for m in outermost) == sum(block.size for block in living)

    def teardown(self):
        for block in self.living:
            block.allocator.free(self.everything[0].real, block.pointer)
        self.elsewhere.shutdown()


# The explain phase traces failing runs, and a trace function allocates in the scopes it observes.
Program.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=60,
    deadline=None,
    phases=set(Phase) - {Phase.explain},
)


class TestProgram(Program.TestCase):
    pass
