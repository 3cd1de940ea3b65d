"""Verdicts: what counts as a leak, as a peak, and as too little to tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from allocmeter import Registry
from allocmeter.reports import Distribution, ReportRow, RetainedGrowth
from allocmeter.verdicts import Verdict, has_slowed_down, verdict
from sample_reports import endpoint

MIB = 1024 * 1024


def spread(values):
    """The exact figures of some values, percentiles interpolated."""
    ranked = sorted(values)

    def rank(percent):
        place, rest = divmod((len(ranked) - 1) * percent, 100)
        return (
            ranked[place] + (ranked[min(place + 1, len(ranked) - 1)] - ranked[place]) * rest / 100
        )

    return Distribution(
        sum=sum(ranked),
        min=ranked[0],
        mean=sum(ranked) / len(ranked),
        p50=rank(50),
        p95=rank(95),
        p99=rank(99),
        max=ranked[-1],
    )


def calls(*, held, alive, peaks=None, name="x"):
    """A row of calls that each held so many bytes at their end; `alive` bytes still are."""
    return ReportRow(
        name=name,
        count=len(held),
        errors=0,
        cancelled=0,
        bytes_allocated=spread([2048] * len(held)),
        allocations=spread([8] * len(held)),
        peak_bytes=spread(peaks or [1024] * len(held)),
        retained_bytes=alive,
        retained_allocations=len(held) if alive else 0,
        late_bytes_allocated=0,
        retained=spread(held),
    )


def test_a_leak_is_named_with_its_figures():
    row = calls(held=[1128] * 2000, alive=1128 * 2000)
    assert verdict(row) == Verdict(
        "leaks", "keeps 1.1 KiB a call: 2.2 MiB still alive after 2,000 calls"
    )


@pytest.mark.parametrize("count", [20, 100, 10_000])
def test_a_leak_of_64_bytes_a_call_is_found(count):
    assert verdict(calls(held=[64] * count, alive=64 * count)).kind == "leaks"


def test_a_leak_of_mixed_sizes_is_found():
    held = [80, 200, 3000, 90_000] * 50
    assert verdict(calls(held=held, alive=sum(held))).kind == "leaks"


def test_a_leak_beside_a_cache_filled_once_is_found():
    held = [4 * MIB] + [100] * 999
    assert verdict(calls(held=held, alive=sum(held))).kind == "leaks"


def test_what_was_held_at_the_end_and_freed_soon_after_is_no_leak():
    row = calls(held=[5000] * 1000, alive=5000 * 10)
    assert verdict(row) == Verdict(
        "ok",
        "48.8 KiB still alive after 1,000 calls; largest peak 1.0 KiB, median 1.0 KiB",
    )


def test_a_cache_filled_by_the_first_call_is_no_leak():
    assert verdict(calls(held=[4 * MIB] + [0] * 999, alive=4 * MIB)).kind == "ok"


@pytest.mark.parametrize("count", [20, 21, 39, 400])
def test_a_cache_filled_once_is_no_leak_though_every_call_holds_its_answer_for_a_while(count):
    # What is alive is a thousand times what the typical calls together ever held.
    assert verdict(calls(held=[4 * MIB] + [200] * (count - 1), alive=4 * MIB)).kind == "ok"


def test_a_cache_filled_by_a_few_calls_is_no_leak():
    held = [MIB] * 10 + [200] * 990
    assert verdict(calls(held=held, alive=10 * MIB)).kind == "ok"


def test_a_number_that_every_call_replaces_is_no_leak():
    assert verdict(calls(held=[28] * 1000, alive=28 * 1000)).kind == "ok"


def test_a_bounded_cache_is_no_leak_once_calls_outnumber_it():
    assert verdict(calls(held=[1000] * 129, alive=1000 * 128)).kind == "leaks"
    assert verdict(calls(held=[1000] * 1000, alive=1000 * 128)).kind == "ok"


def growing(now, earlier=None, *, doubt=0, calls=1000, alive=None):
    """A row that retains so many bytes more by each call, as an interval."""
    limits = (now, now - doubt, now + doubt, now if earlier is None else earlier)
    return replace(
        endpoint("x", calls, kept=1000),
        retained_bytes=1000 * calls if alive is None else alive,
        retained_growth=RetainedGrowth(*(1000 * limit for limit in limits)),
    )


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (growing(99.9), "ok"),
        (growing(100), "leaks"),
        (growing(110, doubt=10), "leaks"),
        (growing(110, doubt=10.1), "ok"),  # perhaps less than what free lists account for
        (growing(59), "ok"),
        (growing(59, calls=10**6), "ok"),
    ],
)
def test_growth_from_100_bytes_a_call_on_is_a_leak(row, kind):
    assert verdict(row).kind == kind


@pytest.mark.parametrize(("calls", "kind"), [(63, "ok"), (64, "leaks")])
def test_growth_counts_from_64_calls_on(calls, kind):
    # Of fewer it is what each call kept that counts, and here nothing is.
    row = replace(growing(5000, calls=calls, alive=5000 * calls), retained=spread([0] * calls))
    assert verdict(row).kind == kind


@pytest.mark.exact
def test_a_neighbour_that_grows_by_what_free_lists_hold_is_not_called_leaking():
    # As next to a leaking endpoint of FastAPI: each call keeps something of 59 bytes.
    registry = Registry()
    kept = []
    for _ in range(2000):
        with registry.measure("neighbour"):
            kept.append(bytes(59 - 33 - 8))  # less its header, and its place in the list
        with registry.measure("leak"):
            kept.append(bytes(1024))
    row = registry.row("neighbour")
    assert row.retained_growth.low > 40_000
    assert verdict(row).kind == "ok"
    assert verdict(registry.row("leak")).kind == "leaks"


def test_a_leak_is_named_with_the_interval_of_its_growth():
    assert verdict(growing(1131, doubt=120, calls=2000, alive=1131 * 2000)) == Verdict(
        "leaks", "keeps 1.1 KiB a call (1,011 B to 1.2 KiB): 2.2 MiB still alive after 2,000 calls"
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (growing(0, earlier=500), "filled up (grew 488 KiB per 1,000 calls before)"),
        (
            growing(200, earlier=500, doubt=300),
            "filled up (grew 488 KiB per 1,000 calls before)",
        ),
        (
            growing(299, earlier=500),
            "fills up (grew 488 KiB per 1,000 calls before, 292 KiB now)",
        ),
        (
            growing(-50, earlier=500),
            "filled up (grew 488 KiB per 1,000 calls before, -48.8 KiB now)",
        ),
    ],
)
def test_a_cache_is_said_to_fill_with_its_growth_before_and_now(row, reason):
    assert verdict(row) == Verdict("ok", f"{reason}: 977 KiB still alive after 1,000 calls")
    assert has_slowed_down(row)


@pytest.mark.parametrize(
    "row",
    [
        growing(300, earlier=500),  # sustained
        growing(0, earlier=99),  # as little as free lists account for
        growing(0, earlier=500, calls=63),
        growing(0, earlier=500, alive=83_000),  # kept for a while, and freed by now
        calls(held=[1000] * 1000, alive=128_000),  # no growth is known
    ],
)
def test_what_has_not_slowed_down_is_not_said_to_fill(row):
    assert not has_slowed_down(row)
    assert "fill" not in verdict(row).reason


def test_a_report_without_what_calls_retained_names_no_leak():
    sound = calls(held=[1000] * 100, alive=100_000)
    fields = {name: getattr(sound, name) for name in sound.__slots__}
    assert verdict(ReportRow(**{**fields, "retained": None})).kind == "ok"


def test_a_peak_far_above_the_median_is_named_with_its_figures():
    peaks = [256 * 1024] * 99 + [24 * MIB]
    assert verdict(calls(held=[0] * 100, alive=0, peaks=peaks)) == Verdict(
        "peaks", "peaks at 24.0 MiB, 96 times as much; the median call at 256 KiB"
    )


def test_a_peak_above_a_median_of_nothing_is_named():
    row = calls(held=[0] * 100, alive=0, peaks=[0] * 99 + [MIB])
    assert verdict(row) == Verdict("peaks", "peaks at 1.0 MiB; the median call at 0 B")


@pytest.mark.parametrize(
    ("median", "largest", "kind"),
    [
        (8192, 65536, "peaks"),
        (8193, 65536, "ok"),
        (100, 65535, "ok"),
        (MIB, 7 * MIB, "ok"),
        (MIB, 8 * MIB, "peaks"),
    ],
)
def test_a_peak_stands_out_from_eight_medians_and_64_kib_on(median, largest, kind):
    row = calls(held=[0] * 100, alive=0, peaks=[median] * 99 + [largest])
    assert verdict(row).kind == kind


def test_what_leaks_and_peaks_is_said_to_leak():
    row = calls(held=[1000] * 100, alive=100_000, peaks=[1000] * 99 + [MIB])
    assert verdict(row).kind == "leaks"


def test_below_twenty_calls_nothing_is_said():
    row = calls(held=[MIB] * 19, alive=19 * MIB, peaks=[0] * 18 + [MIB])
    assert verdict(row) == Verdict("few", "a verdict needs 20 calls and there were 19")


def test_a_name_with_no_calls_is_judged_without_a_division():
    nothing = Distribution(sum=0, min=0, mean=0, p50=0, p95=0, p99=0, max=0)
    row = ReportRow("x", 0, 0, 0, nothing, nothing, nothing, 0, 0, 0, nothing)
    assert verdict(row).kind == "few"


@pytest.mark.parametrize("name", ["leak", "/peaky", "ok"])
def test_the_name_plays_no_part(name):
    row = calls(held=[0] * 100, alive=0, name=name)
    assert verdict(row) == verdict(calls(held=[0] * 100, alive=0))
