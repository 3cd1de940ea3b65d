"""Running small suites of tests in processes of their own, and reading what became of each test."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field

import pytest

from allocmeter.testing.baselines import environment_key
from tracing import coverage_variables

ANYIO = "anyio.pytest_plugin"
ASYNCIO = "pytest_asyncio.plugin"
TRIO = "pytest_trio.plugin"
HYPOTHESIS = "_hypothesis_pytestplugin"
XDIST = "xdist.plugin"
RERUNS = "pytest_rerunfailures"

# Notes what became of each call; in the controller if there are several processes.
RECORDER = """
import json

is_worker = False

def pytest_configure(config):
    global is_worker
    is_worker = hasattr(config, "workerinput")

def pytest_runtest_logreport(report):
    if not is_worker and (report.when == "call" or report.outcome == "skipped"):
        with open("reports.jsonl", "a") as file:
            sections = [text for name, text in report.sections if "allocations" in name]
            json.dump([report.nodeid, report.outcome, dict(report.user_properties),
                       report.longreprtext, sections], file)
            print(file=file)
"""


@dataclass
class Outcome:
    """What became of the last run of one test."""

    outcome: str
    properties: dict = field(repr=False)
    text: str
    sections: list

    @property
    def figures(self):
        """Blocks, bytes and peak of the call."""
        names = ("allocations", "bytes", "peak_bytes")
        return tuple(self.properties.get(f"allocmeter.{name}") for name in names)


class Suite:
    """A suite in a directory of its own."""

    def __init__(self, pytester):
        self.pytester = pytester
        self.result = None
        pytester.makeconftest(RECORDER)
        pytester.makeini("[pytest]\naddopts = --strict-markers -p no:cacheprovider\n")

    def run(self, source, *options, plugins=(ANYIO,)):
        """Run the tests of `source`, and return what became of each of them by its name.

        Args:
            source: of a module of tests.
            options: of pytest.
            plugins: modules to load beside ours; no others are.
        """
        self.pytester.makepyfile(test_it=textwrap.dedent(source))
        reports = self.pytester.path / "reports.jsonl"
        reports.unlink(missing_ok=True)
        loaded = [part for plugin in plugins for part in ("-p", plugin)]
        self.result = self.pytester.runpytest_subprocess(
            "-p", "allocmeter.pytest_plugin", *loaded, *options
        )
        lines = reports.read_text("utf-8").splitlines() if reports.exists() else []
        self.runs = [
            (nodeid.partition("::")[2], Outcome(*rest)) for nodeid, *rest in map(json.loads, lines)
        ]
        return dict(self.runs)

    def errors(self, source, *options, plugins=(ANYIO,)):
        """Run tests that are refused as a whole, and return what pytest says to that."""
        assert self.run(source, *options, plugins=plugins) == {}
        assert self.result.ret == pytest.ExitCode.USAGE_ERROR, self.result.outlines
        return self.result.stderr.str()


class Project:
    """A suite with baselines, whose tests read from a file what they are to do.

    Args:
        suite: where it is.
        source: of its tests, unless a run has others.
        plugins: to load beside ours, unless a run has others.
    """

    def __init__(self, suite, source, plugins=()):
        self.suite = suite
        self.path = suite.pytester.path
        self.directory = self.path / ".allocmeter" / environment_key()
        self._source = source
        self._plugins = plugins

    def run(self, *options, source=None, plugins=None, **given):
        """Run the tests with what they are given; return the exit status of pytest."""
        (self.path / "given.json").write_text(json.dumps(given))
        loaded = self._plugins if plugins is None else plugins
        self.outcomes = self.suite.run(source or self._source, *options, plugins=loaded)
        self.text = self.suite.result.stdout.str()
        self.errors = self.suite.result.stderr.str()
        self.named = [line.split()[1] for line in self.text.splitlines() if "FAILED  " in line]
        return self.suite.result.ret

    def saved(self, name):
        """Return what a baseline holds of each test, by the test's name."""
        document = json.loads((self.directory / f"{name}.json").read_text("utf-8"))
        return {test.partition("::")[2]: found for test, found in document["tests"].items()}


def verdicts(outcomes):
    """Return for each test whether it passed."""
    return {name: found.outcome for name, found in outcomes.items()}


@pytest.fixture
def suite(pytester, monkeypatch):
    """A suite whose processes load no plugin but those asked for, and are measured by coverage."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    for name, value in coverage_variables().items():
        monkeypatch.setenv(name, value)
    return Suite(pytester)
