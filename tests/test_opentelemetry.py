"""Metrics for OpenTelemetry, read back through its SDK."""

from __future__ import annotations

from contextlib import suppress

import pytest

from allocmeter import Registry, measure, report
from children import answer_of, output_of
from otel_collecting import AGE, BY_AGE, HISTOGRAMS, PATCHED, TOTALS, Collected, instrumented

GROWTH = [f"memory.retained_growth{limit}" for limit in ("", "_low", "_high")]
BOUNDS = [1024 * 4**power for power in range(11)]


@pytest.fixture
def registry():
    return Registry()


def run_some_scopes(registry, kept):
    for size in (10, 900, 991, 992, 5000, 5000, 2_000_000):
        with registry.measure("GET /items/{id}"):
            kept.append(bytes(size))
    with suppress(ValueError), registry.measure("POST /"):
        raise ValueError
    with registry.measure("import"):
        del kept[:2]


@pytest.mark.exact
def test_the_figures_are_those_of_the_report(registry):
    kept = []
    with instrumented(registry) as collected:
        run_some_scopes(registry, kept)
        run_some_scopes(registry, kept)
        points = collected.points()
    rows = {row.name: row for row in registry.report().rows}
    for name, row in rows.items():
        figures = {metric: scopes[name] for metric, scopes in points.items()}
        assert figures["memory.allocated"].value == row.bytes_allocated.sum
        assert figures["memory.allocations"].value == row.allocations.sum
        assert figures["memory.retained"].value == row.retained_bytes
        for metric, spread in (
            ("scope.allocated", row.bytes_allocated),
            ("scope.peak", row.peak_bytes),
            ("scope.retained", row.retained),
        ):
            found = figures[metric]
            assert (found.count, found.sum) == (row.count, spread.sum)
            assert (found.min, found.max) == (spread.min, spread.max)
    assert {name for scopes in points.values() for name in scopes} == set(rows)


@pytest.mark.exact
def test_growth_and_ages_are_those_of_the_report(registry):
    leaked = []
    with instrumented(registry) as collected:
        for _ in range(63):
            with registry.measure("leaks"):
                leaked.append(bytes(1024))
        assert not set(GROWTH) & set(collected.points())
        for _ in range(200):
            with registry.measure("leaks"):
                leaked.append(bytes(1024))
        points, ages = collected.points(), collected.ages("leaks")
    row = registry.row("leaks")
    growth = row.retained_growth
    limits = (growth.bytes_per_1000_calls, growth.low, growth.high)
    assert [points[name]["leaks"].value for name in GROWTH] == [limit / 1000 for limit in limits]
    assert ages == {"<10s": row.retained_bytes, "10s-1m": 0, "1m-10m": 0, ">10m": 0}


@pytest.mark.exact
def test_boundaries_are_powers_of_four_and_belong_to_the_bucket_below(registry):
    kept = [bytes(1)] * 8
    with instrumented(registry) as collected:
        for size in (10, 990, 991, 992, 4063, 4064):  # and 33 bytes of header
            with registry.measure("work"):
                kept[0] = bytes(size)
        point = collected.points()["scope.allocated"]["work"]
    assert list(point.explicit_bounds) == BOUNDS
    assert list(point.bucket_counts) == [3, 2, 1, *[0] * 9]


def test_units_and_kinds_are_those_that_were_agreed(registry):
    with instrumented(registry) as collected:
        for _ in range(64):
            with registry.measure("work"):
                pass
        metrics = collected.metrics()
    described = {
        name: (metric.unit, type(metric.data).__name__, getattr(metric.data, "is_monotonic", None))
        for name, metric in metrics.items()
    }
    assert described == {
        "memory.allocated": ("By", "Sum", True),
        "memory.allocations": ("{allocation}", "Sum", True),
        "memory.retained": ("By", "Sum", False),
        BY_AGE: ("By", "Sum", False),
        **dict.fromkeys(GROWTH, ("By/{scope}", "Gauge", None)),
        **dict.fromkeys(HISTOGRAMS, ("By", "Histogram", None)),
    }


def test_method_and_route_are_attributes_where_the_name_is_made_of_them(registry):
    with instrumented(registry) as collected:
        for name in ("GET /items/{id}", "import"):
            with registry.measure(name):
                pass
        for metric, scopes in collected.points().items():
            age = {AGE: ">10m"} if metric == BY_AGE else {}
            assert dict(scopes["GET /items/{id}"].attributes) == {
                "allocmeter.scope.name": "GET /items/{id}",
                "http.route": "/items/{id}",
                "http.request.method": "GET",
                **age,
            }
            assert dict(scopes["import"].attributes) == {"allocmeter.scope.name": "import", **age}


