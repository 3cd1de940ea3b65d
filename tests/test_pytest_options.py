"""Options that make no sense, baselines that cannot be read: errors that say what to do."""

from __future__ import annotations

import json

import pytest

from allocmeter.testing.baseline_format import plain
from allocmeter.testing.baselines import environment_key
from allocmeter.testing.figures import TestFigures
from pytest_suites import suite  # noqa: F401 - a fixture

SOURCE = "def test_it(): assert 0, 'it was run'\n"
HERE = f".allocmeter/{environment_key()}"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--allocmeter-rounds=0"], "--allocmeter-rounds: 0 is below 1"),
        (["--allocmeter-rounds=x"], "--allocmeter-rounds: 'x' is not a whole number"),
        (["--allocmeter-top=-1"], "--allocmeter-top: -1 is below 0"),
        (["--allocmeter-sort=rss"], "--allocmeter-sort: invalid choice: 'rss'"),
        (["--allocmeter-save=../x"], "--allocmeter-save: '../x' is no name of a baseline"),
        (["--allocmeter-save=7"], "'7' is a number, and numbers are given automatically"),
        (["--allocmeter-compare=a/b/c"], "--allocmeter-compare: 'b/c' is no name of a baseline"),
        (
            ["--allocmeter-compare-fail=bytes:5%"],
            "--allocmeter-compare-fail has no baseline to compare with: add --allocmeter-compare",
        ),
        (
            ["--allocmeter-compare", "--allocmeter-compare-fail=bytes=5"],
            "--allocmeter-compare-fail: 'bytes=5' has no colon; expected METRIC:LIMIT",
        ),
        (["--allocmeter-save", "test_it.py"], "write --allocmeter-save="),
        (["--allocmeter-compare", "test_it.py::test_it"], "is test_it.py::test_it the name of"),
        (["--allocmeter-compare"], f"there is no baseline in {HERE}/; save one with"),
        (["--allocmeter-compare=main"], f"there is no baseline 'main' in {HERE}/; save one with"),
        (["--allocmeter-compare=3"], "there is no baseline '3'"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_any_test(suite, options, text):  # noqa: F811
    assert text in " ".join(suite.errors(SOURCE, *options).split())
    assert "it was run" not in suite.result.stdout.str()


VALID = {
    "schema_version": 2,
    "kind": "allocmeter-baseline",
    "created_at": "2026-01-01T00:00:00+00:00",
    "allocmeter": "0.1.0",
    "python": "cpython 3.11.7",
    "platform": "Linux x86_64",
    "domains": ["python"],
    "rounds": 5,
    "tests": {},
}


def _with_each(rounds):
    figures = dict.fromkeys(plain(TestFigures(0, 0, 0, 0, 0)), 1)
    return VALID | {"tests": {"test_it.py::test_it": figures | {"each": {"allocations": rounds}}}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not a baseline: the text is no JSON"),
        (json.dumps(VALID | {"schema_version": 3}), "schema version 3, and this allocmeter reads"),
        (json.dumps(VALID | {"rounds": 0}), "damaged baseline: rounds must be 1 or more; got 0"),
        (json.dumps(_with_each([])), "allocations of each round must be a list of numbers"),
        (json.dumps(_with_each(["5"])), "allocations must be an int, not str ('5')"),
        (json.dumps(_with_each({})), "allocations of each round must be a list of numbers"),
    ],
)
@pytest.mark.parametrize("option", ["--allocmeter-compare=main", "--allocmeter-save=main"])
def test_a_damaged_or_newer_baseline_is_refused_and_left_alone(
    suite,  # noqa: F811
    option,
    text,
    problem,
):
    path = suite.pytester.path / HERE / "main.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    errors = suite.errors(SOURCE, option)
    assert f"{HERE}/main.json: " in errors
    assert problem in errors
    assert "left as it is: restore it from version control, or remove it and save a new" in errors
    assert path.read_text() == text
    assert "it was run" not in suite.result.stdout.str()


def test_several_names_and_no_number_are_no_latest_baseline(suite):  # noqa: F811
    directory = suite.pytester.path / HERE
    directory.mkdir(parents=True)
    for name in ("main", "later"):
        (directory / f"{name}.json").write_text(json.dumps(VALID))
    errors = suite.errors(SOURCE, "--allocmeter-compare")
    assert f"there is no numbered baseline in {HERE}/, but later, main: give one of" in errors

    (directory / "later.json").unlink()
    suite.run("def test_it(): pass", "--allocmeter-compare")
    assert suite.result.ret == 0
    assert f"comparing with {HERE}/main.json" in suite.result.stdout.str()
    assert "1 new" in suite.result.stdout.str()
    assert (
        "warning: no test is in both, so there is nothing to compare" in suite.result.stdout.str()
    )


def test_a_place_that_cannot_be_written_fails_the_session_and_says_so(suite):  # noqa: F811
    (suite.pytester.path / ".allocmeter").write_text("a file")
    suite.run("def test_it(): pass", "--allocmeter-save")
    assert suite.result.ret == 1
    text = suite.result.stdout.str()
    assert f"FAILED  cannot make {HERE}: " in text
    assert "1 passed" in text


def test_collecting_only_measures_compares_and_saves_nothing(suite):  # noqa: F811
    suite.run(SOURCE, "--allocmeter-compare", "--allocmeter-save=main", "--collect-only", "-q")
    assert suite.result.ret == 0
    assert "measured tests" not in suite.result.stdout.str()
    assert not (suite.pytester.path / ".allocmeter").exists()


def test_without_the_options_there_is_nothing_of_ours_in_the_output(suite):  # noqa: F811
    suite.run("def test_it(): pass")
    assert "allocmeter" not in suite.result.stdout.str()
    assert not (suite.pytester.path / ".allocmeter").exists()


def test_the_top_of_no_tests_is_said_to_be_empty(suite):  # noqa: F811
    suite.run("import pytest\ndef test_it(): pytest.skip()", "--allocmeter-save")
    text = suite.result.stdout.str()
    assert "allocmeter: 0 of 0 measured tests, by bytes" in text
    assert "nothing was saved: no test was measured and passed" in text


# The first test leaves a cycle, and what it did not close would be an error of whoever collects it.
LEAVING = """
    import gc, weakref

    class Open:
        def __init__(self):
            self.itself = self

        def __del__(self):
            import warnings
            warnings.warn("left open", ResourceWarning)

    left = []

    def test_first():
        gc.disable()
        left.append(weakref.ref(Open()))

    def test_second():
        gc.enable()
        assert left[0]() is None
"""


def test_a_test_starts_without_the_garbage_of_those_before(suite):  # noqa: F811
    suite.run(LEAVING, "--allocmeter", "-Werror")
    assert suite.result.ret == 0, suite.result.stdout.str()
