"""The marker `limit_allocations`: what a test may allocate, and what is counted of it."""

from __future__ import annotations

import pytest

from pytest_suites import verdicts

BUDGETS = """
    import pytest

    pytestmark = pytest.mark.anyio
    SIZE = 100_000
    under, over = "150 KiB", "50 KiB"

    @pytest.mark.limit_allocations(bytes=under)
    def test_sync_under():
        bytearray(SIZE)

    @pytest.mark.limit_allocations(bytes=over)
    def test_sync_over():
        bytearray(SIZE)

    @pytest.mark.limit_allocations(bytes=under)
    async def test_async_under():
        bytearray(SIZE)

    @pytest.mark.limit_allocations(bytes=over)
    async def test_async_over():
        bytearray(SIZE)

    @pytest.mark.limit_allocations(peak=under)
    async def test_peak_under():
        for _ in range(10):
            bytearray(SIZE)

    @pytest.mark.limit_allocations(peak=2 * SIZE)
    async def test_peak_over():
        kept = [bytearray(SIZE) for _ in range(3)]

    @pytest.mark.limit_allocations(2000)
    async def test_count_under():
        kept = [bytearray(10) for _ in range(500)]

    @pytest.mark.limit_allocations(900)
    async def test_count_over():
        kept = [bytearray(10) for _ in range(500)]
"""


def test_a_test_over_its_budget_fails_and_the_same_test_under_it_passes(suite):
    found = suite.run(BUDGETS)
    sync = {name: outcome for name, outcome in found.items() if "[" not in name}
    assert verdicts(sync) == {"test_sync_under": "passed", "test_sync_over": "failed"}
    for backend in ("asyncio", "trio"):
        for name in ("async", "peak", "count"):
            assert found[f"test_{name}_under[{backend}]"].outcome == "passed"
            assert found[f"test_{name}_over[{backend}]"].outcome == "failed"
    assert len(found) == 14


EXACT = """
    import functools
    import anyio
    import pytest

    SIZE = 1000  # and 33 bytes for the object
    ONE, TWO = dict(allocations=1, bytes=1033, peak=1033), dict(allocations=2, bytes=2066)
    pytestmark = [pytest.mark.anyio, pytest.mark.limit_allocations(**ONE)]

    @pytest.fixture
    def prepared():
        kept = [bytes(5000) for _ in range(100)]
        yield kept
        kept.append(bytes(10_000))

    @pytest.fixture
    async def opened():
        kept = [bytes(5000) for _ in range(100)]
        await anyio.lowlevel.checkpoint()
        yield kept
        kept.append(bytes(10_000))

    @pytest.fixture(autouse=True)
    def around():
        bytes(20_000)
        yield
        bytes(30_000)

    def test_sync():
        b'x' * SIZE

    async def test_async():
        b'x' * SIZE

    def test_sync_with_fixtures(prepared, tmp_path, request):
        b'x' * SIZE

    async def test_async_with_fixtures(opened, prepared, tmp_path):
        b'x' * SIZE

    @pytest.mark.parametrize("size", [1000, 2000])
    async def test_parametrized(size, prepared):
        b'x' * size

    @pytest.mark.limit_allocations(**TWO)
    async def test_closest_marker_counts():
        b'x' * SIZE
        b'x' * SIZE

    class TestMethods:
        @pytest.fixture(autouse=True)
        def own(self):
            self.kept = bytes(3000)

        def setup_method(self, method):
            self.more = bytes(3000)

        def test_sync(self, prepared):
            b'x' * SIZE

        async def test_async(self, opened):
            b'x' * SIZE

        @staticmethod
        def test_static(prepared):
            b'x' * SIZE

        @classmethod
        def test_class(cls, prepared):
            b'x' * SIZE
"""


