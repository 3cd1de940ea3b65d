"""Reports made by hand, for tests of their format and of what is shown of them."""

from __future__ import annotations

from allocmeter.reports import Distribution, Report, ReportRow, RetainedGrowth

KIB = 1024
MIB = 1024 * KIB
FIGURES = ("sum", "min", "mean", "p50", "p95", "p99", "max")


def distribution(value=0, **figures):
    return Distribution(**{**dict.fromkeys(FIGURES, value), **figures})


def row(name, allocated=0, **changes):
    """The row of a scope that closed once."""
    fields = {
        "name": name,
        "count": 1,
        "errors": 0,
        "cancelled": 0,
        "bytes_allocated": distribution(allocated),
        "allocations": distribution(1),
        "peak_bytes": distribution(allocated),
        "retained_bytes": 0,
        "retained_allocations": 0,
        "late_bytes_allocated": 0,
        "retained": distribution(),
        "histogram": ((512, 528, 1),),
    }
    return ReportRow(**{**fields, **changes})


def report(*rows, **changes):
    fields = {
        "rows": rows,
        "allocmeter": "0.1.0",
        "python": "cpython 3.12.4",
        "platform": "Linux x86_64",
        "backend": {"domains": {"python": "", "native": "not preloaded"}, "gaps": 0},
        "process": {},
        "created_at": None,
    }
    return Report(**{**fields, **changes})


def spread(median, p95=None, largest=None, *, count):
    p95 = median if p95 is None else p95
    largest = p95 if largest is None else largest
    return Distribution(
        sum=int(median * count),
        min=0,
        mean=median,
        p50=median,
        p95=p95,
        p99=p95,
        max=int(largest),
    )


def endpoint(
    name, count=2000, *, allocated=(1000,), blocks=12, peak=(500,), kept=0, native=None, **changes
):
    """The row of an endpoint: bytes as (median, 95th percentile, largest), native as a share."""
    sizes = spread(*allocated, count=count)
    fields = {
        "count": count,
        "bytes_allocated": sizes,
        "allocations": spread(blocks, count=count),
        "peak_bytes": spread(*peak, count=count),
        "retained_bytes": kept * count,
        "retained_allocations": count if kept else 0,
        "retained": spread(kept, count=count),
        "histogram": (
            (sizes.min, sizes.min, 1),
            (int(sizes.p50), int(sizes.p50) + 16, count - 2),
            (sizes.max, sizes.max + 16, 1),
        ),
        "native_bytes_allocated": None if native is None else int(native * sizes.sum),
        "native_allocations": None if native is None else count,
    }
    return row(name, **{**fields, **changes})


PARSE = endpoint(
    "GET /parse", allocated=(340 * KIB, 1.5 * MIB, 2 * MIB), blocks=4210.4, peak=(99 * KIB,)
)
CACHE = endpoint("GET /cache", allocated=(5 * KIB,), kept=1128)
ZIP = endpoint("GET /zip", 400, allocated=(3 * KIB,), peak=(2 * KIB, 3 * KIB, 24 * MIB))


def growth(now, earlier=None, doubt=0):
    """Growth in bytes a call, and how far its limits are from it."""
    limits = (now, now - doubt, now + doubt, now if earlier is None else earlier)
    return RetainedGrowth(*(1000 * limit for limit in limits))


LEAK = endpoint(
    "GET /leak",
    kept=1128,
    retained_growth=growth(1131, doubt=20),
    retained_by_age=((12 * KIB, 11), (40 * KIB, 36), (300 * KIB, 273), (1_895_552, 1680)),
)
LRU = endpoint(
    "GET /lru",
    kept=100,
    retained_growth=growth(0, earlier=500),
    retained_by_age=((0, 0), (200_000, 2000), (0, 0), (0, 0)),
)
START = endpoint("start", 1, allocated=(100,), histogram=())

TRACKED = {
    "rss_bytes": 80 * MIB,
    "peak_rss_bytes": 90 * MIB,
    "allocations": 123_456,
    "bytes_allocated": 900 * MIB,
    "peak_bytes": 3 * MIB,
    "live_bytes": 400,
    "live_allocations": 5,
    "native_allocations": 77,
    "native_bytes_allocated": 300 * MIB,
}

# What a name must neither do to a terminal nor to a page.
HOSTILE_NAMES = [
    "\x1b[2J\x1b[31mred",
    "a\nleaks  GET /innocent",
    "tab\tand\rreturn",
    "null\x00bell\x07\x7f",
    "c1 \x9b31m",
    "rtl \u202egpj.exe",
    "isolate \u2066left\u2069",
    "zero\u200bwidth",
    "line\u2028separator",
    "surrogate \ud800",
    "bom \ufeff",
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style></title></summary></table><img src=x onerror=alert(1)>",
    "\"' onmouseover='alert(1)' x=\"",
    "<!-- --> <![CDATA[ ]]>",
    "&lt;b&gt; &#60;b&#62; &nbsp",
    "javascript:alert(1)",
    "{{7*7}} ${7*7} <%= 7*7 %>",
    "",
]
