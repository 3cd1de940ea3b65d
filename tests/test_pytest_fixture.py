"""The fixture `allocations`: budgets and figures of blocks inside a test."""

from __future__ import annotations

import sys

import pytest

from pytest_suites import ANYIO, ASYNCIO, TRIO, verdicts

HARD = """
    import pytest
    from allocmeter import BudgetExceededError

    {mark}

    {async_}def test_over(allocations):
        {async_}with allocations.budget(bytes="50 KiB"):
            bytearray(100_000)
        raise SystemExit("not reached")

    {async_}def test_under(allocations):
        {async_}with allocations.budget(bytes="150 KiB", allocations=100, peak="150 KiB"):
            bytearray(100_000)

    {async_}def test_caught(allocations):
        with pytest.raises(BudgetExceededError, match="the block 'work' exceeds") as caught:
            {async_}with allocations.budget(peak=50_000, name="work") as block:
                bytearray(100_000)
        error = caught.value
        assert (error.name, error.peak_bytes) == ("work", block.peak_bytes)
        assert (error.bytes, error.allocations) == (block.bytes_allocated, block.allocations)
        assert 100_000 < block.peak_bytes <= block.bytes_allocated < 110_000
        assert block.retained_allocations < block.allocations
        assert block.retained_bytes < block.bytes_allocated

    {async_}def test_left_by_another_error(allocations):
        with pytest.raises(ZeroDivisionError):
            {async_}with allocations.budget(0) as block:
                bytearray(100_000)
                1 / 0
        assert block.bytes_allocated > 100_000

    {async_}def test_soft(allocations):
        {async_}with allocations.budget(0, soft=True, name="first"):
            bytearray(100_000)
        {async_}with allocations.budget(bytes="150 KiB", soft=True, name="second"):
            bytearray(100_000)
        {async_}with allocations.budget(bytes="50 KiB", soft=True, name="third"):
            bytearray(100_000)
        reached.append("the end")

    {async_}def test_soft_and_failing(allocations):
        {async_}with allocations.budget(0, soft=True, name="first"):
            bytearray(100_000)
        assert 1 == 2

    {async_}def test_measured(allocations):
        {async_}with allocations.measure("part") as block:
            bytearray(100_000)
        assert block.bytes_allocated > 100_000
        assert block.figures.bytes_allocated == block.bytes_allocated

    {async_}def test_nested(allocations):
        {async_}with allocations.measure("outer") as outer:
            {async_}with allocations.measure("inner") as inner:
                bytearray(100_000)
            bytearray(100_000)
        assert inner.bytes_allocated + 100_000 < outer.bytes_allocated
        assert [row.name for row in outer.figures.scopes] == ["inner"]
        assert str(inner) == "the block 'inner'"

    reached = []

    {async_}def test_that_the_end_was_reached():
        assert reached == ["the end"]
"""

RUNNERS = {
    "plain": ([], "", ""),
    "anyio": ([ANYIO], "async ", "pytestmark = pytest.mark.anyio"),
    "pytest-asyncio": ([ASYNCIO], "async ", "pytestmark = pytest.mark.asyncio"),
    "pytest-trio": ([TRIO], "async ", "pytestmark = pytest.mark.trio"),
}


@pytest.mark.exact
@pytest.mark.parametrize("runner", RUNNERS)
def test_blocks_over_their_budget_fail_the_test_at_once_or_at_its_end(suite, runner):
    plugins, async_, mark = RUNNERS[runner]
    source = HARD.format(async_=async_, mark=mark)
    found = suite.run(source, "-k", "not trio]", plugins=plugins)
    found = {name.removesuffix("[asyncio]"): outcome for name, outcome in found.items()}
    assert verdicts(found) == {
        "test_over": "failed",
        "test_under": "passed",
        "test_caught": "passed",
        "test_left_by_another_error": "passed",
        "test_soft": "failed",
        "test_soft_and_failing": "failed",
        "test_measured": "passed",
        "test_nested": "passed",
        "test_that_the_end_was_reached": "passed",
    }
    over = found["test_over"]
    assert "BudgetExceededError: the block exceeds its allocation budget:" in over.text
    assert "bytes: 100,0" in over.text
    assert "and the limit is 51,200 (50.0 KiB)" in over.text
    assert "What to do next:" in over.sections[0]
    soft = found["test_soft"]
    assert "the block 'first' exceeds" in soft.text
    assert "the block 'second'" not in soft.text
    assert "the block 'third' exceeds" in soft.text
    assert [section.splitlines()[0] for section in soft.sections] == [
        "the block 'first' exceeds its allocation budget:",
        "the block 'third' exceeds its allocation budget:",
    ]
    failing = found["test_soft_and_failing"]
    assert "assert 1 == 2" in failing.text
    assert "the block 'first' exceeds" in failing.sections[0]


