"""Async tests under each plugin that runs them: the body is run, measured and limited."""

from __future__ import annotations

import pytest

from pytest_suites import ANYIO, ASYNCIO, TRIO, verdicts

# `ran` shows that the body was run, the limit that it was measured.
BODIES = """
    ran = dict.fromkeys(["at", "over", "twice"], 0)  # counting in it allocates nothing
    SIZE = 1000

    @pytest.fixture
    def prepared():
        kept = [b"y" * SIZE for _ in range(100)]
        yield kept

    @pytest.mark.limit_allocations(allocations=1, bytes=1033, peak=1033)
    async def test_at_its_limit(prepared):
        b"x" * SIZE
        ran["at"] += 1

    @pytest.mark.limit_allocations(bytes=1032)
    async def test_over_by_a_byte(prepared):
        b"x" * SIZE
        ran["over"] += 1

    @pytest.mark.limit_allocations(bytes="50 KiB")
    async def test_over_after_a_switch():
        await checkpoint()
        bytearray(100_000)
        await checkpoint()

    @pytest.mark.limit_allocations(bytes="50 KiB")
    async def test_under_beside_others():
        async def hog():
            for _ in range(10):
                await checkpoint()
        await checkpoint()

    @pytest.mark.limit_allocations(bytes="50 KiB", rounds=2)
    async def test_over_twice():
        bytearray(100_000)
        ran["twice"] += 1

    class TestMethods:
        @pytest.mark.limit_allocations(bytes="50 KiB")
        async def test_over(self, prepared):
            assert len(prepared) == 100
            bytearray(100_000)

        @pytest.mark.limit_allocations(bytes="150 KiB")
        @pytest.mark.parametrize("size", [100_000])
        async def test_under(self, size):
            bytearray(size)

    def test_that_bodies_were_run():
        assert ran == {"at": 1, "over": 1, "twice": 2}
"""

BEGINNINGS = {
    "anyio on asyncio": (
        ANYIO,
        """
    import pytest
    from anyio.lowlevel import checkpoint
    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend():
        return "asyncio"
""",
    ),
    "anyio on uvloop": (
        ANYIO,
        """
    import pytest
    from anyio.lowlevel import checkpoint
    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend():
        return "asyncio", {"use_uvloop": True}
""",
    ),
    "anyio on trio": (
        ANYIO,
        """
    import pytest
    from anyio.lowlevel import checkpoint
    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend():
        return "trio"
""",
    ),
    "pytest-asyncio": (
        ASYNCIO,
        """
    import asyncio
    import pytest

    async def checkpoint():
        await asyncio.sleep(0)
""",
    ),
    "pytest-trio": (
        TRIO,
        """
    import pytest
    from trio.lowlevel import checkpoint
    pytestmark = pytest.mark.trio
""",
    ),
}

EXPECTED = {
    "test_at_its_limit": "passed",
    "test_over_by_a_byte": "failed",
    "test_over_after_a_switch": "failed",
    "test_under_beside_others": "passed",
    "test_over_twice": "failed",
    "TestMethods::test_over": "failed",
    "TestMethods::test_under[100000]": "passed",
    "test_that_bodies_were_run": "passed",
}


@pytest.mark.exact
@pytest.mark.parametrize("runner", BEGINNINGS)
def test_the_body_of_an_async_test_is_run_measured_and_limited(suite, runner):
    plugin, beginning = BEGINNINGS[runner]
    # pytest-trio takes its marker ill on a test that is not async.
    bodies = BODIES.replace("    def test_that", "    async def test_that")
    options = ["-o", "asyncio_mode=auto"] if plugin == ASYNCIO else []
    found = suite.run(beginning + bodies, *options, plugins=[plugin])
    assert verdicts(found) == EXPECTED
    for name in ("test_at_its_limit", "test_over_by_a_byte"):
        assert found[name].figures == (1, 1033, 1033)
    assert "bytes: 1,033 (1.0 KiB), and the limit is 1,032" in found["test_over_by_a_byte"].text


STRICT = """
    import asyncio
    import pytest

    @pytest.mark.asyncio(loop_scope="module")
    @pytest.mark.limit_allocations(bytes="50 KiB")
    async def test_over():
        await asyncio.sleep(0)
        bytearray(100_000)

    @pytest.mark.asyncio
    @pytest.mark.limit_allocations(bytes="150 KiB")
    async def test_under():
        await asyncio.sleep(0)
        bytearray(100_000)
"""


def test_pytest_asyncio_in_strict_mode(suite):
    found = suite.run(STRICT, plugins=[ASYNCIO])
    assert verdicts(found) == {"test_over": "failed", "test_under": "passed"}
    assert all(outcome.properties["allocmeter.bytes"] > 100_000 for outcome in found.values())


TOGETHER = """
    import asyncio
    import pytest
    import trio

    over = pytest.mark.limit_allocations(bytes="50 KiB")

    @over
    @pytest.mark.asyncio
    async def test_asyncio():
        await asyncio.sleep(0)
        bytearray(100_000)

    @over
    @pytest.mark.trio
    async def test_trio(nursery):
        await trio.sleep(0)
        bytearray(100_000)

    @over
    @pytest.mark.anyio
    async def test_anyio(anyio_backend):
        bytearray(100_000)
"""


def test_plugins_side_by_side(suite):
    found = suite.run(TOGETHER, plugins=[ASYNCIO, TRIO, ANYIO])
    assert verdicts(found) == dict.fromkeys(
        ["test_asyncio", "test_trio", "test_anyio[asyncio]", "test_anyio[trio]"], "failed"
    )
    for outcome in found.values():
        assert outcome.properties["allocmeter.exceeded.bytes"] == 50 * 1024
