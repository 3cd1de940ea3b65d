"""`--allocmeter-ratchet`: what has improved must be kept, and budgets must not be too generous."""

from __future__ import annotations

import pytest

from allocmeter.testing.figures import TestFigures
from allocmeter.testing.generosity import MarkedBudget, too_generous
from pytest_suites import ANYIO, XDIST, suite  # noqa: F401 - a fixture

SUITE = """
    import pytest
    SIZE = 100_000

    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    @pytest.mark.anyio
    @pytest.mark.limit_allocations(bytes="1 MiB", allocations=1)
    async def test_generous():
        b"x" * SIZE

    @pytest.mark.limit_allocations(bytes="190 KiB", peak="150 KiB")
    def test_fits():
        b"x" * SIZE

    @pytest.mark.limit_allocations(bytes="1 MiB")
    @pytest.mark.parametrize("size", [1, 1_000_000])
    def test_of_different_sizes(size):
        b"x" * size

    @pytest.mark.limit_allocations(bytes=1000, allocations=10)
    def test_small():
        pass
"""


def failures(suite):  # noqa: F811
    return [line for line in suite.result.outlines if line.startswith("FAILED")]


@pytest.mark.exact
@pytest.mark.parametrize("options", [(), ("-n2",)])
def test_a_budget_of_more_than_twice_of_what_any_of_its_tests_takes_fails(suite, options):  # noqa: F811
    suite.run(SUITE, "--allocmeter-ratchet", *options, plugins=(ANYIO, XDIST))
    assert suite.result.ret == 1
    (line,) = failures(suite)
    assert line == (
        "FAILED  test_it.py::test_generous: limit_allocations bytes=1,048,576 (1.0 MiB) is much "
        "too generous: no test took more than 100,033 (97.7 KiB)"
    )
    suite.result.assert_outcomes(passed=5)
    assert "measured tests" not in suite.result.stdout.str(), "every test was not asked for"


@pytest.mark.exact
def test_without_the_ratchet_nothing_fails(suite):  # noqa: F811
    suite.run(SUITE, "--allocmeter")
    assert suite.result.ret == 0


def test_a_budget_is_not_judged_by_a_part_of_its_tests(suite):  # noqa: F811
    for options in (["-k", "not 1000000"], ["test_it.py::test_of_different_sizes[1]"]):
        suite.run(SUITE, "--allocmeter-ratchet", *options)
        assert not [line for line in failures(suite) if "different_sizes" in line], options


@pytest.mark.exact
def test_a_test_that_improved_by_more_than_the_limit_fails_until_it_is_saved(suite):  # noqa: F811
    source = "SIZE = {}\ndef test_it(): b'x' * SIZE\n"
    suite.run(source.format(2000), "--allocmeter-save=main")
    options = ("--allocmeter-compare=main", "--allocmeter-compare-fail=bytes:10%")
    suite.run(source.format(1000), *options)
    assert suite.result.ret == 0, "to improve is no failure without the ratchet"
    suite.run(source.format(1900), *options, "--allocmeter-ratchet")
    assert suite.result.ret == 0
    suite.run(source.format(1000), *options, "--allocmeter-ratchet", "--allocmeter-save=main")
    assert suite.result.ret == 1
    (line,) = failures(suite)
    assert line == (
        "FAILED  test_it.py::test_it: bytes 2.0 KiB -> 1.0 KiB (-1,000 B, -49.19%), 10% allowed; "
        "--allocmeter-ratchet fails for it until it is saved"
    )
    suite.run(source.format(1000), *options, "--allocmeter-ratchet")
    assert suite.result.ret == 0, "it was saved: an improvement is never lost"


class EveryTest:
    def has_all_of(self, node, tests):
        return True


@pytest.mark.parametrize(
    ("metric", "limit", "taken", "is_found"),
    [
        ("bytes", 10_000, 4_999, True),
        ("bytes", 10_000, 5_000, False),
        ("bytes", 4_096, 1, False),
        ("bytes", 4_097, 1, True),
        ("peak", 4_097, 1, True),
        ("allocations", 16, 0, True),
        ("allocations", 15, 0, False),
    ],
)
def test_much_too_generous_is_twice_as_much_and_a_page_or_16_blocks(metric, limit, taken, is_found):
    budget = MarkedBudget("t.py::test", {metric: limit})
    tests = {"t.py::test": TestFigures(taken, taken, taken, 0, 0)}
    found = list(too_generous({"t.py::test": budget}, tests, EveryTest()))
    assert bool(found) is is_found