@pytest.mark.exact
def test_exactly_what_the_body_allocates_counts_and_nothing_of_fixtures(suite):
    found = suite.run(EXACT)
    one = (1, 1033, 1033)
    expected = {
        "test_sync": one,
        "test_sync_with_fixtures": one,
        "TestMethods::test_sync": one,
        "TestMethods::test_static": one,
        "TestMethods::test_class": one,
    }
    for backend in ("asyncio", "trio"):
        expected |= {
            f"test_async[{backend}]": one,
            f"test_async_with_fixtures[{backend}]": one,
            f"test_parametrized[{backend}-1000]": one,
            f"test_parametrized[{backend}-2000]": (1, 2033, 2033),
            f"test_closest_marker_counts[{backend}]": (2, 2066, 1033),
            f"TestMethods::test_async[{backend}]": one,
        }
    assert {name: outcome.figures for name, outcome in found.items()} == expected
    failed = {name for name, outcome in found.items() if outcome.outcome != "passed"}
    assert failed == {"test_parametrized[asyncio-2000]", "test_parametrized[trio-2000]"}


ROUNDS = """
    import pytest

    pytestmark = pytest.mark.anyio
    calls, cache = [], {}

    @pytest.fixture
    def made_once():
        calls.append("fixture")

    @pytest.mark.limit_allocations(bytes="50 KiB", rounds=3)
    async def test_async(made_once):
        calls.append("call")
        cache.setdefault("async", bytearray(100_000) if "async" not in cache else None)

    @pytest.mark.limit_allocations(bytes="50 KiB", rounds=3)
    def test_sync(made_once):
        calls.append("call")
        cache.setdefault("sync", bytearray(100_000) if "sync" not in cache else None)

    @pytest.mark.limit_allocations(bytes="50 KiB", rounds=3)
    async def test_every_round_is_over():
        bytearray(100_000)

    def test_that_it_was_so():
        assert calls == ["fixture", "call", "call", "call"] * 2
"""


def test_of_several_rounds_within_one_set_up_the_smallest_figures_count(suite):
    found = suite.run(ROUNDS, "-k", "not trio")
    assert verdicts(found) == {
        "test_async[asyncio]": "passed",
        "test_sync": "passed",
        "test_every_round_is_over[asyncio]": "failed",
        "test_that_it_was_so": "passed",
    }
    assert found["test_sync"].properties["allocmeter.rounds"] == 3
    assert "smallest of 3 rounds" in found["test_every_round_is_over[asyncio]"].sections[0]


CALLS = """
    import functools
    import unittest.mock
    import pytest

    pytestmark = pytest.mark.limit_allocations(bytes="50 KiB")

    @pytest.fixture
    def first():
        return 1

    @pytest.fixture
    def second():
        return 2

    def test_keyword_only(first, *, second):
        bytearray(100_000)
        assert (first, second) == (1, 2)

    @unittest.mock.patch("os.getcwd")
    def test_patched(getcwd, first, second):
        bytearray(100_000)
        assert isinstance(getcwd, unittest.mock.Mock) and (first, second) == (1, 2)

    def decorated(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)
        return wrapper

    @decorated
    def test_decorated(first, second):
        bytearray(100_000)
        assert (first, second) == (1, 2)

    class Callable:
        __name__ = "test_callable"
        def __call__(self, second, first):
            bytearray(100_000)
            assert (first, second) == (1, 2)

    class TestDefaults:
        def test_default(self, second, first, other=3):
            bytearray(100_000)
            assert (first, second, other) == (1, 2, 3)
"""


def test_a_function_is_called_with_the_arguments_it_would_have_had(suite):
    found = suite.run(CALLS)
    assert verdicts(found) == dict.fromkeys(
        ["test_keyword_only", "test_patched", "test_decorated", "TestDefaults::test_default"],
        "failed",
    )
    for outcome in found.values():
        assert "exceeds its allocation budget" in outcome.text


FROZEN = """
    import gc
    import pytest

    gc.freeze()
    frozen = gc.get_freeze_count()

    @pytest.mark.limit_allocations(bytes="50 KiB")
    def test_over():
        bytearray(100_000)

    def test_what_the_program_has_frozen_stays_so():
        assert frozen > 1000 and gc.get_freeze_count() > 0.9 * frozen
"""


def test_objects_that_the_program_has_set_aside_for_good_stay_there(suite):
    assert verdicts(suite.run(FROZEN)) == {
        "test_over": "failed",
        "test_what_the_program_has_frozen_stays_so": "passed",
    }
