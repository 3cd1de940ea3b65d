"""The live page in a real browser, where there is one, on a real server."""

from __future__ import annotations

import pytest

from dashboard_browser import eventually, fetch
from dashboard_pages import (
    NEEDS_A_BROWSER,
    SORT,
    WIDTH,
    _port,  # noqa: F401
    _tab,  # noqa: F401
    look,
    names,
    row_of,
)

pytestmark = NEEDS_A_BROWSER


def test_it_shows_what_happens_while_one_looks_on(tab, port):
    fetch(port, *["/articles/20"] * 5)
    look(tab, port)
    assert row_of(tab, "GET /articles/{number}")[2:5] == ["5", "\u2013", "0"]
    assert row_of(tab, "GET /search") is None
    fetch(port, *["/search"] * 300, *["/broken"] * 3)
    eventually(lambda: (row_of(tab, "GET /broken") or [0] * 11)[4] == "3", "new rows")
    found = row_of(tab, "GET /search")
    assert found[0].startswith("GET /search keeps 1.")
    assert found[0].endswith("still alive after 300 calls")
    assert found[1:3] == ["leaks", "300"]
    assert float(found[3]) > 0
    assert found[5].endswith("iB")
    assert found[9].split(" ") == [found[9].split(" ")[0], "KiB"]
    assert "to" in found[10]
    findings = tab.run("return document.getElementById('findings').innerText")
    assert "GET /search keeps 1." in findings
    for kind in ("rss", "live"):
        drawn = "return document.querySelector(arguments[0]).getAttribute('d')"
        assert tab.run(drawn, f".{kind} .line").startswith("M")
    before = tab.run("return document.querySelector('.spark').getAttribute('d')")
    fetch(port, *["/search"] * 100)
    tab.until("return document.querySelector('.spark').getAttribute('d') !== arguments[0]", before)
    eventually(lambda: row_of(tab, "GET /search")[2] == "400", "400 calls")
    assert not [name for name in names(tab) if "memory" in name or "unmatched" in name]
    assert tab.console() == []
    page = f"http://127.0.0.1:{port}/memory/"
    assert set(tab.requests()) == {page, page + "figures.json"}


def test_it_can_be_sorted_and_filtered(tab, port):
    fetch(port, *["/search"] * 300, *["/articles/200"] * 20, "/export", "/export", "/broken")
    look(tab, port)
    everything = {"GET /search", "GET /articles/{number}", "GET /export", "GET /broken"}
    assert set(names(tab)) == {*everything, "lifespan startup"}
    assert tab.run(SORT, "name") == 1
    assert names(tab) == sorted(names(tab))
    tab.run(SORT, "name")
    assert names(tab) == sorted(names(tab), reverse=True)
    for key, first in [
        *(("calls", "GET /search"), ("errors", "GET /broken"), ("verdict", "GET /search")),
        *(("p50", "GET /articles/{number}"), ("p95", "GET /articles/{number}")),
        *(("peak", "GET /articles/{number}"), ("retained", "GET /search")),
        *(("growth", "GET /search"), ("rate", "GET /articles/{number}")),
    ]:
        assert tab.run(SORT, key) == 1
        if key != "rate":  # known once there are two documents
            assert names(tab)[0] == first, key
    typed = """
    const filter = document.getElementById("filter");
    filter.value = arguments[0];
    filter.dispatchEvent(new Event("input"));
    return document.getElementById("shown").textContent;
    """
    assert tab.run(typed, "LEAKS") == "1 of 5"
    assert names(tab) == ["GET /search"]
    assert tab.run(typed, "/{number}") == "1 of 5"
    assert tab.run(typed, "no such thing") == "0 of 5"
    assert names(tab) == []
    assert tab.run(typed, "") == ""
    assert len(names(tab)) == 5


