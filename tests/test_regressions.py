"""What counts as grown beyond a limit, and what is noise."""

from __future__ import annotations

import pytest

from allocmeter.limits import parse_limits
from allocmeter.regressions import IncomparableError, violations
from allocmeter.report_comparison import compare_reports
from comparisons import compared, distribution, leaking, report, row


def found(before, now, spec):
    """The metrics that grew beyond these limits from one row to the other."""
    return [item.metric for item in violations(compared(before, now), parse_limits(spec))]


def test_equal_reports_exceed_no_limit_however_tight():
    assert found(row(), row(), "bytes:0,allocations:0,peak:0,retained:0") == []
    assert found(leaking(), leaking(), "bytes:0%,allocations:0%,peak:0%,retained:0%") == []


@pytest.mark.parametrize("metric", ["bytes", "allocations", "peak"])
def test_growth_of_every_call_is_found_beyond_the_limit_only(metric):
    field = {"bytes": "bytes_allocated", "allocations": "allocations", "peak": "peak_bytes"}[metric]
    before, now = (row(**{field: distribution(value)}) for value in (10_000, 10_500))
    assert found(before, now, f"{metric}:3%") == [metric]
    assert found(before, now, f"{metric}:499") == [metric]
    assert found(before, now, f"{metric}:5%") == []
    assert found(before, now, f"{metric}:500") == []
    assert found(now, before, f"{metric}:0") == []


def test_an_outlier_that_moves_the_mean_alone_is_noise():
    outlier = row(bytes_allocated=distribution(10_000, mean=60_000, p99=10_000, max=10_010_000))
    assert found(row(), outlier, "bytes:5%") == []


def test_percentiles_that_move_without_the_mean_are_noise():
    stepped = row(bytes_allocated=distribution(10_000, p50=10_310, p95=10_310))
    assert found(row(), stepped, "bytes:0.1%") == []


def test_the_highest_calls_alone_count_where_they_are_many_or_weigh_much():
    def calls(count, mean, p95):
        figures = distribution(10_000, mean=mean, p95=p95)
        return row(calls=count, bytes_allocated=figures)

    for count, mean, metrics in (
        (999, 10_400, []),
        (1000, 10_400, ["bytes"]),
        (200, 10_500, []),
        (200, 10_501, ["bytes"]),
    ):
        assert (
            found(calls(count, 10_000, 10_000), calls(count, mean, 18_000), "bytes:1%") == metrics
        )


@pytest.mark.parametrize("figure", ["min", "p50", "p95"])
def test_the_mean_and_any_part_of_the_calls_together_are_growth(figure):
    grown = distribution(10_000, mean=10_600, **{figure: 10_600})
    assert found(row(), row(bytes_allocated=grown), "bytes:5%") == ["bytes"]


def test_a_percentile_may_show_less_growth_than_there_is():
    # 5 % more, read from histograms with steps of 3 %: it may look like 3 %.
    grown = distribution(10_000, mean=10_510, p50=10_310)
    assert found(row(), row(bytes_allocated=grown), "bytes:5%") == ["bytes"]


def test_fractions_of_a_block_a_call_are_no_growth():
    def calls(mean):
        return row(allocations=distribution(40, mean=mean, p50=mean))

    assert found(calls(40.1), calls(40.5), "allocations:0") == []
    assert found(calls(40.1), calls(40.9), "allocations:0") == ["allocations"]


def test_with_few_calls_the_cheapest_must_have_grown_too():
    def few(**figures):
        return row(calls=5, bytes_allocated=distribution(10_000, calls=5, **figures))

    assert found(few(), few(mean=20_000, p50=20_000, p95=20_000), "bytes:5%") == []
    assert found(few(), few(mean=20_000, min=10_600), "bytes:5%") == ["bytes"]
    assert found(few(), few(mean=20_000, min=10_400), "bytes:5%") == []


def test_few_calls_in_either_report_are_few():
    grown = distribution(10_000, mean=20_000, p50=20_000, p95=20_000)
    many, few = row(bytes_allocated=grown), row(calls=19, bytes_allocated=grown)
    assert found(row(), many, "bytes:5%") == ["bytes"]
    assert found(row(), few, "bytes:5%") == []
    assert found(row(calls=19), many, "bytes:5%") == []


def test_a_single_call_is_compared_as_it_is():
    before, now = (row(calls=1, allocations=distribution(blocks)) for blocks in (40, 41))
    assert found(before, now, "allocations:0") == ["allocations"]


