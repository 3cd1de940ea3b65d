"""What the options do in the course of a session: find the baselines first, conclude at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allocmeter.testing.baselines import BaselineError, Store
from allocmeter.testing.conclusion import conclude
from allocmeter.testing.options import UNNAMED, options_of
from allocmeter.testing.recording import Recording
from allocmeter.testing.rounds import PLAN, Plan
from allocmeter.testing.summary import heading, write

if TYPE_CHECKING:
    from pathlib import Path

    from allocmeter.testing.baseline_format import Baseline
    from allocmeter.testing.conclusion import Conclusion
    from allocmeter.testing.options import Options


def start(config: pytest.Config) -> None:
    """Do in this session what the options ask for.

    Raises:
        pytest.UsageError: options contradict each other, or a baseline is missing or damaged.
    """
    options = options_of(config)
    config.option.allocmeter = options.measures_all  # which baselines ask for as well
    recording = Recording(config)
    config.pluginmanager.register(recording, "allocmeter-recording")
    if config.option.collectonly:
        return
    store = Store(config.rootpath)
    try:
        controller = Controller(options, store, recording)
    except BaselineError as error:
        raise pytest.UsageError(f"allocmeter: {error}") from error
    config.stash[PLAN] = controller.plan()
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(controller, "allocmeter-controller")


class Controller:
    """Concludes a session; there is one, also if workers of xdist run the tests.

    Args:
        options: what the command line asks for.
        store: where baselines are.
        recording: what keeps the figures.

    Raises:
        BaselineError: a baseline is missing or damaged.
    """

    def __init__(self, options: Options, store: Store, recording: Recording) -> None:
        self.options = options
        self.store = store
        self.recording = recording
        self.compared: tuple[Path, Baseline] | None = None
        self.replaced: Baseline | None = None
        self._conclusion: Conclusion | None = None
        if options.compare is not None:
            unnamed = options.compare == UNNAMED
            path = store.latest() if unnamed else store.find(options.compare)
            self.compared = path, store.load(path)
        if options.save is not None and (path := self.target()).exists():
            self.replaced = store.load(path)

    def plan(self) -> Plan:
        """Return how often tests are called."""
        options = self.options
        before = {} if self.compared is None or not options.limits else self.compared[1].tests
        return Plan(
            options.asked_rounds, options.rounds, before, options.limits, ratchet=options.ratchet
        )

    def target(self) -> Path:
        """Return the file to save in, as it is now; the next number may be taken meanwhile."""
        save = self.options.save
        return self.store.target(None if save == UNNAMED else save)

    def pytest_report_header(self) -> str | None:
        """Say what is compared with."""
        if self.compared is None:
            return None
        path, baseline = self.compared
        return f"allocmeter: comparing with {heading(self.store.shown(path), baseline)}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Compare and save, and fail the session if some test needs more than it may."""
        is_complete = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        self._conclusion = conclude(self, is_complete=is_complete)
        if self._conclusion.is_failure and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the tests that allocate most, and what came out of comparing and saving."""
        if self._conclusion is not None:
            write(terminalreporter, self._conclusion, self.options)
