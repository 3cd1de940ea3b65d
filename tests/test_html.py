"""The HTML report as a whole: self-contained, closed to what is hostile, and complete."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest
from hypothesis import given, settings

from allocmeter.renderers.html import render
from allocmeter.renderers.markup import json_block
from allocmeter.timeline import MemorySample
from html_pages import page_of, shape_of
from report_strategies import reports
from sample_reports import CACHE, HOSTILE_NAMES, PARSE, START, TRACKED, ZIP, endpoint, report

TIMELINE = tuple(MemorySample(n / 10, n * 1000, n, 10**7 + n) for n in range(20))
FULL = report(
    endpoint("GET /search", errors=3, native=0.25),
    *(CACHE, PARSE, ZIP, START),
    process=TRACKED,
    program="python -m shop",
    created_at="2026-01-02T03:04:05+00:00",
    timeline=TIMELINE,
)


def directives(page):
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]
    return dict(part.split(" ", 1) for part in policy.attributes["content"].split("; "))


def sha256(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else():
    page = page_of(render(FULL))
    (style,) = page.all("style")
    script, *others = page.all("script", type=None)
    assert others == []
    assert directives(page) == {
        "default-src": "'none'",
        "style-src": sha256(style.text),
        "script-src": sha256(script.text),
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_policy_comes_before_what_it_governs():
    html = render(FULL)
    assert html.index("Content-Security-Policy") < html.index("<style>") < html.index("<script")


def test_nothing_is_loaded_from_elsewhere():
    html = render(FULL)
    assert set(re.findall(r"[a-z]+://[^\"' )]+", html)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"url\(|@import|@font-face|fetch\(|XMLHttpRequest|import\(", html)
    for element in page_of(html).descendants():
        assert not {"src", "style", "srcset", "action", "data"} & set(element.attributes)
        assert re.fullmatch(r"#s\d+", element.attributes.get("href", "#s0"))


def test_a_page_is_ascii_and_says_how_it_is_encoded():
    html = render(report(endpoint("日本語")))
    assert html.isascii()
    assert html.index('<meta charset="utf-8">') < 100
    assert page_of(html).all("summary")[0].text == "日本語"


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_a_hostile_name_changes_no_tag_wherever_it_stands(name):
    def everywhere(text):
        facts = {"program": text, "python": text, "platform": text, "created_at": text}
        domains = {"domains": {text: ""}}
        return report(endpoint(text, kept=100), backend=domains, timeline=TIMELINE, **facts)

    page = page_of(render(everywhere(name)))
    assert shape_of(page) == shape_of(page_of(render(everywhere("plain" if name else ""))))
    for element in page.descendants():
        assert not any(attribute.startswith("on") for attribute in element.attributes)
        if element.tag not in ("script", "style"):
            assert all(line.isprintable() for line in element.text.split("\n"))


def test_a_name_is_shown_as_it_is_but_for_what_cannot_be_seen():
    page = page_of(render(report(endpoint("<b>&amp;\u202e\"'"))))
    assert page.all("summary")[0].text == "<b>&amp;\\u202e\"'"


@pytest.mark.parametrize("text", ["</script>", "<!--", "]]>", "&lt;", "\u2028\u2029", "\ud800"])
def test_data_for_scripts_ends_nowhere_but_at_its_end(text):
    block = json_block("data", {"key": text})
    inside = re.fullmatch(r'<script type="application/json" id="data">(.*)</script>', block)[1]
    assert inside.isascii()
    assert not set("<>&") & set(inside)
    assert json.loads(inside) == {"key": text}


@given(reports)
@settings(max_examples=30, deadline=None)
def test_every_sound_report_is_a_well_formed_page(any_report):
    page = page_of(render(any_report))
    assert len(page.all("summary")) == len(any_report.rows)


def test_the_facts_stand_at_the_top():
    (header,) = page_of(render(FULL)).all("header")
    assert header.all("h1")[0].all_text() == "python -m shop"
    assert [item.text for item in header.all("li")] == [
        "2026-01-02T03:04:05+00:00",
        "allocmeter 0.1.0",
        "domains: python",
        "cpython 3.12.4",
        "Linux x86_64",
    ]


def test_the_figures_of_the_process_are_tiles():
    (tiles,) = page_of(render(FULL)).all("dl", **{"class": "tiles"})
    assert [tile.all_text() for tile in tiles.all("div")] == [
        "Allocated900 MiB123,456 blocks",
        "Native part300 MiB77 blocks",
        "Peak3.0 MiBalive at once",
        "Still alive400 B5 blocks",
        "Peak RSS90.0 MiBresident set size",
        "Scopes6,401closed, of 5 names",
    ]
    assert tiles.all("span")[0].attributes["title"] == "943,718,400 bytes"


def test_what_is_not_known_of_the_process_has_no_tile():
    (tiles,) = page_of(render(report(PARSE))).all("dl", **{"class": "tiles"})
    assert [tile.all("dt")[0].text for tile in tiles.all("div")] == ["Scopes"]


def test_what_stands_out_is_named_first_leaks_before_peaks_and_leads_to_its_row():
    page = page_of(render(FULL))
    (findings,) = page.all("section", **{"class": "findings"})
    assert [item.all_text() for item in findings.all("li")] == [
        "leaks GET /cache keeps 1.1 KiB a call: 2.2 MiB still alive after 2,000 calls",
        "peaks GET /zip peaks at 24.0 MiB, 12,288 times as much; the median call at 2.0 KiB",
    ]
    for link in findings.all("a"):
        (target,) = page.all("tbody", id=link.attributes["href"][1:])
        assert target.all("summary")[0].text == link.all_text()


def test_only_the_first_of_many_that_stand_out_are_named():
    many = report(*(endpoint(f"leaking {n:02}", kept=100) for n in range(15)))
    (findings,) = page_of(render(many)).all("section", **{"class": "findings"})
    assert len(findings.all("a")) == 12
    last = findings.all("li")[-1].all_text()
    assert last == "and 3 more; sort the table by verdict to see them"


def test_a_report_in_which_nothing_stands_out_says_nothing_of_it():
    assert page_of(render(report(PARSE))).all("section", **{"class": "findings"}) == []


def test_a_report_that_missed_something_says_so():
    page = page_of(render(report(PARSE, backend={"gaps": 2})))
    (warning,) = page.all("p", **{"class": "warning"})
    assert warning.all_text().endswith("so blocks may be missing; times: 2")


def test_a_report_without_rows_says_how_to_get_them():
    page = page_of(render(report(process=TRACKED)))
    assert page.all("table") == []
    assert "allocmeter run" in page.all_text()


def test_a_limit_below_one_is_refused():
    with pytest.raises(ValueError, match="max_rows is 0"):
        render(FULL, max_rows=0)


def test_a_big_report_is_a_page_of_two_megabytes():
    spread = tuple((2**n, 2 ** (n + 1), n + 1) for n in range(10, 34))
    rows = [endpoint(f"service.Class.coroutine_{n}", histogram=spread) for n in range(1000)]
    timeline = tuple(MemorySample(n / 100, n * 1009 % 10**8, n, 10**9 + n) for n in range(10_000))
    assert len(render(report(*rows, timeline=timeline))) < 2.1e6
