"""The benchmark suite runs: fresh processes, conditions that are what they say, kept results."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig

import pytest

from benchmark_results import MACHINE, ROOT
from children import output_of

# isort: split

from benchmarks import measuring, null_hook
from benchmarks.conditions import CONDITIONS, NOTHING, SCOPE, Condition
from benchmarks.results import Results
from benchmarks.session import Session
from benchmarks.subjects import SUBJECTS, Subject

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uses process groups")
COMPILER = shlex.split(sysconfig.get_config_var("CC") or "cc")[0]
needs_compiler = pytest.mark.skipif(shutil.which(COMPILER) is None, reason="no C compiler")

IN_PROCESS = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
"""


@needs_compiler
def test_one_workload_runs_under_three_conditions(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-m", "benchmarks", "--rounds=2"),
            *("--only=slotted objects", "--conditions=nothing,null_hook,scope"),
            f"--output={tmp_path}",
        ],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    results = Results.load(tmp_path / "benchmarks" / "results.json")
    assert [(sample.round, sample.condition) for sample in results.samples] == [
        *((0, key) for key in ("nothing", "null_hook", "scope")),
        *((1, key) for key in ("null_hook", "scope", "nothing")),
    ]
    assert all(sample.figures["seconds"] > 0 for sample in results.samples)
    assert results.failures == {}
    assert "round 2 of 2: slotted objects" in done.stderr
    written = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "| slotted objects |" in written
    assert "2 rounds." in written


def test_what_is_unknown_is_refused(tmp_path):
    for option in ("--only=nothing at all", "--conditions=other"):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", option, f"--output={tmp_path}"],
            cwd=ROOT,
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode == 2
        assert "no " in done.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_a_process_that_fails_says_why():
    unknown = Subject("not there", "allocation", "workloads.allocation:slotted_objects")
    with pytest.raises(measuring.RunFailedError, match=r"status 2: (.|\n)*invalid choice"):
        measuring.run(unknown, NOTHING, quick=True)


def test_what_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(measuring, "TIMEOUT", 0.01)
    with pytest.raises(measuring.RunFailedError, match="took more than"):
        measuring.run(SUBJECTS[0], NOTHING, quick=True)


def test_a_failure_is_noted_once_and_the_others_go_on(monkeypatch, tmp_path):
    calls = []

    def run(subject, condition, *, quick):
        calls.append((subject.name, condition.key))
        if condition is SCOPE:
            raise measuring.RunFailedError("on purpose")
        return {"seconds": 1.0}

    monkeypatch.setattr("benchmarks.session.run", run)
    missing = Condition("missing", "missing", lambda: None, needs="no_such_module")
    subject = Subject("one", "allocation", "", conditions=(NOTHING, SCOPE, missing))
    absent = Subject("two", "allocation", "", conditions=(NOTHING,), needs=("no_such_module",))
    results = Results(MACHINE)
    session = Session(results, tmp_path / "r.json", frozenset([*CONDITIONS, "missing"]), quick=True)
    session.measure([subject, absent], 3)
    assert sorted(calls) == [("one", "nothing")] * 3 + [("one", "scope")]
    assert results.failures == {
        "one, scope": "on purpose",
        "one, missing": "no_such_module is not installed",
        "two, nothing": "no_such_module not installed",
    }
    assert vars(Results.load(tmp_path / "r.json")) == vars(results)


def test_slow_conditions_take_part_in_the_first_rounds_alone(monkeypatch, tmp_path):
    monkeypatch.setattr("benchmarks.session.run", lambda *_, quick: {"seconds": 1.0})
    slow = CONDITIONS["tracemalloc"]
    subject = Subject("one", "allocation", "", conditions=(NOTHING, slow), slow_rounds=1)
    results = Results(MACHINE)
    Session(results, tmp_path / "r.json", frozenset(CONDITIONS), quick=True).measure([subject], 3)
    assert list(results.by_round("one", "nothing", "seconds")) == [0, 1, 2]
    assert list(results.by_round("one", "tracemalloc", "seconds")) == [0]


