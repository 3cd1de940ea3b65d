"""Names and report files from anywhere are escaped, cut or refused wherever they are shown."""

from __future__ import annotations

import json
import re

import pytest

from allocmeter import LeakDetector, LeakError, Registry, measure
from allocmeter.cli import main
from allocmeter.errors import AllocmeterError
from allocmeter.integrations._dashboard_figures import Figures
from allocmeter.renderers import comparison, html, text
from allocmeter.report_comparison import compare_reports
from allocmeter.reports import Report
from dashboard_requests import ask, body_of, dashboard
from html_pages import page_of, shape_of
from sample_reports import HOSTILE_NAMES, TRACKED, distribution, report, row

HUGE = "huge " * 50_000
NAMES = [*HOSTILE_NAMES, HUGE, "\u202e" * 100_000, '"]}', "GET /" + "x" * 100_000]
CALM = [name and f"name {n}" for n, name in enumerate(NAMES)]  # having none is a sight of its own
DEPTHS = [300, 900, 100_000]
# What acts on a terminal; and what ends a line or cannot be encoded, which would damage more than
# the one label that it stands in.
ACTING = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
DAMAGING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def measured_names(names):
    registry = Registry()
    for name in names:
        with registry.measure(name):
            bytearray(1_000)
    return registry


def is_calm(shown, most=200_000):
    """Whether a terminal may print it."""
    shown.encode()
    return ACTING.search(shown) is None and len(shown) < most


@pytest.fixture(scope="module")
def hostile():
    return measured_names(NAMES).report()


@pytest.fixture(scope="module")
def calm():
    return measured_names(CALM).report()


# Names --------------------------------------------------------------------------------------------


def test_names_in_the_text_table(hostile, calm):
    for show in (str, text.render, lambda each: text.render(each, width=40)):
        shown = show(hostile)
        assert is_calm(shown)
        assert shown.count("\n") == show(calm).count("\n")


def test_names_in_the_page(hostile, calm):
    shown, plain = html.render(hostile), html.render(calm)
    assert len(shown) < 2 * len(plain) + 50_000
    assert_harmless(shown, plain)


def assert_harmless(shown, plain):
    """A page with hostile text in it has no tag and no attribute that a plain one has not."""
    assert shown.isascii()
    assert set(shape_of(page_of(shown))) <= set(shape_of(page_of(plain)))
    page = page_of(shown)
    assert not any(name.startswith("on") for each in page.descendants() for name in each.attributes)


def test_names_in_the_json_survive_and_are_ascii(hostile):
    written = hostile.to_json()
    assert written.isascii()
    assert {each.name for each in Report.from_json(written).rows} == set(NAMES)


def test_names_in_a_comparison(hostile, calm):
    for first, second in ((calm, hostile), (hostile, calm), (hostile, hostile)):
        found = compare_reports(first, second)
        assert is_calm(str(found))
        assert is_calm(comparison.render(found, width=60))
        assert json.dumps(found.to_dict()).isascii()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_names_in_the_live_page():
    document = await Figures(measured_names(NAMES)).document()
    assert document.isascii()
    assert b"\n" not in document
    assert {each["name"] for each in json.loads(document)["scopes"]} == set(NAMES)
    app, _ = dashboard(*NAMES)
    page = body_of(await ask(app, "/"))
    assert not any(piece in page for piece in (b"alert(1)", b"huge huge", b"\x1b["))


def test_names_in_an_exposition_of_prometheus():
    pytest.importorskip("prometheus_client")
    from allocmeter.integrations.prometheus import AllocmeterCollector
    from scrapes import samples_of, scraped

    shown = scraped(AllocmeterCollector(measured_names(NAMES)))
    scopes = {scope for _, scope, _ in samples_of(shown) if scope is not None}
    assert len(scopes) == len(NAMES)
    assert all(len(scope) <= 200 and DAMAGING.search(scope) is None for scope in scopes)
    assert shown.count("\n") == scraped(AllocmeterCollector(measured_names(CALM))).count("\n")


def test_names_in_attributes_of_opentelemetry():
    pytest.importorskip("opentelemetry.sdk")
    from otel_collecting import instrumented

    registry = Registry()
    with instrumented(registry) as collected:
        for name in NAMES:
            with registry.measure(name):
                pass
        points = collected.points()
    for scopes in points.values():
        assert len(scopes) == len(NAMES)
        assert all(len(s) <= 200 and DAMAGING.search(s) is None for s in scopes)


