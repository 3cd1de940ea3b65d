"""The plots of the HTML report: what is merged or thinned, scales, and what the points say."""

from __future__ import annotations

import json
import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocmeter.renderers.html import render
from allocmeter.renderers.html_histogram import MOST_BARS, merged
from allocmeter.renderers.html_timeline import MOST_STEPS, bytes_scale, thinned, time_scale
from allocmeter.timeline import MemorySample
from html_pages import page_of
from sample_reports import MIB, endpoint, report

sizes = st.integers(min_value=0, max_value=2**64 - 1)
differences = st.integers(min_value=-(2**64), max_value=2**64)
times = st.floats(min_value=0, max_value=2.0**63)


@st.composite
def buckets(draw):
    """Buckets as the core gives them: apart from each other, empty ones left out."""
    edges = sorted(draw(st.sets(sizes, min_size=2, max_size=80)))
    counts = draw(st.lists(st.integers(1, 1000), min_size=len(edges), max_size=len(edges)))
    return tuple(zip(edges, edges[1:], counts, strict=False))[:: draw(st.sampled_from([1, 2, 3]))]


@given(buckets())
def test_merged_buckets_hold_each_bucket_as_a_whole(found):
    bars = merged(found)
    assert 1 <= len(bars) <= MOST_BARS
    assert (bars[0][0], bars[-1][1]) == (found[0][0], found[-1][1])
    assert all(left[1] == right[0] for left, right in pairwise(bars))
    for lower, upper, count in bars:
        inside = [bucket for bucket in found if lower <= bucket[0] and bucket[1] <= upper]
        assert count == sum(bucket[2] for bucket in inside)
    assert sum(bar[2] for bar in bars) == sum(bucket[2] for bucket in found)


def test_merged_buckets_are_of_even_width_on_a_logarithmic_scale():
    found = [(2**n, 2 ** (n + 1), 1) for n in range(10, 50)]
    assert [(bar[1] // bar[0], bar[2]) for bar in merged(found, 20)] == [(4, 2)] * 20


def test_a_stretch_without_values_stays_empty():
    counts = [bar[2] for bar in merged([(1000, 1016, 5), (10**6, 10**6 + 16_384, 7)])]
    assert counts == [5, *[0] * (len(counts) - 2), 7]


@pytest.mark.parametrize("found", [(), ((5, 6, 0),)])
def test_without_values_there_are_no_bars(found):
    assert merged(found) == []


def test_a_single_value_is_a_bar():
    assert merged([(0, 0, 3)]) == [(0, 1, 3)]
    assert merged([(512, 528, 3)]) == [(512, 528, 3)]


def test_the_histogram_of_a_row_says_its_edges_and_counts():
    spread = ((1024, 1040, 30), (2048, 2080, 60))
    (figure,) = page_of(render(report(endpoint("a", 90, histogram=spread)))).all("figure")
    edges = [int(edge) for edge in figure.attributes["data-edges"].split()]
    counts = [int(count) for count in figure.attributes["data-counts"].split()]
    assert (edges[0], edges[-1], len(edges)) == (1024, 2080, len(counts) + 1)
    assert (counts[0], counts[-1], sum(counts)) == (30, 60, 90)
    outline = figure.all("path")[0].attributes["d"]
    assert outline.startswith("M0 100V50H")
    assert outline.endswith("V0H1000V100")
    assert [text.text for text in figure.all("text")][2:] == ["1.0 KiB", "2.0 KiB"]


def test_a_single_call_has_no_histogram():
    assert page_of(render(report(endpoint("a", 1, histogram=((512, 528, 1),))))).all("figure") == []


def sample(time, net=0, rss=0):
    return MemorySample(time, net, net // 100, rss)


def test_a_short_timeline_is_plotted_as_it_is():
    samples = [sample(n, n * n) for n in range(100)]
    assert thinned(samples) == samples


def test_a_long_timeline_keeps_its_ends_and_every_spike():
    samples = [sample(n / 10, 1000 + n % 7, 5000) for n in range(50_000)]
    spikes = {777: (10**9, 5000), 33_333: (-(10**9), 5000), 44_444: (1000, 10**9)}
    for index, (net, rss) in spikes.items():
        samples[index] = sample(index / 10, net, rss)
    kept = thinned(samples)
    assert len(kept) <= 4 * MOST_STEPS
    assert kept == sorted(kept, key=lambda found: found.time)
    assert {samples[index] for index in (0, 49_999, *spikes)} <= set(kept)


@given(differences, differences, st.booleans())
def test_a_scale_of_bytes_holds_all_values_between_round_figures(one, other, from_zero):
    low, high = sorted((one, other))
    scale = bytes_scale(low, high, from_zero=from_zero)
    assert scale.low <= low <= high <= scale.high
    assert scale.low < scale.high
    assert 2 <= len(scale.ticks) <= 7
    assert {scale.place(scale.low), scale.place(scale.high)} == {0, 1}
    assert not from_zero or 0 in scale.ticks


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 20 * MIB, [0, 5 * MIB, 10 * MIB, 15 * MIB, 20 * MIB]),
        (0, 100, [0, 50, 100]),
        (-100, 40 * 1024, [-20_480, 0, 20_480, 40_960]),
        (0, 0, [0, 1]),
    ],
)
def test_ticks_of_bytes_stand_at_round_figures(low, high, ticks):
    assert list(bytes_scale(low, high, from_zero=True).ticks) == ticks


