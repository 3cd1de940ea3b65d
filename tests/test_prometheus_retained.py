"""What Prometheus is told of retained memory: of which age it is, and how it grows."""

from __future__ import annotations

import pytest

from allocmeter import Registry
from allocmeter import registry as registry_module
from allocmeter.integrations import _exported_totals
from allocmeter.integrations.prometheus import AllocmeterCollector
from scrapes import samples_of, scraped


@pytest.fixture
def registry():
    return Registry()


def samples(registry):
    return samples_of(scraped(AllocmeterCollector(registry)))


@pytest.mark.exact
@pytest.mark.parametrize("sizes", [(1000, 3000), (3000, 1000)])
def test_names_that_are_one_series_have_the_growth_of_the_fastest(registry, sizes):
    names, leaked = ["x" * 500], []
    with registry.measure(names[0]):
        pass
    names.append(next(scope for _, scope, _ in samples(registry) if scope))
    for _ in range(200):
        for name, size in zip(names, sizes, strict=True):
            with registry.measure(name):
                leaked.append(bytes(size))
    found = samples(registry)
    growth = found["allocmeter_retained_growth_bytes", names[1], None]
    assert growth == pytest.approx(3041, rel=0.05)
    young = found["allocmeter_retained_by_age_bytes", names[1], "<10s"]
    assert young == found["allocmeter_retained_bytes", names[1], None] > 200 * sum(sizes)


@pytest.mark.exact
def test_growth_is_exported_from_enough_scopes_on_with_its_limits(registry):
    leaked = []

    def growth():
        names = ("growth_low_bytes", "growth_bytes", "growth_high_bytes")
        found = samples(registry)
        return [found.get((f"allocmeter_retained_{name}", "leaks", None)) for name in names]

    for _ in range(63):
        with registry.measure("leaks"):
            leaked.append(bytes(1024))
    assert growth() == [None] * 3
    for _ in range(937):
        with registry.measure("leaks"):
            leaked.append(bytes(1024))
    low, each, high = growth()
    assert low <= each <= high
    assert each == pytest.approx(leaked[0].__sizeof__() + 8, rel=0.05)
    registry.reset()
    assert growth() == [None] * 3


def test_what_is_retained_has_a_series_for_each_age(registry):
    with registry.measure("GET /"):
        kept = bytes(1000)
    (by_age,) = (
        metric
        for metric in AllocmeterCollector(registry).collect()
        if metric.name == "allocmeter_retained_by_age_bytes"
    )
    labels = {"scope": "GET /", "route": "/", "method": "GET"}
    assert [sample.labels for sample in by_age.samples] == [
        labels | {"age": age} for age in ("<10s", "10s-1m", "1m-10m", ">10m")
    ]
    assert [sample.value for sample in by_age.samples] == [kept.__sizeof__(), 0, 0, 0]


@pytest.mark.exact
def test_a_scrape_reads_what_is_retained_once_however_many_names_there_are(registry, monkeypatch):
    refreshed = []
    for module in (_exported_totals, registry_module):
        monkeypatch.setattr(module, "refresh_retained", lambda: refreshed.append(1))
    kept = []
    for number in range(20):
        with registry.measure(f"GET /{number}"):
            kept.append(bytes(1000))
    samples(registry)
    assert refreshed == [1]


def test_growth_is_estimated_anew_only_where_there_are_new_samples(registry, monkeypatch):
    estimated = []

    def estimate(found):
        estimated.append(len(found))

    monkeypatch.setattr(_exported_totals, "retained_growth", estimate)
    collector = AllocmeterCollector(registry)
    for scopes in (20, 0, 0, 1, 0):
        for _ in range(scopes):
            with registry.measure("work"):
                pass
        collector.collect()
    assert estimated == [20, 21]
