"""Marked tests that end otherwise than by their limits, and markers that come late."""

from __future__ import annotations

from pytest_suites import verdicts

OTHERWISE = """
    import pytest

    pytestmark = [pytest.mark.anyio, pytest.mark.limit_allocations(bytes="50 KiB")]

    def test_that_fails_by_itself():
        bytearray(100_000)
        assert 1 == 2

    async def test_that_fails_by_itself_later():
        bytearray(100_000)
        assert 1 == 2

    def test_skipped():
        pytest.skip("for a reason")

    @pytest.mark.xfail(strict=True)
    async def test_expected_to_be_over():
        bytearray(100_000)

    @pytest.mark.xfail(run=False)
    async def test_not_run():
        raise SystemExit
"""


def test_a_test_that_ends_otherwise_ends_as_it_would_have(suite):
    found = suite.run(OTHERWISE, "-k", "not trio")
    assert verdicts(found) == {
        "test_that_fails_by_itself": "failed",
        "test_that_fails_by_itself_later[asyncio]": "failed",
        "test_skipped": "skipped",
        "test_expected_to_be_over[asyncio]": "skipped",
        "test_not_run[asyncio]": "skipped",
    }
    for name in ("test_that_fails_by_itself", "test_that_fails_by_itself_later[asyncio]"):
        assert "assert 1 == 2" in found[name].text
        assert "budget" not in found[name].text
        assert found[name].sections == []
        assert found[name].properties["allocmeter.bytes"] > 100_000
    suite.result.assert_outcomes(failed=2, skipped=1, xfailed=2)


def test_the_traceback_of_a_failure_begins_in_the_test(suite):
    found = suite.run(OTHERWISE, "-k", "asyncio and by_itself")
    text = found["test_that_fails_by_itself_later[asyncio]"].text
    assert text.lstrip().startswith("async def test_that_fails_by_itself_later():")
    assert "allocmeter" not in text


ADDED = """
    import pytest

    @pytest.fixture
    def limited(request):
        request.node.add_marker(pytest.mark.limit_allocations(bytes="50 KiB"))

    @pytest.fixture
    def limited_wrongly(request):
        request.node.add_marker(pytest.mark.limit_allocations(bites="50 KiB"))

    def test_over(limited):
        bytearray(100_000)

    def test_malformed(limited_wrongly):
        pass
"""


def test_a_marker_that_a_fixture_adds_counts_too(suite):
    found = suite.run(ADDED)
    assert verdicts(found) == {"test_over": "failed", "test_malformed": "failed"}
    assert "bytes: 100," in found["test_over"].text
    assert "'bites'" in found["test_malformed"].text
