"""The marker `no_leaks`: growth from call to call, whoever runs the test."""

from __future__ import annotations

import pytest

from pytest_suites import ANYIO, ASYNCIO, TRIO, verdicts

LEAKS = """
    calls = dict.fromkeys(["leaking", "clean", "fixture"], 0)
    kept = []

    @pytest.fixture
    def made_once():
        calls["fixture"] += 1

    @pytest.mark.no_leaks
    {async_}def test_leaking(made_once):
        calls["leaking"] += 1
        kept.append(bytearray(1000))

    @pytest.mark.no_leaks(iterations=3, warmup=1)
    {async_}def test_clean(made_once):
        calls["clean"] += 1
        replaced["latest"] = bytearray(1000)

    replaced = dict(latest=None)

    @pytest.mark.no_leaks(max_bytes="2 KiB")
    {async_}def test_tolerated_by_bytes():
        kept.append(bytearray(1000))

    @pytest.mark.no_leaks(max_bytes=500)
    {async_}def test_beyond_the_bytes():
        kept.append(bytearray(1000))

    @pytest.mark.no_leaks(max_allocations=50)
    {async_}def test_tolerated_by_blocks():
        kept.append(bytearray(1000))

    @pytest.mark.no_leaks(max_allocations=1, max_bytes="1 MiB")
    {async_}def test_beyond_the_blocks():
        kept.append([bytearray(10) for _ in range(5)])

    @pytest.mark.no_leaks
    @pytest.mark.limit_allocations(bytes="50 KiB", rounds=2)
    {async_}def test_both_wrong():
        kept.append(bytearray(100_000))

    @pytest.mark.no_leaks
    {async_}def test_failing_later():
        calls["failing"] = calls.get("failing", 0) + 1
        assert calls["failing"] < 4

    class TestMethods:
        @pytest.mark.no_leaks
        {async_}def test_cycle(self):
            cycle = []
            cycle.append(cycle)

    {async_}def test_that_functions_were_called():
        assert calls == dict(leaking=1 + 2 + 5, clean=1 + 1 + 3, fixture=2, failing=4)
"""

RUNNERS = {
    "plain": ([], "", "import pytest\n", []),
    "asyncio": (
        [ANYIO],
        "async ",
        """
    import pytest
    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend():
        return "asyncio"
""",
        [],
    ),
    "trio": (
        [ANYIO],
        "async ",
        """
    import pytest
    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend():
        return "trio"
""",
        [],
    ),
    "pytest-asyncio": ([ASYNCIO], "async ", "import pytest\n", ["-o", "asyncio_mode=auto"]),
    "pytest-trio": ([TRIO], "async ", "    import pytest\n    pytestmark = pytest.mark.trio\n", []),
}


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_test_that_leaks_from_call_to_call_fails(suite, runner):
    plugins, async_, beginning, options = RUNNERS[runner]
    if beginning.startswith("import"):
        beginning = "    " + beginning
    found = suite.run(beginning + LEAKS.format(async_=async_), *options, plugins=plugins)
    assert verdicts(found) == {
        "test_leaking": "failed",
        "test_clean": "passed",
        "test_tolerated_by_bytes": "passed",
        "test_beyond_the_bytes": "failed",
        "test_tolerated_by_blocks": "passed",
        "test_beyond_the_blocks": "failed",
        "test_both_wrong": "failed",
        "test_failing_later": "failed",
        "TestMethods::test_cycle": "passed",
        "test_that_functions_were_called": "passed",
    }
    leaking = found["test_leaking"]
    assert "test_leaking leaks memory:" in leaking.text
    assert "over 5 calls after 2 to warm up; tolerated: none" in leaking.text
    assert "Left behind by each call of the leak check" in leaking.sections[0]
    assert leaking.properties["allocmeter.leak"].startswith("leak: +")
    assert "tolerated: 500 B" in found["test_beyond_the_bytes"].text
    assert "tolerated: 1 blocks and 1.0 MiB" in found["test_beyond_the_blocks"].text
    both = found["test_both_wrong"].text
    assert "exceeds its allocation budget" in both
    assert "bytes: " in both
    assert "leak: +" in both
    assert "assert 4 < 4" in found["test_failing_later"].text


EXACT = """
    import pytest

    pytestmark = pytest.mark.anyio
    SIZE, kept = 1000, [None] * 100

    @pytest.mark.no_leaks
    async def test_leaking():
        kept[kept.index(None)] = b"x" * SIZE
"""


@pytest.mark.exact
def test_what_each_call_leaves_behind_is_told_exactly(suite):
    found = suite.run(EXACT, "-k", "asyncio")["test_leaking[asyncio]"]
    assert "leak: +1 blocks and +1.0 KiB with each call" in found.text
    assert "  +1/+1,033, +1/+1,033, +1/+1,033, +1/+1,033, +1/+1,033" in found.sections[0]
