"""Running a part of a suite without us and with us."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import results
from processes import environment, logged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from environments import Interpreter
    from suites import Part

LOG_VARIABLE = "ALLOCMETER_UPSTREAM_LOG"  # as in measured.py

WITHOUT = "without"
STARTUP = "startup"  # every process of the environment measures from its start
RUN = "run"  # `allocmeter run`, malloc included; children are as they are
PLUGIN = "plugin"  # `pytest --allocmeter`: the body of every test of a library
WAYS = (STARTUP, RUN, PLUGIN)


@dataclass(frozen=True)
class Settings:
    """What holds for all runs.

    Attributes:
        output: the directory for logs and results.
        timeout: for one run, in seconds.
        resume: keep what was run into that directory before.
    """

    output: Path
    timeout: float
    resume: bool


@dataclass(frozen=True)
class Run:
    """A part of a suite on an interpreter, in one way.

    Attributes:
        way: `WITHOUT`, or one of `WAYS`.
    """

    interpreter: Interpreter
    part: Part
    way: str
    settings: Settings

    def outcomes(self, tests: Sequence[str] = (), attempt: int = 0) -> dict[str, str]:
        """Run it and return the outcome of each test.

        Args:
            tests: the only ones to run, in that repetition.
            attempt: counts repetitions; 0 is the run of everything.
        """
        report = self._file("xml", attempt)
        status = report.with_suffix(".status")
        if attempt or not (self.settings.resume and status.exists()):
            report.unlink(missing_ok=True)
            ended = logged(
                self._command(report, tests),
                report.with_suffix(".log"),
                self.settings.timeout,
                cwd=self.part.directory or self.settings.output,
                env=environment(**{LOG_VARIABLE: str(self._file("measured", attempt))}),
            )
            status.write_text(json.dumps(ended))
        return results.read(report, json.loads(status.read_text()))

    def allocations(self) -> int:
        """Return how many allocations were recorded: the evidence that there was measuring."""
        evidence = self._file("xml" if self.way == PLUGIN else "measured", 0)
        if not evidence.exists():
            return 0
        if self.way == PLUGIN:
            return results.property_sum(evidence, "allocmeter.allocations")
        if self.way == RUN:
            return int(json.loads(evidence.read_text())["process"]["allocations"])
        return sum(int(line.split()[-1]) for line in evidence.read_text().splitlines())

    def _command(self, report: Path, tests: Sequence[str]) -> list[str]:
        arguments = self.part.arguments(report, tests)
        if self.part.suite != "cpython":
            arguments += ["--allocmeter"] if self.way == PLUGIN else ["-p", "no:allocmeter"]
        if self.way == STARTUP:
            return [str(self.interpreter.measured), *arguments]
        if self.way == RUN:
            options = ["-q", "-o", str(self._file("measured", 0))]
            arguments = ["-m", "allocmeter", "run", *options, *arguments]
        return [str(self.interpreter.plain), *arguments]

    def _file(self, suffix: str, attempt: int) -> Path:
        again = f".again-{attempt}" if attempt else ""
        name = f"{self.interpreter.version}-{self.part.name}-{self.way}{again}.{suffix}"
        return self.settings.output / name
