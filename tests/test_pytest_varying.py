"""Telling tests that vary from tests that have grown, from one save and one comparison."""

from __future__ import annotations

import json

import pytest

from allocmeter.limits import Limit
from allocmeter.testing.figures import TestFigures
from allocmeter.testing.rounds import Rounds
from pytest_suites import ANYIO, HYPOTHESIS, Project, suite  # noqa: F401 - a fixture

# `extra` says of each call of `test_varies` how many blocks of 1 KiB it allocates beside its own,
# the last one for all that follow; `steady` and `varying` add some to all calls of these tests.
SUITE = """
    import itertools, json, pathlib

    GIVEN = json.loads(pathlib.Path("given.json").read_text())
    EXTRA = itertools.chain(GIVEN["extra"], itertools.repeat(GIVEN["extra"][-1]))
    STEADY, VARYING = range(GIVEN.get("steady", 0)), range(GIVEN.get("varying", 0))
    RANGES = [range(number) for number in range(3)]
    SIZE = 1024 - 33

    def test_varies():
        for _ in RANGES[next(EXTRA)]:
            b"x" * SIZE
        for _ in VARYING:
            b"x" * SIZE

    def test_steady():
        for _ in STEADY:
            b"x" * SIZE
"""
COMPARED = ("--allocmeter-compare=main", "--allocmeter-compare-fail=allocations:0")
BY_TURNS = [0, 1] * 20


@pytest.fixture
def project(suite):  # noqa: F811
    return SavedProject(suite, SUITE)


class SavedProject(Project):
    """A suite of which the figures of each round are given."""

    def save(self, source=SUITE, plugins=(), **given):
        assert self.run("--allocmeter-save=main", source=source, plugins=plugins, **given) == 0
        return self.saved("main")


@pytest.mark.exact
def test_a_test_that_varies_is_not_called_worse_and_a_steady_one_is(project):
    saved = project.save(extra=BY_TURNS)
    own = saved["test_varies"]["allocations"]
    assert saved["test_varies"]["rounds"] == 20, "it was found out, and called more often"
    assert saved["test_varies"]["each"]["allocations"] == [own + 1] + [own, own + 1] * 9
    assert saved["test_steady"]["rounds"] == 5
    assert "each" not in saved["test_steady"]

    assert project.run(*COMPARED, extra=[1, 0, *BY_TURNS]) == 0, project.text
    assert project.run(*COMPARED, extra=BY_TURNS, steady=1) == 1
    assert project.named == ["test_it.py::test_steady:"], project.text
    assert "varies" not in project.text.partition("FAILED")[2]


@pytest.mark.exact
def test_what_grew_beneath_what_varies_is_found_and_the_range_is_said(project):
    own = project.save(extra=BY_TURNS)["test_varies"]["allocations"]
    assert project.run(*COMPARED, extra=BY_TURNS, varying=1) == 1
    assert project.named == ["test_it.py::test_varies:"]
    more = project.text.partition("FAILED  test_it.py::test_varies: ")[2].splitlines()[0]
    assert more.startswith(f"allocations {own} -> {own + 1} (+1, ")
    assert more.endswith(
        f"; varies between {own} and {own + 1} in the baseline, between {own + 1} and {own + 2} now"
    )


@pytest.mark.exact
@pytest.mark.parametrize(
    ("then", "now"),
    [
        pytest.param([0], [1] * 12 + [0], id="unlucky at first now"),
        pytest.param([1] * 3 + [0] + [1], [1], id="lucky once then"),
        pytest.param(BY_TURNS, [1] * 6 + [0, 1, 0, 1], id="by turns then, unlucky at first now"),
    ],
)
def test_luck_is_no_regression(project, then, now):
    project.save(extra=then)
    assert project.run(*COMPARED, extra=now) == 0, project.text
    assert project.named == []


@pytest.mark.exact
def test_what_may_be_chance_is_said(project):
    own = project.save(extra=[1] * 3 + [0] + [1])["test_varies"]["allocations"]
    assert project.run(*COMPARED, extra=[1]) == 0
    assert f"varies  test_it.py::test_varies: allocations {own} -> {own + 1} (+1" in project.text
    assert f"0 allowed; varies between {own} and {own + 1} in the baseline\n" in project.text


@pytest.mark.exact
def test_the_ratchet_does_not_take_luck_for_an_improvement(project):
    project.save(extra=[1])
    ratchet = (*COMPARED, "--allocmeter-ratchet")
    assert project.run(*ratchet, extra=[1] * 3 + [0] + [1]) == 0, project.text
    assert project.run(*ratchet, extra=[0]) == 1
    assert project.named == ["test_it.py::test_varies:"]


@pytest.mark.exact
def test_a_test_that_cannot_be_called_again_is_measured_once_and_passes(project):
    source = """
        import unittest, pytest

        CALLS = []

        def test_once():
            CALLS.append(1)
            assert len(CALLS) == 1

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio"])
        async def test_skips_then(tmp_path):
            if (tmp_path / "done").exists():
                pytest.skip("once is enough")
            (tmp_path / "done").mkdir()

        class TestCase(unittest.TestCase):
            def test_in_parts(self):
                CALLS.append(1)
                with self.subTest():
                    self.assertLess(len(CALLS), 5)

        def test_again():
            pass
    """
    saved = project.save(source, plugins=[ANYIO])
    rounds = {test: found["rounds"] for test, found in saved.items()}
    assert rounds.pop("test_again") == 5
    assert set(rounds.values()) == {1}
    assert len(rounds) == 3
    assert "3 tests were measured in one round only: what varies there is not known" in project.text
    assert {outcome.outcome for outcome in project.outcomes.values()} == {"passed"}


