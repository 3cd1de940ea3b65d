"""The figures behind the live page: a report, made without getting into anybody's way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import anyio
import pytest
from anyio.lowlevel import checkpoint

from allocmeter import Registry, Report, verdicts
from allocmeter.integrations import _dashboard_rows
from allocmeter.integrations._dashboard_figures import Figures
from dashboard_requests import ask, body_of, dashboard
from sample_reports import HOSTILE_NAMES

pytestmark = pytest.mark.anyio

kept = []


def used(registry, name, times=1, size=100):
    for _ in range(times):
        with registry.measure(name):
            kept.append(bytearray(size))


async def document(figures):
    figures._made_at = float("-inf")
    return json.loads(await figures.document())


async def test_the_figures_are_the_report():
    registry = Registry()
    used(registry, "GET /leaking", 300)
    used(registry, "GET /once")
    with pytest.raises(ZeroDivisionError), registry.measure("GET /failing"):
        _ = 1 / 0
    found = await document(Figures(registry))
    report = registry.report()
    assert Report.from_dict(found).rows == tuple(replace(row, histogram=()) for row in report.rows)
    assert found["scopes"][0]["retained_growth"]["bytes_per_1000_calls"] > 100_000
    expected = report.to_dict()
    assert found.keys() == {*expected, "dashboard"}
    for row in expected["scopes"]:
        (same,) = [other for other in found["scopes"] if other["name"] == row["name"]]
        same.pop("verdict")
        assert same == json.loads(json.dumps({**row, "histogram": []}))
    assert found["backend"].keys() == expected["backend"].keys()
    assert found["process"].keys() == expected["process"].keys()


async def test_every_row_has_its_verdict():
    registry = Registry()
    used(registry, "GET /leaking", 300)
    used(registry, "GET /once")
    for row in (await document(Figures(registry)))["scopes"]:
        found = verdicts.verdict(registry.row(row["name"]))
        assert row["verdict"] == {"kind": found.kind, "reason": found.reason}


async def test_the_time_and_the_process_are_told():
    figures = Figures(Registry())
    first, second = await document(figures), await document(figures)
    before, after = first["dashboard"], second["dashboard"]
    assert before.keys() == {"version", "time", "instance", "process_id", "cost"}
    assert before["version"] == 1
    assert 0 < before["time"] < after["time"]
    assert before["process_id"] == os.getpid()
    assert before["instance"] == after["instance"]
    assert before["cost"] == 0
    assert after["cost"] > 0
    other = await document(Figures(Registry()))
    assert other["dashboard"]["instance"] != after["instance"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_is_another_instance():
    script = """
import anyio, json, os
from allocmeter import Registry
from allocmeter.integrations._dashboard_figures import Figures
figures = Figures(Registry())
child = os.fork()
document = json.loads(anyio.run(figures.document))
if child: os.waitpid(child, 0)
print(document["dashboard"]["instance"], flush=True)
"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    child, parent = run.stdout.split()
    assert child != parent


async def test_a_row_is_made_again_only_when_it_has_changed(monkeypatch):
    registry = Registry()
    for name in "abc":
        used(registry, name, 30)
    figures = Figures(registry)
    await document(figures)
    made = []
    judge = _dashboard_rows.verdict
    monkeypatch.setattr(_dashboard_rows, "verdict", lambda row: made.append(row.name) or judge(row))
    await document(figures)
    assert made == []
    used(registry, "b")
    found = await document(figures)
    assert made == ["b"]
    assert {row["name"]: row["count"] for row in found["scopes"]} == {"a": 30, "b": 31, "c": 30}


async def test_what_is_retained_is_that_of_now():
    registry = Registry()
    with registry.measure("a"):
        block = bytearray(100_000)
    figures = Figures(registry)
    (before,) = (await document(figures))["scopes"]
    del block
    (after,) = (await document(figures))["scopes"]
    assert before["retained_bytes"] - after["retained_bytes"] > 100_000


async def test_growth_is_estimated_anew_only_for_new_samples(monkeypatch):
    registry = Registry()
    used(registry, "a", 1280)
    figures = Figures(registry)
    await document(figures)
    read = []
    estimate = _dashboard_rows.retained_growth
    monkeypatch.setattr(
        _dashboard_rows, "retained_growth", lambda found: read.append(len(found)) or estimate(found)
    )
    used(registry, "a", 10)
    await document(figures)
    assert read == []
    used(registry, "a", 1)
    await document(figures)
    assert len(read) == 1


@pytest.mark.exact
async def test_a_reset_registry_begins_anew():
    registry = Registry()
    used(registry, "a", 30)
    used(registry, "b", 30)
    figures = Figures(registry)
    await document(figures)
    registry.reset()
    used(registry, "a", 30, size=5)
    (row,) = (await document(figures))["scopes"]
    assert row["count"] == 30
    assert row["bytes_allocated"]["max"] < 100
    assert list(figures._rows) == ["a"]


async def test_other_tasks_get_their_turns_meanwhile():
    registry = Registry()
    for number in range(200):
        used(registry, f"GET /{number}")
    figures = Figures(registry)
    turns = 0
    done = False

    async def work():
        nonlocal turns
        while not done:
            turns += 1
            await checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        found = await document(figures)
        done = True
    assert len(found["scopes"]) == 200
    assert turns >= 20


async def test_pages_that_are_open_at_once_share_a_document():
    app, registry = dashboard("a")
    first = body_of(await ask(app, "/figures.json"))
    used(registry, "a")
    assert body_of(await ask(app, "/figures.json")) is first
    app._figures._made_at -= 0.5
    assert json.loads(body_of(await ask(app, "/figures.json")))["scopes"][0]["count"] == 2


async def test_two_that_ask_at_once_both_get_everything():
    registry = Registry()
    for number in range(100):
        used(registry, f"GET /{number}")
    figures = Figures(registry)
    found = []

    async def read():
        found.append(json.loads(await figures.document()))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(read)
    assert [len(each["scopes"]) for each in found] == [100] * 3


async def test_nothing_is_kept_until_somebody_asks():
    app, _ = dashboard("a")
    await ask(app, "/")
    assert app._figures is None


async def test_hostile_names_are_text_in_the_figures():
    names = [*HOSTILE_NAMES, "x" * 100_000, "\ud800", '"]}', "\u2028"]
    app, registry = dashboard(*names)
    text = body_of(await ask(app, "/figures.json"))
    assert text.isascii()
    assert b"\n" not in text
    assert {row["name"] for row in json.loads(text)["scopes"]} == set(names)
    assert set(registry) == set(names)


async def test_an_empty_registry_is_a_report_too():
    found = await document(Figures(Registry()))
    assert found["scopes"] == []
    assert Report.from_dict(found).rows == ()
