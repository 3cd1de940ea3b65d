"""Whoever calls the function of a test: it is measured, or the test does not pass."""

from __future__ import annotations

import sys

import pytest

from pytest_suites import verdicts

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