def test_rounds_that_somebody_has_asked_for_have_to_pass(project):
    source = """
        import pytest

        CALLS = []

        @pytest.mark.limit_allocations(bytes="1 MiB", rounds=3)
        def test_three():
            CALLS.append(1)
            assert len(CALLS) < GIVEN
    """
    good = source.replace("GIVEN", "4")
    assert project.save(good)["test_three"]["rounds"] == 3
    assert project.run("--allocmeter-save=main", source=source.replace("GIVEN", "3")) == 1
    assert project.run("--allocmeter-save", "--allocmeter-rounds=4", source=good) == 1
    assert project.run("--allocmeter-save", "--allocmeter-rounds=1", source=good) == 0


@pytest.mark.exact
def test_a_budget_is_for_the_rounds_that_its_marker_asks_for(project):
    source = """
        import pytest

        CALLS = []

        @pytest.mark.limit_allocations(bytes="10 KiB")
        def test_first_is_larger():
            CALLS.append(1)
            bytes(20_000 // len(CALLS))
    """
    assert project.run("--allocmeter-save=main", source=source) == 1
    assert "bytes: 20,1" in project.outcomes["test_first_is_larger"].text


@pytest.mark.exact
def test_examples_of_hypothesis_are_not_repeated(project):
    source = """
        from hypothesis import given, settings, strategies

        CALLS = []

        @settings(max_examples=7, database=None, derandomize=True)
        @given(strategies.integers())
        def test_examples(number):
            CALLS.append(number)

        def test_calls():
            assert len(CALLS) == 7
    """
    assert project.save(source, plugins=[HYPOTHESIS])["test_examples"]["rounds"] == 1


@pytest.mark.exact
def test_rounds_have_other_addresses_and_none_of_the_tasks_of_those_before(project):
    source = """
        import asyncio, pytest

        ADDRESSES, NUMBERS = [None] * 20, iter(range(20))

        def test_addresses():
            # One of them may be where something else was let go of a moment ago, each time.
            ADDRESSES[next(NUMBERS)] = tuple(id(bytes(size)) for size in range(60, 460, 40))

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio"])
        async def test_tasks():
            task = asyncio.create_task(asyncio.sleep(0))
            task.cycle = [task]
            await task
            asyncio.all_tasks()

        def test_that_they_differ():
            assert len({*ADDRESSES[1:5]}) > 1, ADDRESSES
    """
    saved = project.save(source, plugins=[ANYIO])
    assert saved["test_addresses"]["rounds"] == 5
    assert "allocations" not in saved["test_tasks[asyncio]"].get("each", ())


def test_a_baseline_that_knows_nothing_of_rounds_is_compared_with(project):
    project.save(extra=[0])
    path = project.directory / "main.json"
    document = json.loads(path.read_text("utf-8")) | {"schema_version": 1}
    del document["rounds"]
    path.write_text(json.dumps(document))
    assert project.run(*COMPARED, extra=[0]) == 0
    assert "warning" not in project.text
    assert project.run(*COMPARED, extra=[1]) == 1
    assert project.named == ["test_it.py::test_varies:"]


def test_what_takes_long_is_not_called_again_unless_that_would_call_it_worse():
    few, many = (TestFigures(blocks, 100, 100, 0, 0) for blocks in (5, 6))
    assert Rounds(usual=5).go_on([few], 0.1)
    assert not Rounds(usual=5).go_on([few], 6.0)
    assert Rounds(asked=2, usual=5).go_on([few], 6.0), "that somebody has asked for"
    assert Rounds(usual=5).go_on([few, *[many, few] * 3], 0.1)
    assert not Rounds(usual=5).go_on([few, *[many, few] * 3], 1.0)

    before = TestFigures(5, 100, 100, 0, 0, rounds=3)
    compared = Rounds(usual=5, before=before, limits=(Limit("allocations", 0),))
    assert not compared.go_on([few], 6.0)
    assert compared.go_on([many], 6.0), "the first fills caches"
    assert not compared.go_on([many] * 3, 6.0)


def test_what_takes_fewer_bytes_each_time_is_called_until_it_does_not():
    """Up to Python 3.12 instances of a class shrink, so the number of calls would tell."""
    falling = [TestFigures(5, size, 100, 0, 0) for size in range(1000, 840, -8)]
    rounds = Rounds(usual=5)
    assert rounds.go_on(falling[:5])
    assert not rounds.go_on([*falling[:6], falling[5]])
    assert rounds.go_on(falling[:19])
    assert not rounds.go_on(falling)
    assert not Rounds(asked=3, usual=3).go_on([*falling[:2], falling[0]])
    assert not Rounds().go_on(falling[:1])