def test_an_interruption_keeps_what_was_measured(monkeypatch, tmp_path):
    def run(subject, condition, *, quick):
        if condition is SCOPE:
            raise KeyboardInterrupt
        return {"seconds": 1.0}

    monkeypatch.setattr("benchmarks.session.run", run)
    subject = Subject("one", "allocation", "", conditions=(NOTHING, SCOPE))
    session = Session(Results(MACHINE), tmp_path / "r.json", frozenset(CONDITIONS), quick=True)
    with pytest.raises(KeyboardInterrupt):
        session.measure([subject], 3)
    assert [s.condition for s in Results.load(tmp_path / "r.json").samples] == ["nothing"]


@needs_compiler
def test_the_null_hook_is_in_use_and_forwards(tmp_path):
    code = """
import ctypes
from benchmarks import starting
starting.null_hook()
starting.null_hook()  # a second time, it must not wrap itself
(library, _) = starting.KEPT
kept = [[str(n), bytes(n), {n: n}] for n in range(2_000)]
big = bytearray(10)
big.extend(bytes(100_000))
del kept, big
print(library.null_hook_installed())
"""
    environment = {null_hook.VARIABLE: null_hook.build()}
    assert output_of(IN_PROCESS + code, **environment) == "1\n"


@pytest.mark.parametrize(
    "condition", [c for c in CONDITIONS.values() if c.needs == "allocmeter"], ids=lambda c: c.key
)
def test_a_condition_is_what_it_says(condition, tmp_path):
    if condition.why_not():
        pytest.skip(condition.why_not())
    if condition.key == "null_hook" and shutil.which(COMPILER) is None:
        pytest.skip("no C compiler")
    code = """
import json, sys, tracemalloc
from benchmarks.conditions import CONDITIONS
scope = CONDITIONS[sys.argv[1]].start()
ours = sys.modules.get("allocmeter")
print(json.dumps({
    "measures": scope is not None,
    "ours": ours is not None and ours.is_installed(),
    "tracking": ours is not None and ours.is_tracking(),
    "native": ours is not None and not ours.backend_info().domains["native"],
    "tracemalloc": tracemalloc.is_tracing(),
}))
"""
    environment = {**dict.fromkeys(os.environ), **condition.environment(tmp_path)}
    key = condition.key
    assert json.loads(output_of(IN_PROCESS + code, key, **environment)) == {
        "measures": key in ("scope", "tracking", "preloaded"),
        "ours": key in ("idle", "scope", "tracking", "preloaded"),
        "tracking": key == "tracking",
        "native": key == "preloaded",
        "tracemalloc": key == "tracemalloc",
    }


MEASURED = """
import sys
from allocmeter import measure, report
from benchmarks.subjects import SUBJECTS
(subject,) = (one for one in SUBJECTS if one.name == sys.argv[1])
for scope in (None, measure):
    subject.function()(scope, *subject.arguments, **subject.options)()
    print(sum(row.count for row in report().rows))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "scopes"),
    [
        ("slotted objects", 1),
        ("task trees", 8),
        ("20,000 tasks, a scope each", 20_000),
        ("echo server, a scope a line", 50 * 41),  # and one for the end of each connection
        ("strings, 4 deep", 4 * 40),
        ("async_tree_none", 1),
        ("json_dumps", 1),
        ("sqlite_synth", 1),
    ],
)
def test_a_workload_opens_a_scope_for_each_unit(name, scopes):
    (subject,) = (subject for subject in SUBJECTS if subject.name == name)
    if subject.why_not():
        pytest.skip(subject.why_not())
    assert output_of(IN_PROCESS + MEASURED, name).split() == ["0", str(scopes)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "subject",
    [s for s in SUBJECTS if s.group in ("scaling", "memory")],
    ids=lambda s: s.name,
)
@pytest.mark.skipif(sys.platform != "linux", reason="reads resident memory from /proc")
def test_every_curve_has_its_points(subject):
    found = measuring.run(subject, SCOPE, quick=True)
    assert all(value > 0 for value in found.values())
    for figure in found:
        curve, _, point = figure.rpartition(" ")
        assert curve
        assert int(point) > 0
