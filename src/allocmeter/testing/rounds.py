"""How often a test is called, so that what varies by chance is told from what has grown.

Sets of tasks, and what else is sorted by addresses, may need a block more in one call than in the
next. When figures are kept or compared, a test whose rounds differ is called more often, and so is
one that would be called worse: its first few rounds may have been unlucky, or those then lucky.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from allocmeter.testing.comparison import Difference, has_changed
from allocmeter.testing.figures import smallest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from allocmeter.limits import Limit
    from allocmeter.testing.figures import TestFigures

# Of those that vary. With 20 rounds then and now, a test that takes a block more with some
# probability is called worse by chance 3 times in 100,000 at most: at a probability of 3/4.
_MORE: Final = 4
# Seconds after which a test is not called again unless somebody has asked for that: it may have a
# time limit. Told from the shortest round: the machine may have done something else in others.
_LONG_ENOUGH: Final = 5.0

# What a test may raise when it is called again although nobody asked for that: the exceptions of
# tests, but nothing that stops a program or cancels a task.
_REFUSALS: Final = (Exception, pytest.fail.Exception, pytest.skip.Exception)


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often one test is called.

    Attributes:
        asked: as often as somebody has asked for; a test has to pass that often.
        usual: so often if it can be, and always gives the same figures.
        before: its figures in the baseline that decides; `None`: nothing decides.
        limits: the growth that is allowed.
        ratchet: whether to shrink by more than that is a failure too.
    """

    asked: int = 1
    usual: int = 1
    before: TestFigures | None = None
    limits: tuple[Limit, ...] = ()
    ratchet: bool = False

    def is_refusal(self, calls: int, error: BaseException) -> bool:
        """Tell whether an exception says no more than that the test cannot be called again.

        Args:
            calls: how many rounds there were before the one that raised it.
            error: the exception.
        """
        return calls >= self.asked and isinstance(error, _REFUSALS)

    def go_on(self, done: Sequence[TestFigures], shortest: float = 0.0) -> bool:
        """Tell whether there is to be another round.

        Args:
            done: the figures of the rounds so far.
            shortest: how long the shortest of them took, in seconds.
        """
        if len(done) < self.asked:
            return True
        if shortest * len(done) > _LONG_ENOUGH:
            # Of fewer rounds than then, the figures would be larger for that alone.
            fewer = self.before is not None and len(done) < self.before.rounds
            return fewer and self._is_in_doubt(done)
        if len(done) < self.usual:
            return True
        if self.usual == 1 or len(done) >= self.usual * _MORE:
            return False
        varies = len({figures.allocations for figures in done[1:]}) > 1
        return varies or _is_shrinking(done) or self._is_in_doubt(done)

    def _is_in_doubt(self, done: Sequence[TestFigures]) -> bool:
        if self.before is None:
            return False
        difference = Difference("", self.before, smallest(done))
        directions = (False, True) if self.ratchet else (False,)
        return any(
            has_changed(difference, limit, shrunk=shrunk)
            for limit in self.limits
            for shrunk in directions
        )


def _is_shrinking(done: Sequence[TestFigures]) -> bool:
    """Tell whether the latest round took fewer bytes than all others.

    Up to Python 3.12 each of the first thirty instances of a class takes 8 bytes less than the one
    before; how many bytes that are in the end must not depend on the number of rounds.
    """
    *earlier, latest = (figures.bytes_allocated for figures in done)
    return latest < min(earlier, default=latest)


@dataclass(frozen=True, slots=True)
class Plan:
    """How often the tests of a session are called.

    Attributes:
        asked: of an option, 1 without it.
        usual: of every test that can be called again.
        before: the baseline that decides which tests fail, by node id; empty: nothing decides.
        limits: the growth that is allowed.
        ratchet: whether to shrink by more than that is a failure too.
    """

    asked: int
    usual: int
    before: Mapping[str, TestFigures]
    limits: tuple[Limit, ...]
    ratchet: bool

    def rounds(self, item: pytest.Function, asked: int, *, has_examples: bool) -> Rounds:
        """Return how often a test is called.

        Args:
            item: the test.
            asked: as often as its marker says.
            has_examples: whether Hypothesis calls it, with other arguments each time.
        """
        asked = max(asked, self.asked)
        if has_examples or _tells_otherwise(item):
            return Rounds(asked)
        return Rounds(asked, self.usual, self.before.get(item.nodeid), self.limits, self.ratchet)


# Where the configuration keeps the plan of the session, if options ask for anything.
PLAN = pytest.StashKey[Plan]()


def rounds_of(item: pytest.Function, asked: int, *, has_examples: bool) -> Rounds:
    """Return how often a test is called; see `Plan.rounds`."""
    plan = item.config.stash.get(PLAN, None)
    if plan is None:
        return Rounds(asked)
    return plan.rounds(item, asked, has_examples=has_examples)


def _tells_otherwise(item: pytest.Function) -> bool:
    """Tell whether a test says what is wrong in other ways than by exceptions.

    What it says in a round that nobody asked for would make it fail.
    """
    from unittest import TestCase

    found: Any = {"allocations", "subtests"}.intersection(item.fixturenames)
    return bool(found) or isinstance(item.instance, TestCase)
