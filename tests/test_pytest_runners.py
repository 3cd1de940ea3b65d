"""Async tests under each plugin that runs them: the body is run, measured and limited."""

from __future__ import annotations

import sys

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


UNITTEST = """
    import asyncio
    import unittest
    import pytest

    class TestPlain(unittest.TestCase):
        def setUp(self):
            self.kept = bytearray(1_000_000)

        @pytest.mark.limit_allocations(bytes="50 KiB")
        def test_over(self):
            bytearray(100_000)

        @pytest.mark.limit_allocations(bytes="150 KiB")
        def test_under(self):
            bytearray(100_000)

        @pytest.mark.limit_allocations(bytes="150 KiB")
        def test_failing(self):
            self.assertEqual(1, 2)

        @pytest.mark.limit_allocations(bytes="150 KiB")
        def test_skipping(self):
            self.skipTest("for a reason")

        @unittest.skip("always")
        @pytest.mark.limit_allocations(bytes="150 KiB")
        def test_skipped(self):
            raise SystemExit

    class TestAsync(unittest.IsolatedAsyncioTestCase):
        async def asyncSetUp(self):
            self.kept = bytearray(1_000_000)

        @pytest.mark.limit_allocations(bytes="50 KiB")
        async def test_over(self):
            await asyncio.sleep(0)
            bytearray(100_000)

        @pytest.mark.limit_allocations(bytes="150 KiB", rounds=2)
        async def test_under(self):
            await asyncio.sleep(0)
            bytearray(100_000)

        @pytest.mark.limit_allocations(bytes="150 KiB")
        async def test_failing(self):
            self.assertEqual(1, 2)
"""


def test_classes_of_unittest(suite):
    found = suite.run(UNITTEST, plugins=[])
    assert verdicts(found) == {
        "TestPlain::test_over": "failed",
        "TestPlain::test_under": "passed",
        "TestPlain::test_failing": "failed",
        "TestPlain::test_skipping": "skipped",
        "TestPlain::test_skipped": "skipped",
        "TestAsync::test_over": "failed",
        "TestAsync::test_under": "passed",
        "TestAsync::test_failing": "failed",
    }
    for name in ("TestPlain::test_over", "TestAsync::test_over"):
        assert 100_000 < found[name].properties["allocmeter.bytes"] < 150_000
    for name in ("TestPlain::test_failing", "TestAsync::test_failing"):
        assert "1 != 2" in found[name].text


UNRUN = """
    import pytest

    @pytest.mark.limit_allocations(0)
    async def test_async():
        bytearray(100_000)
"""


def test_an_async_test_that_no_plugin_runs_does_not_pass(suite):
    found = suite.run(UNRUN, plugins=[])["test_async"]
    assert found.outcome in {"failed", "skipped"}  # the latter up to version 8.3 of pytest
    assert "async def functions are not natively supported" in found.text


MARKED = """
    import anyio
    import inspect
    import pytest

    async def body():
        await anyio.lowlevel.checkpoint()
        bytearray(100_000)

    @pytest.mark.anyio
    @pytest.mark.limit_allocations(bytes="150 KiB")
    @inspect.markcoroutinefunction
    def test_that_works_before_it_returns_its_coroutine():
        bytearray(100_000)
        return body()
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="inspect.markcoroutinefunction is new")
def test_a_function_that_is_marked_as_async_is_measured_with_its_coroutine(suite):
    for found in suite.run(MARKED).values():
        assert found.outcome == "failed"
        assert found.properties["allocmeter.bytes"] > 200_000


SOMEBODY_ELSES = """
    import pytest

    class Runner:
        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(self, pyfuncitem):
            pyfuncitem._obj.__wrapped__()
            return True

    @pytest.fixture(autouse=True)
    def runner(request):
        request.config.pluginmanager.register(Runner(), request.node.nodeid)

    @pytest.mark.limit_allocations(bytes="150 KiB")
    def test_that_is_called_behind_our_back():
        bytearray(100_000)
"""


def test_a_test_whose_function_was_not_called_measured_does_not_pass(suite):
    (found,) = suite.run(SOMEBODY_ELSES, plugins=[]).values()
    assert found.outcome == "failed"
    assert "could not be measured: its function was not called" in found.text


RETURNS_AWAITABLE = """
    import pytest

    class Later:
        def __await__(self):
            bytearray(100_000)
            yield

    class Runner:
        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_pyfunc_call(self, pyfuncitem):
            called = pyfuncitem.obj
            def run():
                list(called().__await__())
            pyfuncitem.obj = run
            return (yield)

    @pytest.fixture(autouse=True)
    def runner(request):
        request.config.pluginmanager.register(Runner(), request.node.nodeid)

    @pytest.mark.limit_allocations(bytes="150 KiB")
    def test_that_returns_its_work():
        return Later()
"""


def test_a_plain_function_whose_work_is_done_later_has_no_figures(suite):
    (found,) = suite.run(RETURNS_AWAITABLE, plugins=[]).values()
    assert found.outcome == "failed"
    assert "it is no async function, but returned an awaitable" in found.text
    assert found.properties == {}