EXACT = """
    import anyio
    import pytest
    from allocmeter.testing.figures import TestFigures

    pytestmark = pytest.mark.anyio
    SIZE = 1000

    async def test_async(allocations):
        async with allocations.budget(allocations=1, bytes=1033, peak=1033) as block:
            b"x" * SIZE
        assert block.figures == TestFigures(1, 1033, 1033, 0, 0)
        async with allocations.budget(0, bytes=0, peak=0) as empty:
            pass
        assert empty.figures == TestFigures(0, 0, 0, 0, 0)

    async def test_what_runs_beside_a_block_is_not_in_it(allocations):
        async def hog():
            for _ in range(20):
                b"y" * 50_000
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hog)
            await anyio.lowlevel.checkpoint()
            async with allocations.measure() as block:
                for _ in range(20):
                    await anyio.lowlevel.checkpoint()
        assert block.bytes_allocated < 50_000

    def test_sync(allocations):
        with allocations.budget(allocations=1, bytes=1033) as block:
            kept = b"x" * SIZE
        assert block.figures == TestFigures(1, 1033, 1033, 1, 1033)

    @pytest.mark.limit_allocations(bytes=2000)
    async def test_with_a_marker_too(allocations):
        async with allocations.budget(bytes=1033):
            b"x" * SIZE
"""


@pytest.mark.exact
def test_a_block_holds_exactly_what_is_allocated_in_it(suite):
    found = suite.run(EXACT)
    assert set(verdicts(found).values()) == {"passed"}, suite.result.outlines
    assert len(found) == 7
    # Before 3.14 the interpreter makes two objects for the methods that `async with` calls.
    expected = (1, 1033, 1033) if sys.version_info >= (3, 14) else (3, 1161, 1097)
    assert found["test_with_a_marker_too[trio]"].figures == expected


MISUSE = """
    import pytest

    def test_entered_twice(allocations):
        with allocations.measure() as block:
            pass
        with pytest.raises(RuntimeError, match="has been used"):
            block.__enter__()

    def test_read_too_early(allocations):
        with allocations.measure() as block:
            with pytest.raises(RuntimeError, match="the block has not ended yet"):
                block.figures

    @pytest.mark.parametrize(("arguments", "error"), [
        ({}, "limits nothing: give allocations=, bytes= or peak="),
        ({"bytes": "64 KB B"}, "bytes: '64 KB B' is not a size"),
        ({"bytes": -1}, "bytes must be 0 or more; got -1"),
        ({"peak": 1.5}, "peak must be a number of bytes or a size such as '64 KiB'"),
        ({"allocations": "5"}, "allocations must be an int, not str"),
    ])
    def test_malformed(allocations, arguments, error):
        with pytest.raises((TypeError, ValueError)) as caught:
            allocations.budget(**arguments)
        assert str(caught.value).startswith("allocations.budget(): " + error)

    def test_figures_that_cannot_be_known(allocations):
        import tracemalloc
        from allocmeter import BackendUnavailableError, uninstall
        uninstall()
        tracemalloc.start()
        with pytest.raises(BackendUnavailableError, match="incomplete"):
            with allocations.budget(bytes="1 MiB"):
                tracemalloc.stop()
        with allocations.measure() as unlimited:
            pass
        assert unlimited.allocations == 0
"""


@pytest.mark.exact
def test_misuse_of_a_block_is_refused_clearly(suite):
    found = suite.run(MISUSE, plugins=[])
    assert set(verdicts(found).values()) == {"passed"}, suite.result.outlines
    assert len(found) == 8
