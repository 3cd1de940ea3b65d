"""What the calls of one test function add up to."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any

from allocmeter._core.own import OWN
from allocmeter.errors import BackendUnavailableError
from allocmeter.leak_check import Repetition
from allocmeter.scopes import measure
from allocmeter.size_classes import count_size_classes
from allocmeter.testing.contexts import clear, fill
from allocmeter.testing.figures import figures_of, largest, smallest
from allocmeter.testing.findings import examined
from allocmeter.testing.loops import even_out
from allocmeter.testing.rounds import Rounds
from allocmeter.testing.scattering import scattered
from allocmeter.testing.scope_rows import since, snapshot
from allocmeter.testing.settling import empty_free_lists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from allocmeter.leak_check import LeakCheck
    from allocmeter.testing.figures import TestFigures
    from allocmeter.testing.findings import Findings
    from allocmeter.testing.markers import Asked
    from allocmeter.testing.scope_rows import Totals


class Measurement:
    """Takes in what the calls of a test function allocate. For one test at a time.

    Attributes:
        asked: what its markers ask for.
        figures: the largest of all calls; `None`: there was none, or nothing is known of it.
        call: of the latest call, in the rounds that somebody has asked for.
        leaks: what the check for leaks found in the latest call.
        unavailable: why nothing is known of a call, empty if everything is.
        has_ended: whether the latest call came to its end, and did not fail.
        refused: what is wrong with the latest example of Hypothesis that was refused for it.

    Args:
        asked: see there.
        rounds: how often it is called; without it, as often as its markers ask for.
        examine: told when a call has ended, while Hypothesis can still take what it raises for a
            failure of the example.
    """

    def __init__(
        self,
        asked: Asked,
        rounds: Rounds | None = None,
        examine: Callable[[Measurement], None] | None = None,
    ) -> None:
        self.asked = asked
        self.figures: TestFigures | None = None
        self.call: TestFigures | None = None
        self.leaks: LeakCheck | None = None
        self.unavailable: str = ""
        self.has_ended: bool = False
        self.refused: Findings | None = None
        self._examine = examine
        self._often = Rounds(asked.rounds) if rounds is None else rounds
        self._rounds: list[TestFigures] = []
        self._scope: measure | None = None
        self._scopes_before: dict[str, Totals] = {}

    def rounds(self) -> Iterator[measure]:
        """Yield the scope for each round, which starts from the same state as the others.

        All but the addresses of what it allocates: those are others each time.
        """
        known, shortest = -1, inf
        # A round of which nothing is known is the last.
        while known < len(self._rounds) and self._often.go_on(self._rounds, shortest):
            known = len(self._rounds)
            with OWN:
                self._scopes_before = snapshot()
                self._scope = scope = measure()
                if self.asked.budget.is_limited:
                    count_size_classes(scope)
                even_out()
                kept = scattered(known) if known else []
                fillers = fill()
                begun = perf_counter()
                empty_free_lists()  # last: a number that is let go of lies in one
            try:
                yield scope
            finally:
                with OWN:
                    shortest = min(shortest, perf_counter() - begun)
                    clear(fillers)
                    del kept
            with OWN:
                self._settle()

    def _settle(self) -> None:
        scope, self._scope = self._scope, None
        if scope is None or not scope.is_closed:
            return
        # What waits there to be used again is not kept by the test.
        empty_free_lists()
        try:
            figures = figures_of(scope)
        except BackendUnavailableError as error:
            self.unavailable = str(error)
            return
        self._rounds.append(replace(figures, scopes=since(self._scopes_before)))

    def repetition(self, fn: Callable[[], Any]) -> Repetition | None:
        """Return how to check `fn` for leaks, `None` if nothing asks for that."""
        leaks = self.asked.leaks
        return None if leaks is None else Repetition(fn, leaks.iterations, leaks.warmup)

    def end(self, leaks: LeakCheck | None = None) -> None:
        """Take in that a call has ended, with all its rounds."""
        with OWN:
            self._sum_up()
            self.leaks = leaks
            self.has_ended = True
            if self._examine is not None:
                self._examine(self)

    def findings(self) -> Findings | None:
        """Return what is wrong with the latest call; `None`: nothing, or it did not end."""
        if self.call is None or not self.has_ended:
            return None
        return examined(self.call, self.asked.budget, self.leaks, self.asked.leaks) or None

    def is_done(self, error: BaseException) -> bool:
        """Tell whether a call that failed was one too many, and the rounds before it are enough."""
        with OWN:
            if not self._often.is_refusal(len(self._rounds), error):
                return False
            self._scope = None
            return True

    def fail(self) -> None:
        """Take in that a call has failed, in whichever round."""
        with OWN:
            self.has_ended = False
            self._settle()
            self._sum_up()

    def _sum_up(self) -> None:
        if self._rounds:
            self.call = smallest(self._rounds[: self._often.asked])
            found = smallest(self._rounds)
            self.figures = largest([*filter(None, [self.figures]), found])
            self._rounds.clear()