def test_names_in_messages_are_quoted():
    for name in NAMES:
        with LeakDetector(name) as detector:
            kept = bytearray(5_000)
        with pytest.raises(LeakError) as raised:
            detector.assert_no_leaks()
        assert kept
        for shown in (repr(measure(name)), str(raised.value)):
            assert is_calm(shown, 2_000_000)


# Files --------------------------------------------------------------------------------------------


def hostile_everywhere(name):
    facts = {"program": name, "python": name, "platform": name, "created_at": name}
    backend = {"domains": {name: name}, name: name, "gaps": 0}
    process = {**TRACKED, name: name}
    return report(row(name, 10_000), backend=backend, process=process, allocmeter=name, **facts)


@pytest.mark.parametrize("format_", ["text", "html", "json"])
def test_a_file_with_hostile_facts_is_shown_safely(tmp_path, capsys, format_):
    file = tmp_path / "report.json"
    for name in NAMES:
        file.write_text(hostile_everywhere(name).to_json())
        assert main(["report", str(file), "--format", format_]) == 0
        shown = capsys.readouterr().out
        if format_ == "text":
            assert is_calm(shown)
        elif format_ == "json":
            assert json.loads(shown)["program"] == name
            assert shown.isascii()
        else:
            assert_harmless(shown, html.render(hostile_everywhere(name and "calm")))


@pytest.mark.parametrize("format_", ["text", "json"])
def test_files_with_hostile_facts_are_compared_safely(tmp_path, capsys, format_):
    calm, wild = files = [tmp_path / "calm.json", tmp_path / "wild.json"]
    calm.write_text(hostile_everywhere("calm").to_json())
    for name in NAMES:
        wild.write_text(hostile_everywhere(name).to_json())
        for one, other in (files, files[::-1]):
            limits = ["--fail-on", "bytes:1%", "--format", format_]
            assert main(["compare", str(one), str(other), *limits]) in (0, 1)
            captured = capsys.readouterr()
            assert is_calm(captured.err)
            assert captured.out.isascii() if format_ == "json" else is_calm(captured.out)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("brackets", ["[]", '{"x":}'], ids=["lists", "objects"])
@pytest.mark.parametrize("field", ["backend", "scopes", "unknown"])
def test_a_file_that_nests_deeply_is_shown_or_refused(tmp_path, capsys, field, brackets, depth):
    opening, closing = brackets[:-1], brackets[-1]
    nested = f"{opening * depth}{'1' if opening != '[' else ''}{closing * depth}"
    plain = {**report(row("a", 100)).to_dict(), field: {"deep": "here"}}
    if field in ("scopes", "timeline"):
        plain[field] = ["here"]
    file = tmp_path / "report.json"
    file.write_text(json.dumps(plain).replace('"here"', nested))
    for command in (
        *[["report", str(file), "--format", format_] for format_ in ("text", "html", "json")],
        *[["compare", str(file), str(file), "--format", format_] for format_ in ("text", "json")],
    ):
        status = main(command)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        assert (status == 0) == (captured.err == "")
        assert status in (0, 2)
        if status == 2:
            assert "Nothing was loaded" in captured.err
            assert len(captured.err) < 2_000


@pytest.mark.parametrize("length", [100, 5_000, 1_000_000])
def test_a_file_with_a_number_of_any_length_is_refused(length):
    plain = report(row("a", 100)).to_json()
    with pytest.raises(AllocmeterError) as raised:
        Report.from_json(plain.replace('"count": 1,', f'"count": {"9" * length},', 1))
    assert len(str(raised.value)) < 1_000


def test_a_file_with_very_many_rows_is_shown(capsys, tmp_path):
    file = tmp_path / "report.json"
    file.write_text(report(*(row(f"{n}", distribution(n).sum) for n in range(5_000))).to_json())
    for format_ in ("text", "html"):
        assert main(["report", str(file), "--format", format_, "--top", "10"]) == 0
        assert len(capsys.readouterr().out) < 500_000


def test_names_of_files_in_messages_are_escaped(tmp_path, capsys):
    for name in HOSTILE_NAMES:
        if "\0" not in name and "\ud800" not in name:
            assert main(["report", str(tmp_path / (name.replace("/", "_") + "x" * 50))]) == 2
            assert is_calm(capsys.readouterr().err)