def test_hostile_names_are_cut_and_escaped(registry):
    names = ["x" * 10_000, "x" * 10_001, "\ud800", "\n\x00", ""]
    with instrumented(registry) as collected:
        for name in names:
            with registry.measure(name):
                pass
        for scopes in collected.points().values():
            assert len(scopes) == len(names)
            assert all(len(scope.encode()) <= 200 for scope in scopes)


def test_names_beyond_the_cap_are_one_series():
    registry = Registry(max_names=2)
    with instrumented(registry) as collected:
        for number in range(10):
            with registry.measure(f"GET /{number}"):
                pass
        points = collected.points()
    for scopes in points.values():
        assert set(scopes) == {"GET /0", "GET /1", "(other)"}
    assert points["scope.peak"]["(other)"].count == 8


def test_totals_survive_a_reset(registry):
    with instrumented(registry) as collected:
        run_some_scopes(registry, [])
        before = collected.values()["memory.allocated"]
        registry.reset()
        run_some_scopes(registry, [])
        after = collected.values()["memory.allocated"]
    assert after["GET /items/{id}"] == 2 * before["GET /items/{id}"] > 0


def test_scopes_without_a_name_and_of_other_registries_are_not_exported(registry):
    with instrumented(registry) as collected:
        with measure():
            pass
        with registry.measure("ours"):
            pass
        with Registry().measure("ours"):
            pass
        points = collected.points()
    assert points["scope.peak"]["ours"].count == 1
    assert set(points["scope.peak"]) == set(points["memory.allocated"]) == {"ours"}


def test_without_options_it_is_the_registry_of_the_process():
    with instrumented() as collected:
        with measure("of the process"):
            pass
        assert collected.points()["scope.peak"]["of the process"].count == 1
        row = report().row("of the process")
        assert collected.values()["memory.allocated"]["of the process"] == row.bytes_allocated.sum


def test_one_may_choose_what_scopes_pay_for(registry):
    with instrumented(registry, histograms=["peak"]) as collected:
        with registry.measure("work"):
            pass
        assert set(collected.points()) == {*TOTALS, BY_AGE, "scope.peak"}
    with instrumented(registry, histograms=(), spans=False) as collected:
        assert not set(PATCHED) & set(vars(measure))
        with registry.measure("work"):
            pass
        assert set(collected.points()) == {*TOTALS, BY_AGE}
    with pytest.raises(ValueError, match="allocations"), instrumented(histograms=["allocations"]):
        pass


def test_afterwards_nothing_is_in_place_and_nothing_is_exported(registry):
    with instrumented(registry) as collected:
        assert set(PATCHED) <= set(vars(measure))
        with registry.measure("before"):
            pass
    assert not set(PATCHED) & set(vars(measure))
    with registry.measure("after"):
        pass
    assert set(collected.points()) == set(HISTOGRAMS)  # as they were; the totals are silent
    assert set(collected.points()["scope.peak"]) == {"before"}


def test_it_may_be_turned_on_again_for_the_same_provider(registry, caplog):
    collected = Collected()
    for _ in range(2):
        with instrumented(registry, collected), registry.measure("work"):
            pass
    with registry.measure("work"):
        pass
    with instrumented(registry, collected):
        points = collected.points()
    assert points["scope.peak"]["work"].count == 2
    assert set(points["memory.allocated"]) == {"work"}
    assert caplog.text == ""


def test_nothing_is_imported_before_it_is_used():
    assert (
        answer_of(
            """
            import json, sys
            import allocmeter.integrations.opentelemetry
            print(json.dumps([name for name in sys.modules if name.startswith("opentelemetry")]))
            """
        )
        == []
    )


def test_a_missing_package_is_told_with_what_to_install():
    assert "pip install 'allocmeter[opentelemetry]'" in output_of(
        """
        import sys
        sys.modules["opentelemetry.instrumentation"] = None
        try:
            from allocmeter.integrations.opentelemetry import AllocmeterInstrumentor
        except ImportError as error:
            print(error)
        """
    )


def test_the_sdk_is_not_needed():
    output_of(
        """
        import sys
        sys.modules["opentelemetry.sdk"] = None
        from allocmeter import measure, report
        from allocmeter.integrations.opentelemetry import AllocmeterInstrumentor
        AllocmeterInstrumentor().instrument()
        with measure("work"):
            pass
        AllocmeterInstrumentor().uninstrument()
        assert report().row("work").count == 1
        """
    )
