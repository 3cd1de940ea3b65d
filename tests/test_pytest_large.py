"""Budgets and baselines of tests that take so much that a trace function makes no difference."""

from __future__ import annotations

import pytest

from allocmeter.testing.baselines import environment_key
from pytest_suites import ANYIO, suite  # noqa: F401 - a fixture

BLOCKS = """
    import anyio, pytest

    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    @pytest.mark.anyio
    async def test_async(allocations):
        async with allocations.measure("whole") as whole:
            with allocations.budget(bytes="9 MiB", peak="8 MiB", name="inner") as inner:
                kept = bytes(4_000_000)
            await anyio.sleep(0)
            bytes(1_000_000)
        assert inner.bytes_allocated >= inner.retained_bytes >= 4_000_000
        assert whole.peak_bytes >= 5_000_000
        assert whole.allocations >= inner.allocations >= inner.retained_allocations >= 1
        assert [row.name for row in whole.figures.scopes] == ["inner"]

    def test_soft(allocations):
        with allocations.budget(bytes="1 MiB", soft=True, name="large"):
            bytes(4_000_000)

    def test_hard(allocations):
        with allocations.budget(peak="1 MiB"):
            bytes(4_000_000)

    def test_that_raises_in_a_block(allocations):
        with pytest.raises(KeyError), allocations.budget(peak="1 MiB"):
            kept = bytes(4_000_000)
            {}["no"]
"""

GROWING = """
    import pathlib

    def test_grows():
        bytes(int(pathlib.Path("size").read_text()))

    def test_stays():
        pass
"""


def test_blocks_are_measured_and_held_to_their_budgets(suite):  # noqa: F811
    found = suite.run(BLOCKS, plugins=[ANYIO])
    outcomes = {name.partition("[")[0]: test.outcome for name, test in found.items()}
    assert outcomes == {
        "test_async": "passed",
        "test_soft": "failed",
        "test_hard": "failed",
        "test_that_raises_in_a_block": "passed",
    }
    assert "the block 'large' exceeds its allocation budget" in found["test_soft"].text
    assert "BudgetExceededError: the block exceeds its allocation budget" in found["test_hard"].text


@pytest.mark.parametrize(("then", "now"), [(1_000_000, 9_000_000), (9_000_000, 1_000_000)])
def test_growth_and_with_the_ratchet_shrinking_fails(suite, then, now):  # noqa: F811
    size = suite.pytester.path / "size"
    size.write_text(str(then))
    suite.run(GROWING, "--allocmeter-save=main", plugins=[])
    assert (suite.pytester.path / ".allocmeter" / environment_key() / "main.json").exists()
    size.write_text(str(now))
    options = ("--allocmeter-compare=main", "--allocmeter-compare-fail=bytes:1 MiB")
    suite.run(GROWING, *options, plugins=[])
    assert suite.result.ret == (now > then)
    suite.run(GROWING, *options, "--allocmeter-ratchet", plugins=[])
    assert suite.result.ret == 1
    assert "FAILED  test_it.py::test_grows: bytes " in suite.result.stdout.str()
