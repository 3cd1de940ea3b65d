"""The collector of one process."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from contextlib import suppress

import prometheus_client
import pytest

from allocmeter import Registry, measure
from allocmeter.integrations.prometheus import AllocmeterCollector, export_metrics
from children import answer_of, output_of
from scrapes import expected, samples_of, scraped, without_steps
from tracing import coverage_variables

BOUNDS = [1024 * 4**power for power in range(11)]


@pytest.fixture
def registry():
    return Registry()


def samples(registry):
    return samples_of(scraped(AllocmeterCollector(registry)))


def run_some_scopes(registry, kept):
    for size in (10, 900, 1000, 5000, 5000, 2_000_000):
        with registry.measure("GET /items/{id}"):
            kept.append(bytes(size))
    with suppress(ValueError), registry.measure("POST /"):
        raise ValueError
    with suppress(asyncio.CancelledError), registry.measure("POST /"):
        raise asyncio.CancelledError
    with registry.measure("import"):
        del kept[:2]


@pytest.mark.exact
def test_the_figures_are_those_of_the_report(registry):
    kept = []
    run_some_scopes(registry, kept)
    collector = AllocmeterCollector(registry)
    assert without_steps(samples_of(scraped(collector))) == expected(registry.report())
    run_some_scopes(registry, kept)
    assert without_steps(samples_of(scraped(collector))) == expected(registry.report())


@pytest.mark.exact
def test_steps_are_powers_of_four_and_cumulate(registry):
    kept = [bytes(1)] * 8
    for size in (10, 990, 992, 4062, 4064, 70_000):
        with registry.measure("work"):
            kept[0] = bytes(size)
    # 33 bytes of header each; what allocated as much as a bound is in the step above it.
    at_least = [43, 1023, 1025, 4095, 4097, 70_033]
    steps = {
        le: count
        for (name, _, le), count in samples(registry).items()
        if name == "allocmeter_scope_allocated_bytes_bucket"
    }
    assert [float(le) for le in steps] == [*map(float, BOUNDS), float("inf")]
    assert list(steps.values()) == [2, 4, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6]
    assert registry.row("work").bytes_allocated.sum == sum(at_least)


def test_method_and_route_are_labels_where_the_name_is_made_of_them(registry):
    for name in ("GET /items/{id}", "DELETE /", "import", "get /", "WEBSOCKET /chat", "GET  /x"):
        with registry.measure(name):
            pass
    (counter, *_) = AllocmeterCollector(registry).collect()
    assert [
        (sample.labels["scope"], sample.labels["method"], sample.labels["route"])
        for sample in counter.samples
    ] == [
        ("GET /items/{id}", "GET", "/items/{id}"),
        ("DELETE /", "DELETE", "/"),
        ("import", "", ""),
        ("get /", "", ""),
        ("WEBSOCKET /chat", "", ""),
        ("GET  /x", "", ""),
    ]


HOSTILE = [
    'GET /"} 1\nallocmeter_allocated_bytes_total{scope="forged"} 9e9\n#',
    "\\",
    "\\n",
    "\n",
    "\r\x00\x85\u2028",
    "\ud800",
    "x" * 10_000,
    "x" * 10_001,
    "",
    " ",
    "é" * 150 + "\U0001f600",
]


def test_hostile_names_damage_nothing(registry):
    for name in HOSTILE:
        with registry.measure(name):
            pass
    text = scraped(AllocmeterCollector(registry))
    counts = {
        key[1]: value
        for key, value in samples_of(text).items()
        if key[0] == "allocmeter_scope_allocated_bytes_count"
    }
    assert counts == dict.fromkeys(counts, 1)
    assert len(counts) == len(HOSTILE)
    assert all(len(scope) <= 200 for scope in counts)
    assert "forged" not in counts
    assert "é" * 150 + "\U0001f600" in counts


def test_a_name_that_imitates_a_cut_one_is_added_to_it(registry):
    with registry.measure("x" * 500):
        pass
    ((_, imitation, _), *_) = samples(registry)
    assert len(imitation) == 200
    with registry.measure(imitation):
        pass
    assert samples(registry)["allocmeter_scope_allocated_bytes_count", imitation, None] == 2


def test_names_beyond_the_cap_are_one_series():
    registry = Registry(max_names=3)
    for number in range(100):
        with registry.measure(f"GET /{number}"):
            pass
    found = samples(registry)
    assert {scope for _, scope, _ in found if scope} == {"GET /0", "GET /1", "GET /2", "(other)"}
    assert found["allocmeter_scope_allocated_bytes_count", "(other)", None] == 97


def test_counters_survive_a_reset(registry):
    collector = AllocmeterCollector(registry)
    kept = []
    run_some_scopes(registry, kept)
    before = samples_of(scraped(collector))
    with registry.measure("import"):
        pass
    registry.reset()
    run_some_scopes(registry, kept)
    after = samples_of(scraped(collector))
    counted = ("allocmeter_scope_allocated_bytes_count", "import", None)
    assert after[counted] == before[counted] + 2 == 3
    assert all(
        after[key] >= value
        for key, value in before.items()
        if key[0].endswith(("_total", "_bucket", "_count", "_sum"))
    )
    registry.reset()
    found = samples_of(scraped(collector))
    assert found[counted] == 3
    assert found["allocmeter_retained_bytes", "GET /items/{id}", None] == 0


def test_series_of_names_that_resets_removed_do_not_grow_without_end():
    registry = Registry(max_names=5)
    collector = AllocmeterCollector(registry)
    for number in range(50):
        with registry.measure(f"GET /{number}"):
            pass
        scraped(collector)
        registry.reset()
    assert len({scope for _, scope, _ in samples_of(scraped(collector))}) <= 7


def test_the_verdict_is_exported(registry):
    leaked = []
    for _ in range(100):
        with registry.measure("leaks"):
            leaked.append(bytes(1024))
        with registry.measure("is fine"):
            bytes(1024)
    found = samples(registry)
    assert found["allocmeter_leaking", "leaks", None] == 1
    assert found["allocmeter_leaking", "is fine", None] == 0


def test_the_resident_memory_is_that_of_the_process(registry):
    ((_, value),) = (
        (key, value)
        for key, value in samples(registry).items()
        if key[0] == "allocmeter_process_resident_bytes"
    )
    assert value > 5_000_000


@pytest.mark.exact
def test_a_scrape_is_not_charged_to_the_scope_it_happens_in(registry):
    collector = AllocmeterCollector(registry)
    run_some_scopes(registry, [])
    list(collector.collect())
    with measure() as empty:
        pass
    with measure() as scope:
        collector.collect()
    assert scope.stats.bytes_allocated == empty.stats.bytes_allocated == 0


@pytest.mark.anyio
async def test_the_block_registers_the_collector_and_takes_it_back(registry, anyio_backend):
    clients = prometheus_client.CollectorRegistry()
    with registry.measure("work"):
        pass
    async with export_metrics(registry=registry, collector_registry=clients) as exported:
        exported.flush()
        assert clients.get_sample_value(
            "allocmeter_scope_allocated_bytes_count", {"scope": "work", "route": "", "method": ""}
        )
        with pytest.raises(RuntimeError, match="exported already"):
            export_metrics(registry=registry, collector_registry=clients).__enter__()
    assert list(clients.collect()) == []
    with export_metrics(registry=registry, collector_registry=clients):
        assert list(clients.collect())


@pytest.mark.parametrize(
    ("interval", "error"), [(0, ValueError), (float("nan"), ValueError), ("1", TypeError)]
)
def test_an_interval_is_a_positive_number(interval, error):
    with pytest.raises(error, match="interval"):
        export_metrics(interval)


def test_nothing_is_imported_before_it_is_used():
    assert (
        answer_of(
            """
        import json, sys
        import allocmeter.integrations.prometheus
        print(json.dumps("prometheus_client" in sys.modules))
        """
        )
        is False
    )


def test_a_missing_client_is_told_with_what_to_install():
    assert "pip install 'allocmeter[prometheus]'" in output_of(
        """
        import sys
        sys.modules["prometheus_client"] = None
        from allocmeter.integrations.prometheus import AllocmeterCollector
        try:
            AllocmeterCollector()
        except ImportError as error:
            print(error)
        """,
        **coverage_variables(),
    )


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_say(registry):
    run_some_scopes(registry, [])
    for name in HOSTILE:
        with registry.measure(name):
            pass
    check = subprocess.run(
        ["promtool", "check", "metrics"],
        input=scraped(AllocmeterCollector(registry)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")
