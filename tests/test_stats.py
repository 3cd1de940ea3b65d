"""`AllocationStats`: a value, its arithmetic, its dictionary, and snapshots of the process."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocmeter.errors import BackendUnavailableError, ReportFormatError
from allocmeter.stats import AllocationStats

FIELDS = [field.name for field in dataclasses.fields(AllocationStats)]

figures = st.builds(AllocationStats, *[st.integers(-(2**70), 2**70)] * len(FIELDS))


@pytest.fixture
def tracking():
    from allocmeter.tracking import is_tracking, start_tracking, stop_tracking

    was_tracking = is_tracking()
    start_tracking()
    yield
    if not was_tracking:
        stop_tracking()


@pytest.fixture
def not_tracking():
    from allocmeter.tracking import is_tracking, start_tracking, stop_tracking

    was_tracking = is_tracking()
    stop_tracking()
    yield
    if was_tracking:
        start_tracking()


def test_every_figure_is_zero_unless_given():
    assert AllocationStats() == AllocationStats(0, 0, 0, 0, 0)
    assert AllocationStats(bytes_allocated=5) == AllocationStats(0, 0, 0, 5, 0)


def test_equality_is_that_of_the_figures():
    assert AllocationStats(1, 2, 3, 4, 5) == AllocationStats(1, 2, 3, 4, 5)
    assert hash(AllocationStats(1, 2, 3, 4, 5)) == hash(AllocationStats(1, 2, 3, 4, 5))
    for position in range(5):
        figures = [1, 2, 3, 4, 5]
        figures[position] += 1
        assert AllocationStats(*figures) != AllocationStats(1, 2, 3, 4, 5)
    assert AllocationStats(1) != (1, 0, 0, 0, 0)


def test_net_is_what_was_allocated_and_not_freed():
    stats = AllocationStats(
        allocations=10, deallocations=4, bytes_allocated=900, bytes_deallocated=1000
    )
    assert stats.net_allocations == 6
    assert stats.net_bytes == -100


def test_a_value_cannot_be_changed():
    stats = AllocationStats()
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.allocations = 1
    with pytest.raises((AttributeError, TypeError)):
        stats.note = "extra"


@given(figures, figures)
@settings(deadline=None)
def test_a_difference_undoes_a_sum(one, other):
    assert (one + other) - other == one
    assert one + other == other + one
    assert one - one == AllocationStats()
    assert (one + other).net_bytes == one.net_bytes + other.net_bytes
    assert (one - other).net_allocations == one.net_allocations - other.net_allocations


@given(figures, figures)
@settings(deadline=None)
def test_a_delta_is_later_minus_earlier_without_clamping(start, end):
    assert AllocationStats.delta(start, end) == end - start
    assert AllocationStats.delta(end, start) == start - end


def test_a_delta_may_be_negative():
    delta = AllocationStats.delta(AllocationStats(5, 5, 5, 5, 5), AllocationStats(1, 2, 3, 4, 0))
    assert delta == AllocationStats(-4, -3, -2, -1, -5)


@pytest.mark.parametrize("other", [1, None, (1, 2, 3, 4, 5)])
def test_arithmetic_with_anything_else_is_refused(other):
    with pytest.raises(TypeError):
        AllocationStats() + other
    with pytest.raises(TypeError):
        AllocationStats() - other


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [1.0, "1", None, True])
def test_a_figure_that_is_no_integer_is_refused_by_name(field, value):
    with pytest.raises(TypeError, match=f"{field} must be an int"):
        AllocationStats(**{field: value})


@given(figures)
@settings(deadline=None)
def test_a_value_survives_the_way_through_json(stats):
    assert AllocationStats.from_dict(json.loads(json.dumps(stats.to_dict()))) == stats


def test_the_dictionary_has_the_five_counters_and_nothing_else():
    assert AllocationStats(1, 2, 3, 4, 5).to_dict() == {
        "allocations": 1,
        "deallocations": 2,
        "reallocations": 3,
        "bytes_allocated": 4,
        "bytes_deallocated": 5,
    }


def test_a_missing_counter_is_named():
    data = AllocationStats().to_dict()
    del data["reallocations"]
    with pytest.raises(ReportFormatError, match="missing: reallocations; unknown: none"):
        AllocationStats.from_dict(data)


def test_an_unknown_counter_is_named():
    with pytest.raises(ReportFormatError, match="missing: none; unknown: frees, 7"):
        AllocationStats.from_dict({**AllocationStats().to_dict(), "frees": 1, 7: 2})


@pytest.mark.parametrize("value", [1.5, "1", None, False])
def test_a_damaged_counter_is_named(value):
    with pytest.raises(ReportFormatError, match="bytes_allocated must be an int"):
        AllocationStats.from_dict({**AllocationStats().to_dict(), "bytes_allocated": value})


@pytest.mark.parametrize("data", [[], "text", None, 5])
def test_something_that_is_no_mapping_is_refused(data):
    with pytest.raises(ReportFormatError, match="must be an object"):
        AllocationStats.from_dict(data)


def test_a_value_can_be_copied_and_sent_to_another_process():
    stats = AllocationStats(1, 2, 3, 4, 5)
    assert pickle.loads(pickle.dumps(stats)) == stats
    assert copy.deepcopy(stats) == stats


def test_a_reading_of_the_core_gives_its_counters_without_its_peaks():
    reading = types.SimpleNamespace(
        allocations=1,
        deallocations=2,
        reallocations=3,
        bytes_allocated=4,
        bytes_deallocated=5,
        peak_bytes=6,
        peak_allocations=7,
    )
    assert AllocationStats.from_figures(reading) == AllocationStats(1, 2, 3, 4, 5)


@pytest.mark.usefixtures("not_tracking")
def test_a_snapshot_without_tracking_is_refused_and_says_what_to_do():
    with pytest.raises(BackendUnavailableError, match=r"call start_tracking\(\) first"):
        AllocationStats.capture()


@pytest.mark.exact
@pytest.mark.usefixtures("tracking")
def test_two_snapshots_tell_what_the_process_did_between_them():
    before = AllocationStats.capture()
    block = bytes(10_000)
    between = AllocationStats.capture()
    del block
    after = AllocationStats.capture()
    size = bytes(10_000).__sizeof__()
    assert between.bytes_allocated - before.bytes_allocated >= size
    assert AllocationStats.delta(between, after).bytes_deallocated >= size


@pytest.mark.usefixtures("tracking")
def test_snapshots_only_grow():
    earlier = AllocationStats.capture()
    for _ in range(20):
        [bytes(1000) for _ in range(20)]
        later = AllocationStats.capture()
        assert all(value >= 0 for value in (later - earlier).to_dict().values())
        earlier = later


@pytest.mark.exact
@pytest.mark.usefixtures("tracking")
def test_a_snapshot_costs_the_scope_it_is_taken_in_nothing():
    from allocmeter.scopes import measure

    capture = AllocationStats.capture
    capture()
    with measure() as scope:
        capture()
    assert scope.stats == AllocationStats()


def test_the_text_of_a_value_has_units():
    stats = AllocationStats(1_200, 1_000, 3, 4096, 2048)
    assert str(stats) == (
        "1,200 blocks, 4.0 KiB allocated; 1,000 blocks, 2.0 KiB freed; 3 reallocated"
    )
