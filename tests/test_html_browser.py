"""The HTML report in a real browser, where there is one: what its own script makes of it."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess

import pytest

from allocmeter.renderers.html import render
from allocmeter.timeline import MemorySample
from html_pages import page_of
from sample_reports import HOSTILE_NAMES, MIB, endpoint, report

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="needs chromium on the PATH"),
    pytest.mark.slow,
]

# Stands in for a reader; it is allowed by a hash like the page's own script.
READER = """
const log = [];
window.alert = () => log.push("hostile code ran");
window.addEventListener("securitypolicyviolation", (event) => log.push(event.violatedDirective));
const names = () => [...document.querySelectorAll(".row summary")]
  .filter((name) => name.checkVisibility()).map((name) => name.textContent.slice(0, 9)).join(" ");
window.addEventListener("load", () => {
  const headings = [...document.querySelectorAll("thead button")];
  log.push(names());
  headings[0].click(); log.push(names());
  headings[0].click(); log.push(names());
  headings.find((heading) => heading.textContent.startsWith("retained")).click();
  log.push(names(), document.querySelectorAll("[aria-sort]").length);
  const filter = document.getElementById("filter");
  filter.value = "b-";
  filter.dispatchEvent(new Event("input"));
  log.push(names(), document.querySelector("[role=status]").textContent);
  const plot = document.querySelector(".plot");
  const box = plot.getBoundingClientRect();
  plot.dispatchEvent(new PointerEvent("pointermove", {clientX: box.left + box.width * 0.5}));
  log.push(document.querySelector(".readout").textContent.split("\\n").join(" | "));
  document.querySelector("main").setAttribute("data-log", JSON.stringify(log));
});
"""


def in_browser(html, folder):
    page = folder / "report.html"
    page.write_text(html, encoding="ascii")
    run = subprocess.run(
        [
            BROWSER,
            *("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000"),
            *(f"--user-data-dir={folder / 'profile'}", "--dump-dom", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return run.stdout


def test_a_reader_can_sort_filter_and_point_and_nothing_hostile_runs(tmp_path):
    rows = [
        endpoint("b-largest", allocated=(4000,)),
        endpoint("c-leaking", allocated=(3000,), kept=500),
        endpoint("a-smaller", allocated=(2000,), kept=1),
    ]
    timeline = tuple(MemorySample(n, n * MIB, n, 50 * MIB) for n in range(11))
    hostile = [endpoint(f"~{name}", 1) for name in HOSTILE_NAMES]
    html = render(report(*rows, *hostile, timeline=timeline))
    names = [f"~{name}" for name in HOSTILE_NAMES]
    digest = base64.b64encode(hashlib.sha256(READER.encode()).digest()).decode()
    html = html.replace("script-src ", f"script-src 'sha256-{digest}' ")
    html = html.replace("<script>", f"<script>{READER}</script><script>", 1)
    dom = in_browser(html, tmp_path)
    (main,) = page_of(dom[dom.index("<main") : dom.index("</main>") + len("</main>")]).all("main")
    log = json.loads(main.attributes["data-log"])
    loaded, ascending, descending, retained, sorted_by, filtered, status, readout = log
    assert loaded.startswith("b-largest c-leaking a-smaller ~")
    assert ascending.startswith("a-smaller b-largest c-leaking ~")
    assert descending.endswith("c-leaking b-largest a-smaller")
    assert retained.startswith("c-leaking a-smaller")
    assert sorted_by == 1
    assert filtered == "b-largest"
    assert status == f"1 of {len(rows) + len(names)}"
    assert readout == "5.000 s | live  5.0 MiB in 5 blocks | RSS  50.0 MiB"