def test_rows_keep_their_places_below_the_hand(tab, port):
    fetch(port, "/export", *["/broken"] * 3)
    look(tab, port)
    tab.run(SORT, "calls")
    assert names(tab)[0] == "GET /broken"
    where = "const {x, y} = document.querySelector('.row').getBoundingClientRect(); return [x, y]"
    x, y = tab.run("document.querySelector('.row').scrollIntoView({block: 'center'});" + where)
    tab.point_at(x + 30, y + 10)
    fetch(port, *["/export"] * 9)
    eventually(lambda: row_of(tab, "GET /export")[2] == "10", "10 calls")
    assert names(tab)[0] == "GET /broken"
    tab.point_at(5, 5)
    eventually(lambda: names(tab)[0] == "GET /export", "the new order")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_by_day_and_by_night_wide_and_narrow(tab, port, scheme):
    fetch(port, "/hostile", *["/search"] * 100, "/export?all=1", *["/export"] * 30)
    look(tab, port)
    tab.prefer(scheme)
    colours = tab.run("""
    const {backgroundColor, color} = getComputedStyle(document.body);
    return [backgroundColor, color].map((text) => text.match(/\\d+/g).slice(0, 3).map(Number));
    """)
    back, ink = (sum(colour) / 3 for colour in colours)
    assert (back > 200 and ink < 60) if scheme == "light" else (back < 60 and ink > 200)
    # Not by colour alone: what stands out says so, behind a sign of its own.
    badges = """
    return [...document.querySelectorAll(".row b")].map((badge) =>
      [badge.innerText, getComputedStyle(badge, "::before").content]);
    """
    assert {text for text, _ in tab.run(badges)} == {"leaks", "peaks"}
    assert len({sign for _, sign in tab.run(badges)}) == 2
    for width in (1280, 1000, 800, 390, 320):
        tab.resize(width, mobile=width < 500)
        scrolled, inner = tab.run(WIDTH)
        assert scrolled <= inner == width
    tab.resize(390, mobile=True)
    label = "return getComputedStyle(document.querySelector('.row td:nth-child(10)'), '::before')"
    assert tab.run(label + ".content") == '"retained now"'


def test_hostile_names_are_text(tab, port):
    fetch(port, "/hostile")
    look(tab, port)
    found = names(tab)
    assert "~</script><script>alert(1)</script>" in found
    assert "~rtl \\u{202e}gpj.exe" in found
    assert "~surrogate \\u{d800}" in found
    assert len([name for name in found if name.startswith("~")]) == 20
    assert tab.run("return document.querySelectorAll('table img, table script').length") == 0
    assert tab.console() == []


def test_a_thousand_endpoints_can_be_used(tab, port):
    fetch(port, "/many/990", *["/search"] * 100)
    look(tab, port)
    count = "return document.querySelectorAll('table.live tbody').length"
    assert tab.run(count) == 100
    assert tab.run("return document.getElementById('rest').innerText") == "Show all 993"
    tab.run(SORT, "calls")
    assert names(tab)[0] == "GET /search"
    tab.run("document.querySelector('#rest button').click()")
    assert tab.run(count) == 993
    tab.run(SORT, "name")
    assert names(tab)[500] == "GET /generated/0500/details"
    # Only what can be seen is filled in, and what is scrolled to.
    filled = "return document.querySelectorAll('tbody')[arguments[0]].rows[0].cells[2].innerText"
    assert tab.run(filled, 980) == ""
    tab.run("document.querySelectorAll('tbody')[980].scrollIntoView()")
    tab.until(filled, 980)
    assert tab.console() == []


def test_one_can_point_at_the_past(tab, port):
    look(tab, port)
    tab.until("return document.querySelector('.rss .line').getAttribute('d').includes('L')")
    told = tab.run("""
    const plot = document.querySelector(".rss .plot");
    const box = plot.getBoundingClientRect();
    plot.dispatchEvent(new PointerEvent("pointermove", {clientX: box.right - 1}));
    const readout = document.querySelector(".readout");
    return [readout.hidden, readout.textContent];
    """)
    assert told[0] is False
    assert told[1].startswith("Resident set  ")
    assert told[1].endswith("\n0 s ago")
