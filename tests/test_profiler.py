"""`AllocationProfiler`: runs in, figures out, and the way through JSON and comparison."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import json
import math
import statistics
import sys
import threading
import typing

import anyio
import numpy as np
import pytest

from allocmeter.errors import ReportFormatError
from allocmeter.histogram import AllocationHistogram
from allocmeter.profiler import AllocationProfiler, Change, Quantity
from allocmeter.scopes import measure
from allocmeter.stats import AllocationStats

SIZES = [5_000, 1_000, 3_000, 2_000, 9_000]
NOTHING = AllocationStats()


# Repeating a byte is one allocation; calling `bytes` may take a tuple for its arguments besides.
def block(size=10_000):
    return b"x" * size


async def async_block(size=10_000):
    return b"x" * size


def returning_a_coroutine(size=10_000):
    return async_block(size)


def transient(size=10_000):
    block(size)


def fail(size=10_000):
    kept = block(size)
    raise ValueError(len(kept))


def cancel():
    raise asyncio.CancelledError


def cost(size):
    return sys.getsizeof(block(size))


def one_block(size=10_000):
    return AllocationStats(allocations=1, bytes_allocated=cost(size))


@pytest.fixture
def profiler():
    """Five successful runs of known size."""
    profiler = AllocationProfiler("blocks")
    for size in SIZES:
        profiler.profile(block, size)
    return profiler


# Runs


@pytest.mark.exact
def test_a_plain_call_gives_its_result_and_is_stored():
    profiler = AllocationProfiler()
    assert profiler.profile(block) == block()
    assert profiler.measurements == (one_block(),)
    assert (profiler.count, profiler.failures) == (1, 0)


@pytest.mark.exact
@pytest.mark.anyio
async def test_an_async_call_gives_its_result_when_awaited_and_is_stored():
    profiler = AllocationProfiler()
    for fn in (async_block, functools.partial(async_block, 10_000), returning_a_coroutine):
        awaitable = profiler.profile(fn)
        assert await awaitable == block()
    assert profiler.measurements[:2] == (one_block(), one_block())
    assert profiler.measurements[2].net_bytes == cost(10_000)


@pytest.mark.exact
@pytest.mark.anyio
async def test_an_empty_run_is_exactly_nothing_in_every_form():
    profiler = AllocationProfiler()

    def nothing():
        pass

    async def async_nothing():
        pass

    decorated, async_decorated = profiler(nothing), profiler(async_nothing)
    for _ in range(3):
        profiler.profile(nothing)
        await profiler.profile(async_nothing)
        decorated()
        await async_decorated()
        with profiler.measure():
            pass
        async with profiler.measure():
            pass
    assert profiler.measurements == (NOTHING,) * 18


@pytest.mark.exact
@pytest.mark.anyio
async def test_a_block_is_measured_and_gives_its_scope():
    profiler = AllocationProfiler("block")
    with profiler.measure() as plain:
        first = block()
    async with profiler.measure() as asynchronous:
        second = block()
    assert isinstance(plain, measure)
    assert plain.name == asynchronous.name == "block"
    assert plain.stats == asynchronous.stats == one_block()
    assert profiler.measurements == (one_block(), one_block())
    assert first == second


def test_a_block_measures_once():
    profiler = AllocationProfiler()
    once = profiler.measure()
    with once:
        pass
    with pytest.raises(RuntimeError), once:
        pass
    assert profiler.count == 1


def test_an_open_block_is_stored_only_when_it_ends():
    profiler = AllocationProfiler()
    with profiler.measure():
        assert profiler.count == 0
        profiler.reset()
    assert profiler.count == 1


@pytest.mark.exact
@pytest.mark.anyio
async def test_storing_falls_into_no_scope_of_the_user():
    profiler = AllocationProfiler()
    profiler.profile(block)
    with measure() as outer:
        profiler.profile(transient)
    assert outer.stats == AllocationStats(1, 1, 0, cost(10_000), cost(10_000))
    with measure() as outer:
        with profiler.measure():
            pass
        async with profiler.measure():
            pass
    # The statements themselves bind `__enter__` and the like, and drop them again.
    assert outer.stats.allocations <= 4
    assert outer.stats.net_allocations == 0


@pytest.mark.exact
def test_reading_figures_falls_into_no_scope_of_the_user(profiler):
    readings = [
        lambda: profiler.measurements,
        lambda: profiler.failed_measurements,
        lambda: profiler.mean_bytes,
        lambda: profiler.median_allocations,
        lambda: profiler.percentile_bytes(95),
        lambda: profiler.histogram(5),
        lambda: profiler.failures,
    ]
    for read in readings:
        read()
        with measure() as outer:
            read()
        assert outer.stats.net_bytes == 0, inspect.getsource(read)


@pytest.mark.anyio
async def test_runs_that_overlap_are_stored_apart():
    profiler = AllocationProfiler()

    async def operation(size):
        kept = block(size)
        await anyio.lowlevel.checkpoint()
        return kept

    sizes = [100_000 * (index + 1) for index in range(20)]
    async with anyio.create_task_group() as tasks:
        for size in sizes:
            tasks.start_soon(profiler.profile, operation, size)
    assert profiler.count == 20
    for size, figure in zip(
        sizes, sorted(stats.bytes_allocated for stats in profiler.measurements), strict=True
    ):
        assert size < figure < size + 10_000


def test_threads_may_share_a_profiler():
    profiler = AllocationProfiler(max_measurements=10)

    def work():
        for _ in range(200):
            profiler.profile(block, 100)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert profiler.count == 800
    assert len(profiler.measurements) == 10


def test_generator_functions_are_refused():
    def generator():
        yield 1

    profiler = AllocationProfiler()
    with pytest.raises(TypeError, match="generator function"):
        profiler.profile(generator)
    with pytest.raises(TypeError, match="generator function"):
        profiler(generator)
    assert profiler.count == 0


# Failures


def test_a_failed_run_propagates_and_is_stored_apart(profiler):
    with pytest.raises(ValueError, match="10000"):
        profiler.profile(fail)
    with pytest.raises(ValueError, match="10000"), profiler.measure():
        fail()
    assert (profiler.count, profiler.errors, profiler.cancelled, profiler.failures) == (5, 2, 0, 2)
    assert len(profiler.measurements) == 5
    assert len(profiler.failed_measurements) == 2
    assert all(stats.bytes_allocated >= 10_000 for stats in profiler.failed_measurements)


@pytest.mark.anyio
async def test_a_failed_async_run_propagates_and_is_stored_apart():
    async def operation():
        await anyio.lowlevel.checkpoint()
        fail()

    profiler = AllocationProfiler()
    with pytest.raises(ValueError):
        await profiler.profile(operation)
    with pytest.raises(ValueError):
        await profiler(operation)()
    with pytest.raises(ValueError):
        async with profiler.measure():
            await operation()
    assert (profiler.count, profiler.errors, profiler.cancelled) == (0, 3, 0)
    assert len(profiler.failed_measurements) == 3


@pytest.mark.anyio
async def test_a_cancelled_run_is_no_error():
    async def operation():
        kept = block()
        await anyio.sleep_forever()
        del kept

    profiler = AllocationProfiler()
    with anyio.move_on_after(0.01):
        await profiler.profile(operation)
    with anyio.move_on_after(0.01):
        async with profiler.measure():
            await operation()
    assert (profiler.count, profiler.errors, profiler.cancelled, profiler.failures) == (0, 0, 2, 2)
    assert all(stats.bytes_allocated >= 10_000 for stats in profiler.failed_measurements)


def test_failures_are_not_in_the_statistics(profiler):
    mean, largest = profiler.mean_bytes, profiler.percentile_bytes(100)
    with pytest.raises(ValueError):
        profiler.profile(fail, 1_000_000)
    assert profiler.mean_bytes == mean
    assert profiler.percentile_bytes(100) == largest


# Decorator


def test_a_decorated_function_is_profiled_and_keeps_its_identity():
    profiler = AllocationProfiler()

    @profiler
    def operation(size: int, *, twice: bool = False) -> bytes:
        """Make a block."""
        return block(size * (1 + twice))

    assert operation(1000, twice=True) == block(2000)
    assert profiler.count == 1
    assert operation.__name__ == "operation"
    assert operation.__doc__ == "Make a block."
    assert list(inspect.signature(operation).parameters) == ["size", "twice"]
    assert not inspect.iscoroutinefunction(operation)


@pytest.mark.anyio
async def test_a_decorated_coroutine_function_stays_one_and_its_body_is_measured():
    profiler = AllocationProfiler()

    @profiler
    async def operation(size: int) -> bytes:
        return block(size)

    assert inspect.iscoroutinefunction(operation)
    assert await operation(10_000) == block()
    assert profiler.measurements[0].bytes_allocated >= cost(10_000)


@pytest.mark.anyio
async def test_methods_of_every_kind_can_be_decorated():
    profiler = AllocationProfiler()

    class Service:
        @profiler
        def method(self, size):
            return self, block(size)

        @profiler
        async def async_method(self, size):
            return self, block(size)

        @profiler
        @classmethod
        def above_class(cls, size):
            return cls, block(size)

        @classmethod
        @profiler
        def below_class(cls, size):
            return cls, block(size)

        @profiler
        @staticmethod
        async def above_static(size):
            return block(size)

        @staticmethod
        @profiler
        def below_static(size):
            return block(size)

    service = Service()
    assert service.method(5) == (service, block(5))
    assert await service.async_method(5) == (service, block(5))
    assert service.above_class(5) == Service.below_class(5) == (Service, block(5))
    assert await service.above_static(5) == Service.below_static(5) == block(5)
    assert profiler.count == 6


@pytest.mark.anyio
async def test_an_async_callable_object_can_be_decorated():
    class Handler:
        async def __call__(self, size):
            return block(size)

    profiler = AllocationProfiler()
    handler = profiler(Handler())
    assert inspect.iscoroutinefunction(handler)
    assert await handler(10) == block(10)
    assert profiler.count == 1


@pytest.mark.parametrize("thing", [5, "text", int])
def test_only_functions_can_be_decorated(thing):
    with pytest.raises(TypeError, match="profiled"):
        AllocationProfiler()(thing)


# Statistics


@pytest.mark.exact
def test_mean_median_and_percentiles_describe_the_successes(profiler):
    figures = [cost(size) for size in SIZES]
    assert profiler.mean_bytes == statistics.mean(figures)
    assert profiler.median_bytes == statistics.median(figures)
    for p in (0, 12.5, 50, 95, 99.9, 100):
        assert profiler.percentile_bytes(p) == np.percentile(figures, p)
    assert profiler.mean_allocations == profiler.median_allocations == 1
    assert profiler.percentile_allocations(95) == 1


def test_of_nothing_every_figure_is_zero():
    profiler = AllocationProfiler()
    assert profiler.measurements == profiler.failed_measurements == ()
    assert profiler.mean_bytes == profiler.median_bytes == profiler.percentile_bytes(95) == 0
    assert profiler.mean_allocations == profiler.median_allocations == 0
    assert profiler.percentile_allocations(95) == 0
    assert profiler.histogram().buckets == ()


def test_impossible_percentiles_are_refused(profiler):
    for method in (profiler.percentile_bytes, profiler.percentile_allocations):
        for p in (-1, 100.1, math.nan):
            with pytest.raises(ValueError, match="from 0 to 100"):
                method(p)
        with pytest.raises(TypeError, match="from 0 to 100"):
            method("95")


@pytest.mark.exact
def test_a_histogram_shows_any_measured_quantity():
    profiler = AllocationProfiler()
    for size in SIZES:
        profiler.profile(transient, size)
    figures = [cost(size) for size in SIZES]
    for of in ("bytes_allocated", "bytes_deallocated", "peak_bytes"):
        assert profiler.histogram(4, of) == AllocationHistogram(figures, 4)
    assert profiler.histogram(4, "net_bytes") == AllocationHistogram([0] * 5, 4)
    for of in ("allocations", "deallocations", "peak_allocations"):
        assert profiler.histogram(4, of) == AllocationHistogram([1] * 5, 4, unit="blocks")
    for of in ("reallocations", "net_allocations"):
        assert profiler.histogram(4, of) == AllocationHistogram([0] * 5, 4, unit="blocks")
    assert len(profiler.histogram().buckets) == 10


def test_an_unknown_quantity_is_refused_and_the_known_ones_are_told(profiler):
    with pytest.raises(ValueError, match=r"there are allocations, .*peak_allocations"):
        profiler.histogram(of="calls")
    assert len(typing.get_args(Quantity)) == 9
    with pytest.raises(ValueError, match="at least 1 bucket"):
        profiler.histogram(0)


# Bounds, reset, merge


@pytest.mark.exact
def test_only_the_latest_measurements_are_kept_but_all_are_counted():
    profiler = AllocationProfiler(max_measurements=3)
    for size in SIZES:
        profiler.profile(block, size)
    for size in SIZES:
        with pytest.raises(ValueError):
            profiler.profile(fail, size)
    assert (profiler.count, profiler.errors) == (5, 5)
    for measurements in (profiler.measurements, profiler.failed_measurements):
        assert len(measurements) == 3
        for stats, size in zip(measurements, SIZES[-3:], strict=True):
            assert size < stats.bytes_allocated < size + 900
    assert profiler.percentile_bytes(100) == profiler.measurements[-1].bytes_allocated
    assert profiler.max_measurements == 3


@pytest.mark.parametrize("bound", [0, -5])
def test_a_bound_below_one_is_refused(bound):
    with pytest.raises(ValueError, match="max_measurements must be 1 or more"):
        AllocationProfiler(max_measurements=bound)


@pytest.mark.parametrize("bound", [1.5, "3", True])
def test_a_bound_that_is_no_integer_is_refused(bound):
    with pytest.raises(TypeError, match="max_measurements must be an int"):
        AllocationProfiler(max_measurements=bound)


def test_a_name_that_is_no_text_is_refused():
    with pytest.raises(TypeError, match="must be a str"):
        AllocationProfiler(5)


def test_reset_forgets_everything(profiler):
    with pytest.raises(ValueError):
        profiler.profile(fail)
    profiler.reset()
    assert (profiler.count, profiler.failures) == (0, 0)
    assert profiler.measurements == profiler.failed_measurements == ()
    assert profiler.name == "blocks"
    assert profiler.max_measurements is None


def test_merging_adds_the_other_behind_and_leaves_it_unchanged(profiler):
    other = AllocationProfiler()
    other.profile(block, 70_000)
    with pytest.raises(ValueError):
        other.profile(fail)
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            other.profile(cancel)
    before = profiler.measurements
    profiler.merge(other)
    assert profiler.measurements == before + other.measurements
    assert profiler.failed_measurements == other.failed_measurements
    assert (profiler.count, profiler.errors, profiler.cancelled) == (6, 1, 2)
    assert (other.count, other.errors, other.cancelled) == (1, 1, 2)
    assert profiler.histogram(of="peak_bytes").buckets[-1].count == 1


def test_merging_respects_the_bound_and_counts_in_full(profiler):
    bounded = AllocationProfiler(max_measurements=2)
    bounded.profile(block, 1)
    bounded.merge(profiler)
    assert bounded.count == 6
    assert bounded.measurements == profiler.measurements[-2:]


def test_a_profiler_merged_with_itself_is_doubled(profiler):
    profiler.merge(profiler)
    assert profiler.count == 10
    assert profiler.measurements[:5] == profiler.measurements[5:]


def test_only_profilers_can_be_merged_and_compared(profiler):
    with pytest.raises(TypeError, match="merged"):
        profiler.merge(profiler.measurements)
    with pytest.raises(TypeError, match="compared"):
        profiler.compare(profiler.measurements)


# JSON


@pytest.fixture
def saved(profiler):
    with pytest.raises(ValueError):
        profiler.profile(fail)
    return json.loads(profiler.to_json())


def test_a_profile_survives_the_way_through_json(profiler):
    with pytest.raises(ValueError):
        profiler.profile(fail)
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            profiler.profile(cancel)
    restored = AllocationProfiler.from_json(profiler.to_json())
    assert restored.to_json() == profiler.to_json()
    assert restored.name == "blocks"
    assert restored.measurements == profiler.measurements
    assert restored.failed_measurements == profiler.failed_measurements
    assert (restored.count, restored.errors, restored.cancelled) == (5, 1, 2)
    for of in typing.get_args(Quantity):
        assert restored.histogram(of=of) == profiler.histogram(of=of)


def test_a_restored_profile_goes_on_measuring_within_its_bound():
    profiler = AllocationProfiler(max_measurements=2)
    for size in SIZES:
        profiler.profile(block, size)
    restored = AllocationProfiler.from_json(profiler.to_json().encode())
    restored.profile(block, 50_000)
    assert restored.count == 6
    assert len(restored.measurements) == 2
    assert restored.measurements[0] == profiler.measurements[1]


def test_the_document_names_its_schema_and_kind(saved):
    assert saved["schema_version"] == 1
    assert saved["kind"] == "allocmeter-profile"
    assert saved["measurements"][0].keys() == {"stats", "peak_bytes", "peak_allocations"}


def test_fields_of_a_later_release_are_ignored(saved):
    saved["platform"] = "elsewhere"
    saved["measurements"][0]["seconds"] = 1.5
    assert AllocationProfiler.from_json(json.dumps(saved)).count == 5


@pytest.mark.parametrize("version", [2, 99])
def test_a_newer_schema_is_refused_and_says_what_to_do(saved, version):
    saved["schema_version"] = version
    with pytest.raises(ReportFormatError, match=f"version {version}.*upgrade allocmeter"):
        AllocationProfiler.from_json(json.dumps(saved))


@pytest.mark.parametrize("version", [0, -1, "1", None, 1.0, True])
def test_a_damaged_schema_version_is_refused(saved, version):
    saved["schema_version"] = version
    with pytest.raises(ReportFormatError, match="no schema version"):
        AllocationProfiler.from_json(json.dumps(saved))


@pytest.mark.parametrize("text", ["", "{", "nonsense", b"\xff\xfe\xfd", "[" * 100_000, '{"a":1}x'])
def test_text_that_is_no_json_is_refused(text):
    with pytest.raises(ReportFormatError, match="no JSON"):
        AllocationProfiler.from_json(text)


@pytest.mark.parametrize("text", ["[]", "5", "null", "{}", '{"schema_version": 1, "scopes": []}'])
def test_json_of_something_else_is_refused(text):
    with pytest.raises(ReportFormatError, match="not a profile"):
        AllocationProfiler.from_json(text)


@pytest.mark.parametrize(
    "field",
    [
        "name",
        "max_measurements",
        "count",
        "errors",
        "cancelled",
        "measurements",
        "failed_measurements",
    ],
)
@pytest.mark.parametrize("damage", [5.5, {}, "missing"])
def test_damaged_fields_are_refused(saved, field, damage):
    if damage == "missing":
        del saved[field]
    else:
        saved[field] = damage
    with pytest.raises(ReportFormatError, match="damaged profile"):
        AllocationProfiler.from_json(json.dumps(saved))


@pytest.mark.parametrize(
    ("field", "value"),
    [("count", -1), ("count", 4), ("errors", 0), ("max_measurements", 2), ("max_measurements", 0)],
)
def test_counts_that_contradict_the_measurements_are_refused(saved, field, value):
    saved[field] = value
    with pytest.raises(ReportFormatError, match="damaged profile"):
        AllocationProfiler.from_json(json.dumps(saved))


@pytest.mark.parametrize(
    "record",
    [
        5,
        {},
        {"stats": {}, "peak_bytes": 1, "peak_allocations": 1},
        {"stats": AllocationStats().to_dict(), "peak_bytes": "1", "peak_allocations": 1},
        {"stats": AllocationStats().to_dict(), "peak_bytes": 1, "peak_allocations": -1},
    ],
)
def test_damaged_measurements_are_refused(saved, record):
    saved["measurements"][2] = record
    with pytest.raises(ReportFormatError):
        AllocationProfiler.from_json(json.dumps(saved))


# Comparison


@pytest.mark.exact
def test_a_comparison_tells_absolute_and_relative_changes(profiler):
    now = AllocationProfiler()
    for size in SIZES:
        now.profile(lambda size=size: (block(size), block(size)))
    comparison = now.compare(profiler)
    before = [cost(size) for size in SIZES]
    after = [stats.bytes_allocated for stats in now.measurements]
    assert comparison.mean_bytes == Change(statistics.mean(before), statistics.mean(after))
    assert comparison.median_bytes == Change(statistics.median(before), statistics.median(after))
    assert comparison.p95_bytes == Change(np.percentile(before, 95), np.percentile(after, 95))
    assert comparison.mean_allocations.absolute >= 1
    assert comparison.median_allocations.relative >= 1
    assert comparison.p95_allocations.baseline == 1


def test_a_change_is_signed_and_relative_to_its_baseline():
    assert Change(100, 125).absolute == 25
    assert Change(100, 125).relative == 0.25
    assert Change(100, 75).relative == -0.25
    assert Change(0, 0).relative == 0
    assert Change(0, 5).relative == math.inf
    assert Change(0, -5).relative == -math.inf


def test_a_profile_compared_with_itself_has_not_changed(profiler):
    comparison = profiler.compare(AllocationProfiler.from_json(profiler.to_json()))
    assert comparison.mean_bytes.absolute == 0
    assert comparison.p95_allocations.relative == 0


def test_a_comparison_without_measurements_is_refused(profiler):
    with pytest.raises(ValueError, match="the baseline has no successful measurement"):
        profiler.compare(AllocationProfiler())
    with pytest.raises(ValueError, match="the profiler has no successful measurement"):
        AllocationProfiler().compare(profiler)


def test_the_text_of_a_comparison_is_a_table_with_units():
    baseline, now = (
        AllocationProfiler.from_json(
            json.dumps(
                {
                    "schema_version": 1,
                    "kind": "allocmeter-profile",
                    "name": None,
                    "max_measurements": None,
                    "count": 1,
                    "errors": 0,
                    "cancelled": 0,
                    "measurements": [
                        {
                            "stats": AllocationStats(blocks, 0, 0, size, 0).to_dict(),
                            "peak_bytes": size,
                            "peak_allocations": blocks,
                        }
                    ],
                    "failed_measurements": [],
                }
            )
        )
        for blocks, size in ((4, 1024), (3, 2048))
    )
    lines = str(now.compare(baseline)).splitlines()
    assert len(lines) == 7
    assert lines[0].split() == ["baseline", "now", "change", "relative"]
    assert lines[1].split() == [
        "mean",
        "bytes",
        "1.0",
        "KiB",
        "2.0",
        "KiB",
        "+1.0",
        "KiB",
        "+100.0%",
    ]
    assert lines[6].split() == ["p95", "allocations", "4", "3", "-1", "-25.0%"]
    assert len({len(line) for line in lines}) == 1


def test_the_representation_tells_name_and_counts(profiler):
    assert repr(profiler) == "<AllocationProfiler 'blocks': 5 measured, 0 failed>"
    assert repr(AllocationProfiler()) == "<AllocationProfiler: 0 measured, 0 failed>"


def test_a_profiler_that_is_dropped_is_freed_at_once():
    import weakref

    gc.disable()
    try:
        profiler = AllocationProfiler()
        profiler.profile(block)
        with profiler.measure():
            pass
        reference = weakref.ref(profiler)
        del profiler
        assert reference() is None
    finally:
        gc.enable()
