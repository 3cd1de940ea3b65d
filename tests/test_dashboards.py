"""The Grafana dashboard: it can be imported, and shows nothing that is not exported."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from allocmeter import Registry
from allocmeter.integrations.prometheus import AllocmeterCollector
from allocmeter.reports import AGE_BANDS

DASHBOARD = json.loads(
    (Path(__file__).parents[1] / "dashboards" / "allocmeter.json").read_text(encoding="utf-8")
)
PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"]}
EXPRESSIONS = [
    pytest.param(target["expr"], id=f"{title}-{target['refId']}")
    for title, panel in PANELS.items()
    for target in panel["targets"]
]
# A name that is neither called nor a label: those stand within braces or after by, on and the like.
METRIC = re.compile(r"\b([a-zA-Z_:][\w:]*)(?=[{\[])")


@pytest.fixture(scope="module")
def exported():
    registry = Registry()
    for _ in range(64):  # so many have a growth
        with registry.measure("GET /"):
            pass
    return {
        sample.name: set(sample.labels)
        for metric in AllocmeterCollector(registry).collect()
        for sample in metric.samples
    }


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_of_an_expression_is_exported(expression, exported):
    named = set(METRIC.findall(expression))
    assert named
    assert named <= set(exported)
    assert set(re.findall(r"\ballocmeter\w*", expression)) == named


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_label_of_an_expression_is_exported_or_the_servers(expression, exported):
    labels = {name for names in exported.values() for name in names}
    used = set()
    for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        used.update(re.split(r", *", group))
    assert used <= labels | {"instance", "job"}


def test_ages_that_an_expression_asks_for_are_exported():
    asked = [
        age
        for parameters in EXPRESSIONS
        for age in re.findall(r'age="([^"]*)"', parameters.values[0])
    ]
    assert asked
    assert set(asked) <= set(AGE_BANDS)


def test_variables_ask_for_metrics_that_are_exported(exported):
    for variable in DASHBOARD["templating"]["list"]:
        (metric,) = re.findall(r"label_values\((\w+)", variable["query"]["query"])
        assert metric in exported


def test_every_exported_metric_is_shown(exported):
    shown = " ".join(parameters.values[0] for parameters in EXPRESSIONS)
    hidden = {name for name in exported if not re.search(rf"\b{name}\b", shown)}
    # The sum of the histogram is the counter of bytes.
    assert hidden == {"allocmeter_scope_allocated_bytes_sum", "allocmeter_retained_allocations"}


def test_it_shows_what_it_is_for():
    assert {
        "Allocation rate per route",
        "Bytes per request, median",
        "Bytes per request, 95th percentile",
        "Highest peak of a request",
        "Retained now",
        "Retained now, by age",
        "Growth per request",
        "Leaking routes",
        "Process memory",
    } <= set(PANELS)


def test_it_can_be_imported():
    assert DASHBOARD["id"] is None
    assert DASHBOARD["schemaVersion"] >= 36
    (source,) = DASHBOARD["__inputs"]
    assert (source["type"], source["pluginId"]) == ("datasource", "prometheus")
    reference = "${" + source["name"] + "}"
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": reference}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_understands_every_expression(tmp_path):
    rules = [
        {
            "record": f"r{number}",
            "expr": parameters.values[0].replace("$__rate_interval", "1m").replace("$", ""),
        }
        for number, parameters in enumerate(EXPRESSIONS)
    ]
    path = tmp_path / "rules.yml"  # YAML contains JSON
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    check = subprocess.run(
        ["promtool", "check", "rules", path], capture_output=True, text=True, check=False
    )
    assert (check.returncode, check.stderr) == (0, "")
    assert f"{len(EXPRESSIONS)} rules found" in check.stdout
