"""What the tests of the live page in a browser share."""

from __future__ import annotations

import pytest

from dashboard_browser import MISSING, browser, free_port, serving

NEEDS_A_BROWSER = [
    pytest.mark.skipif(MISSING, reason="needs chromium and chromedriver on the PATH"),
    pytest.mark.slow,
]

_ROWS = """
return [...document.querySelectorAll("table.live .row")].filter((row) => row.checkVisibility())
  .map((row) => [...row.cells].map((cell) => cell.innerText));
"""
_NAMES = _ROWS.replace("row.cells].map((cell) => cell.innerText)", "row.cells][0].innerText")
SORT = """
document.querySelector(`thead [data-key=${arguments[0]}]`).click();
return document.querySelectorAll("[aria-sort]").length;
"""
STATE = "return document.documentElement.dataset.state === arguments[0]"
WIDTH = "return [document.documentElement.scrollWidth, innerWidth]"


@pytest.fixture(name="tab", scope="module")
def _tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(name="port")
def _port():
    port = free_port()
    with serving(port):
        yield port


def look(tab, port, query=""):
    """Open the page, and wait for its figures."""
    tab.resize(1280)
    tab.prefer("light")
    tab.point_at(5, 5)
    tab.open("about:blank")
    tab.console()
    tab.requests()
    tab.open(f"http://127.0.0.1:{port}/memory/{query}")
    tab.until(STATE, "live")


def row_of(tab, name):
    for cells in tab.run(_ROWS):
        if cells[0].split("\n")[0] == name:
            return [cell.replace("\n", " ").strip() for cell in cells]
    return None


def names(tab):
    return [cell.split("\n")[0] for cell in tab.run(_NAMES)]
