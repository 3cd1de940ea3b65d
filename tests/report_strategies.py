"""Any report that is sound, for tests of what must hold for all of them."""

from __future__ import annotations

from hypothesis import strategies as st

from allocmeter.reports import Distribution, Report, ReportRow, RetainedGrowth
from allocmeter.timeline import MemorySample

figures = st.integers(min_value=0, max_value=2**64 - 1)
fractions = st.just(0.0) | st.floats(min_value=2.0**-64, max_value=2.0**63)
quantiles = figures | fractions
distributions = st.builds(
    Distribution,
    sum=figures,
    min=figures,
    mean=quantiles,
    p50=quantiles,
    p95=quantiles,
    p99=quantiles,
    max=figures,
)
buckets = st.tuples(figures, figures, figures).map(lambda b: (min(b[:2]), max(b[:2]), b[2]))
differences = st.integers(min_value=-(2**64) + 1, max_value=2**64 - 1)
slopes = differences | st.floats(min_value=-(2.0**63), max_value=2.0**63)
growths = st.builds(
    RetainedGrowth,
    bytes_per_1000_calls=slopes,
    low=slopes,
    high=slopes,
    earlier=slopes,
)
rows = st.builds(
    ReportRow,
    name=st.text(st.characters(), max_size=20),  # lone surrogates and control characters too
    count=figures,
    errors=figures,
    cancelled=figures,
    bytes_allocated=distributions,
    allocations=distributions,
    peak_bytes=distributions,
    retained_bytes=figures,
    retained_allocations=figures,
    late_bytes_allocated=figures,
    retained=st.none() | distributions,
    histogram=st.lists(buckets, max_size=3).map(tuple),
    native_bytes_allocated=st.none() | figures,
    native_allocations=st.none() | figures,
    retained_by_age=st.lists(st.tuples(figures, figures), max_size=4).map(tuple),
    retained_growth=st.none() | growths,
)
samples = st.builds(
    MemorySample,
    time=fractions,
    net_bytes=differences,
    net_allocations=differences,
    rss_bytes=st.none() | figures,
)
scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=10)
facts = st.dictionaries(st.text(max_size=10), scalars | st.lists(scalars, max_size=3), max_size=3)
reports = st.builds(
    Report,
    rows=st.lists(rows, max_size=3, unique_by=lambda row: row.name).map(tuple),
    allocmeter=st.text(max_size=10),
    python=st.text(max_size=10),
    platform=st.text(max_size=10),
    backend=facts,
    process=facts,
    created_at=st.none() | st.text(max_size=30),
    timeline=st.lists(samples, max_size=4).map(
        lambda found: tuple(sorted(found, key=lambda sample: sample.time))
    ),
    program=st.none() | st.text(max_size=30),
)