@given(times, times)
def test_a_scale_of_time_is_never_without_width(one, other):
    start, end = sorted((one, other))
    scale = time_scale(start, end)
    assert scale.low == start
    assert scale.high >= end
    assert 0 <= scale.place(start) <= scale.place(end) <= 1
    assert len(scale.ticks) <= 8
    assert all(math.isfinite(scale.place(tick)) for tick in scale.ticks)


@pytest.mark.parametrize(
    ("end", "labels"),
    [
        (0.05, ["0", "10 ms", "20 ms", "30 ms", "40 ms", "50 ms"]),
        (0.9, ["0", "200 ms", "400 ms", "600 ms", "800 ms"]),
        (31.4, ["0", "10 s", "20 s", "30 s"]),
        (300, ["0", "1 min", "2 min", "3 min", "4 min", "5 min"]),
        (86_400, ["0", "6 h", "12 h", "18 h", "1 d"]),
        (86_400 * 50, ["0", "10 d", "20 d", "30 d", "40 d", "50 d"]),
    ],
)
def test_the_axis_of_time_is_labelled_in_units_that_fit(end, labels):
    page = page_of(render(report(timeline=(sample(0), sample(end)))))
    plot = page.all("svg", **{"class": "plot"})[0]
    texts = [text.text for text in plot.all("text") if text.attributes["class"] != "value"]
    assert texts == labels


def test_live_bytes_and_resident_set_are_plotted_with_axes_in_units():
    samples = tuple(sample(n, n * MIB, (50 + n) * MIB) for n in range(11))
    (section,) = page_of(render(report(timeline=samples))).all("section", **{"class": "timeline"})
    assert [caption.all("b")[0].text for caption in section.all("figcaption")] == [
        "Live bytes",
        "Resident set size",
    ]
    values = [
        [text.text for text in plot.all("text", **{"class": "value"})]
        for plot in section.all("svg", **{"class": "plot"})
    ]
    assert values == [
        ["0", "5 MiB", "10 MiB"],
        ["50 MiB", "55 MiB", "60 MiB"],
    ]
    line = section.all("path", **{"class": "line"})[0].attributes["d"]
    assert re.findall(r"[\d.]+ [\d.]+", line)[:2] == ["0 120", "100 108"]
    assert line.endswith("L1000 0")


def test_the_samples_are_there_for_the_script():
    samples = (MemorySample(0.25, -5, -1, None), MemorySample(1.5, 2048, 7, 4096))
    (block,) = page_of(render(report(timeline=samples))).all("script", id="samples")
    assert json.loads(block.text) == {
        "start": 0.25,
        "end": 1.5,
        "samples": [[0.25, -5, -1, None], [1.5, 2048, 7, 4096]],
    }


def test_without_resident_set_sizes_there_is_one_plot():
    page = page_of(render(report(timeline=(MemorySample(0, 1, 1, None),))))
    assert len(page.all("svg", **{"class": "plot"})) == 1


def test_without_samples_there_is_no_plot_and_nothing_for_the_script():
    page = page_of(render(report(endpoint("a"))))
    assert page.all("section", **{"class": "timeline"}) == []
    assert page.all("script", id="samples") == []
