"""A session: all runs, round by round, and what is left of them when it is interrupted."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.conditions import IDLE, NOTHING, SCOPE, TRACEMALLOC
from benchmarks.measuring import RunFailedError, children_cpu_seconds, run
from benchmarks.paths import ROOT
from benchmarks.results import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.conditions import Condition
    from benchmarks.results import Results
    from benchmarks.subjects import Subject

THROUGHPUT: Final = "benchmarks.servers.throughput"
# What the servers' own benchmark calls the conditions.
SERVED: Final = {
    "nothing": NOTHING,
    "hooks": IDLE,
    "allocmeter": SCOPE,
    "tracemalloc": TRACEMALLOC,
}


class Session:
    """Measures subjects under conditions, each once in a round, so that conditions take turns.

    Args:
        results: where every run is added.
        saved: where they are written after every subject.
        conditions: keys of those to measure under.
        quick: whether curves are shorter.
    """

    def __init__(
        self, results: Results, saved: Path, conditions: frozenset[str], *, quick: bool
    ) -> None:
        self._results = results
        self._saved = saved
        self._conditions = conditions
        self._quick = quick
        self._started = time.monotonic()

    def measure(self, subjects: Sequence[Subject], rounds: int) -> None:
        """Measure all subjects in so many rounds.

        What cannot be measured here is noted as a failure, once, and left out from then on.
        """
        for number in range(rounds):
            for subject in subjects:
                if number < subject.rounds:
                    self._subject(subject, number, rounds)

    def _subject(self, subject: Subject, number: int, rounds: int) -> None:
        before, cpu_before = time.monotonic(), children_cpu_seconds()
        try:
            if subject.group == "server":
                samples = list(self._served(subject, number))
            else:
                samples = list(self._run(subject, number))
        finally:
            self._results.save(self._saved)
        if samples:
            now = time.monotonic()
            print(
                f"[{now - self._started:5.0f} s] round {number + 1} of {rounds}: "
                f"{subject.name}, {len(samples)} conditions in {now - before:.1f} s, "
                f"{children_cpu_seconds() - cpu_before:.1f} s of them CPU",
                file=sys.stderr,
                flush=True,
            )

    def _run(self, subject: Subject, number: int) -> Iterator[Sample]:
        for condition in self._in_turn(subject, number):
            problem = subject.why_not() or condition.why_not()
            if not problem:
                try:
                    figures = run(subject, condition, quick=self._quick)
                except RunFailedError as error:
                    problem = str(error)
                else:
                    sample = Sample(subject.name, condition.key, number, figures)
                    self._results.samples.append(sample)
                    yield sample
            if problem:
                self._note(subject, condition, problem)

    def _in_turn(self, subject: Subject, number: int) -> list[Condition]:
        """Return the conditions of a subject, beginning with another one in each round."""
        wanted = [
            condition
            for condition in subject.conditions
            if condition.key in self._conditions
            and not self._failed(subject, condition)
            and not (condition.slow and number >= subject.slow_rounds)
        ]
        first = number % len(wanted) if wanted else 0
        return wanted[first:] + wanted[:first]

    def _served(self, subject: Subject, number: int) -> Iterator[Sample]:
        """Start a server under each condition, and load them in turns."""
        problem = subject.why_not()
        if problem or self._failed(subject, NOTHING):
            self._note(subject, NOTHING, problem)
            return
        with tempfile.TemporaryDirectory(prefix="allocmeter-benchmark-") as directory:
            answer = Path(directory) / "pairs.json"
            (route,) = subject.arguments
            turns = 1 if self._quick else 2
            command = [sys.executable, "-m", THROUGHPUT, "--pairs=1", f"--turns={turns}"]
            done = subprocess.run(
                [*command, f"--route={route}", f"--json={answer}"],
                check=False,
                capture_output=True,
                text=True,
                cwd=ROOT,
            )
            if not answer.exists():
                self._note(subject, NOTHING, done.stderr[-2000:])
                return
            ((pair,),) = json.loads(answer.read_text(encoding="utf-8")).values()
        for kind, work in pair.items():
            figures = {
                "requests per second": work["requests"] / work["seconds"],
                "seconds": work["cpu_seconds"] / work["requests"],
            }
            sample = Sample(subject.name, SERVED[kind].key, number, figures)
            self._results.samples.append(sample)
            yield sample

    def _failed(self, subject: Subject, condition: Condition) -> bool:
        return f"{subject.name}, {condition.key}" in self._results.failures

    def _note(self, subject: Subject, condition: Condition, problem: str) -> None:
        if not self._failed(subject, condition):
            self._results.failures[f"{subject.name}, {condition.key}"] = problem
            print(f"{subject.name}, {condition.key}: {problem}", file=sys.stderr, flush=True)
