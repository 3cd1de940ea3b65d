"""What comes out of a session: comparing with a baseline, and saving one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allocmeter.testing.baseline_format import Baseline
from allocmeter.testing.baselines import BaselineError
from allocmeter.testing.generosity import too_generous

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allocmeter.regressions import Violation
    from allocmeter.testing.comparison import TestsComparison
    from allocmeter.testing.figures import TestFigures
    from allocmeter.testing.session import Controller


@dataclass(slots=True)
class Conclusion:
    """What came out of a session.

    Attributes:
        tests: the figures of the tests that passed, by node id.
        title: of the baseline that was compared with.
        comparison: with the baseline; `None`: there was none to do.
        regressions: growth beyond the limits.
        by_chance: growth beyond them of tests that vary by as much: which, and why.
        improvements: of a ratchet, shrinkage beyond the limits.
        generous: of a ratchet, budgets that are much too generous: whose, and why.
        saving: one sentence on what was saved, or why nothing was; empty: nothing was asked for.
        error: why saving failed; empty: it did not.
    """

    tests: Mapping[str, TestFigures]
    title: str = ""
    comparison: TestsComparison | None = None
    regressions: tuple[Violation, ...] = ()
    by_chance: tuple[tuple[str, str], ...] = ()
    improvements: tuple[Violation, ...] = ()
    generous: tuple[tuple[str, str], ...] = ()
    saving: str = ""
    error: str = ""

    @property
    def is_failure(self) -> bool:
        """Whether the session is to fail for it."""
        return bool(self.regressions or self.improvements or self.generous or self.error)


def conclude(controller: Controller, *, is_complete: bool) -> Conclusion:
    """Compare and save what a session has recorded, as its options ask for.

    Args:
        controller: of the session.
        is_complete: whether the session came to its end; one that was interrupted saves nothing.
    """
    conclusion = Conclusion(dict(controller.recording.tests))
    current = _baseline_of(conclusion.tests, controller.options.rounds)
    if controller.compared is not None:
        _compare(conclusion, controller, current)
    if controller.options.ratchet:
        recording = controller.recording
        conclusion.generous = tuple(
            too_generous(recording.budgets, conclusion.tests, recording.selection)
        )
    if controller.options.save is not None:
        _save(conclusion, controller, current, is_complete=is_complete)
    return conclusion


def _compare(conclusion: Conclusion, controller: Controller, current: Baseline) -> None:
    from allocmeter.testing.comparison import by_chance, compare, improvements, regressions
    from allocmeter.testing.summary import heading

    assert controller.compared is not None
    path, baseline = controller.compared
    options = controller.options
    conclusion.title = heading(controller.store.shown(path), baseline)
    conclusion.comparison = compare(baseline, current, controller.recording.selection)
    conclusion.regressions = regressions(conclusion.comparison, options.limits)
    conclusion.by_chance = tuple(by_chance(conclusion.comparison, options.limits))
    if options.ratchet:
        conclusion.improvements = improvements(conclusion.comparison, options.limits)


def _save(
    conclusion: Conclusion, controller: Controller, current: Baseline, *, is_complete: bool
) -> None:
    if not is_complete:
        conclusion.saving = "nothing was saved: the session did not come to its end"
    elif conclusion.regressions:
        conclusion.saving = (
            "nothing was saved: tests grew by more than is allowed; to accept it, save without "
            "--allocmeter-compare-fail"
        )
    elif not conclusion.tests:
        conclusion.saving = "nothing was saved: no test was measured and passed"
    else:
        path, kept = controller.target(), _kept(controller, current)
        try:
            controller.store.save(path, _with_tests(current, {**kept, **current.tests}))
        except BaselineError as error:
            conclusion.error = str(error)
            return
        shown = controller.store.shown(path)
        conclusion.saving = f"saved {_tests(len(current.tests))} in {shown}"
        if kept:
            conclusion.saving += f", which keeps {_tests(len(kept))} that this run did not measure"


def _kept(controller: Controller, current: Baseline) -> Mapping[str, TestFigures]:
    """Return what a named baseline has of tests that exist, but have no figures now."""
    if controller.replaced is None:
        return {}
    has_lost = controller.recording.selection.has_lost
    return {
        test: figures
        for test, figures in controller.replaced.tests.items()
        if test not in current.tests and not has_lost(test)
    }


def _baseline_of(tests: Mapping[str, TestFigures], rounds: int) -> Baseline:
    import datetime as dt
    import platform

    from allocmeter._core import preload
    from allocmeter._version import __version__
    from allocmeter.facts import python_version

    return Baseline(
        tests,
        created_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        allocmeter=__version__,
        python=python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        domains=("python", "native") if preload.is_seen() else ("python",),
        rounds=rounds,
    )


def _with_tests(baseline: Baseline, tests: Mapping[str, TestFigures]) -> Baseline:
    from dataclasses import replace

    return replace(baseline, tests=tests)


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count:,} tests"