def test_a_thousandth_more_is_no_growth():
    def connection(blocks):
        return row(calls=8, allocations=distribution(blocks, calls=8))

    assert found(connection(99_326), connection(99_343), "allocations:0") == []
    assert found(connection(99_326), connection(99_526), "allocations:0") == ["allocations"]
    assert found(row(allocated=10**6), row(allocated=10**6 + 1000), "bytes:0") == []
    assert found(row(allocated=10**6), row(allocated=10**6 + 1001), "bytes:0") == ["bytes"]


def test_retained_counts_all_calls_together():
    kept = row(retained_bytes=300_000)
    assert found(row(), kept, "retained:290KiB") == ["retained"]
    assert found(row(), kept, "retained:300KiB") == []
    assert found(row(retained_bytes=200_000), kept, "retained:40%") == ["retained"]
    assert found(row(retained_bytes=200_000), kept, "retained:50%") == []


def test_what_the_free_lists_of_the_interpreter_hold_is_no_growth():
    assert found(row(), row(retained_bytes=4096), "retained:0") == []
    assert found(row(), row(retained_bytes=4097), "retained:0") == ["retained"]


def test_a_new_leak_fails_however_little_it_keeps():
    [violation] = violations(
        compared(row(), leaking(size=40)), parse_limits("bytes:5%,retained:1MiB")
    )
    assert violation.metric == "retained"
    assert violation.reason == (
        "retained new leak: keeps 40 B a call: 7.8 KiB still alive after 200 calls"
    )


def test_an_old_leak_fails_only_when_it_grows():
    assert found(leaking(), leaking(), "retained:0") == []
    assert found(leaking(), leaking(size=2048), "retained:1%") == ["retained"]


def test_a_new_leak_is_no_matter_of_the_other_limits():
    assert found(row(), leaking(), "bytes:0,allocations:0,peak:0") == []


def test_a_new_name_is_limited_in_what_it_retains_only():
    comparison = compare_reports(report(row()), report(row(), row("added", retained_bytes=9000)))
    limits = parse_limits("bytes:0,allocations:0,peak:0,retained:8KiB")
    assert [(item.name, item.metric) for item in violations(comparison, limits)] == [
        ("added", "retained")
    ]
    assert violations(comparison, parse_limits("retained:9KiB")) == ()


def test_a_name_that_is_gone_fails_nothing():
    comparison = compare_reports(report(row(), leaking("gone")), report(row()))
    assert violations(comparison, parse_limits("bytes:0,allocations:0,peak:0,retained:0")) == ()


def test_a_violation_says_what_grew_from_what_to_what():
    [violation] = violations(
        compared(row(), row(allocated=12_000)), parse_limits("bytes:5%,allocations:0")
    )
    assert str(violation) == (
        "work: bytes 9.8 KiB -> 11.7 KiB a call (+2.0 KiB, +20.00%), 5% allowed"
    )
    assert violation.change is not None
    assert violation.change.absolute == 2000


def test_growth_from_nothing_has_no_percentage():
    [violation] = violations(
        compared(row(retained_bytes=0), row(retained_bytes=8192)), parse_limits("retained:0")
    )
    assert violation.reason == "retained 0 B -> 8.0 KiB (+8.0 KiB), 0 B allowed"


@pytest.mark.parametrize("metric", ["bytes", "allocations", "peak", "retained"])
def test_a_limit_on_what_cannot_be_compared_is_refused(metric):
    comparison = compare_reports(report(row()), report(row(), native=""))
    with pytest.raises(IncomparableError, match=f"{metric} of 'work' cannot be compared: only one"):
        violations(comparison, parse_limits(f"{metric}:0"))


def test_without_native_memory_the_means_decide():
    def native(size):
        return row(allocated=size, native_bytes_allocated=1_000_000, native_allocations=0)

    comparison = compare_reports(report(row()), report(native(15_500), native=""))
    assert comparison.row("work").bytes_allocated.mean.current == 10_500
    assert len(violations(comparison, parse_limits("bytes:3%"))) == 1
    assert violations(comparison, parse_limits("bytes:5%,allocations:0")) == ()


def test_a_new_leak_is_found_where_retained_bytes_cannot_be_compared():
    comparison = compare_reports(report(row()), report(leaking(), native=""))
    [violation] = violations(comparison, parse_limits("retained:1KiB"))
    assert violation.change is None
    assert "new leak: keeps 1.0 KiB a call" in violation.reason
