"""When the live page asks for figures, whom, and what it does without an answer."""

from __future__ import annotations

from dashboard_browser import eventually, fetch, free_port, serving
from dashboard_pages import NEEDS_A_BROWSER, STATE, _port, _tab, look, row_of  # noqa: F401

pytestmark = NEEDS_A_BROWSER


def test_a_server_that_goes_away_and_returns_is_noticed(tab):
    port = free_port()
    with serving(port):
        fetch(port, *["/export"] * 7)
        look(tab, port)
        (first,) = tab.run("return [document.querySelector('#facts li').textContent]")
    tab.until(STATE, "lost")
    assert tab.run("return document.getElementById('state').textContent").startswith("No answer")
    assert row_of(tab, "GET /export")[2] == "7"
    with serving(port):
        fetch(port, *["/search"] * 3)
        tab.until(STATE, "live")
        eventually(lambda: row_of(tab, "GET /search"), "the new figures")
        assert row_of(tab, "GET /export") is None
        assert tab.run("return document.querySelector('#facts li').textContent") != first
        assert tab.run("return document.getElementById('warning').hidden")


WAITS = """
window.waits = [];
window.original = window.setTimeout.bind(window);
window.setTimeout = (callback, delay) => {
  waits.push(delay);
  return original(callback, Math.min(delay, 100));
};
"""
ASKED = """
const fetch = window.fetch;
window.asked = 0;
window.fetch = (...request) => { window.asked += 1; return fetch(...request); };
"""
HIDE = """
Object.defineProperty(document, "hidden", {configurable: true, get: () => arguments[0]});
window.waits.length = 0;
document.dispatchEvent(new Event("visibilitychange"));
"""


def test_a_hidden_page_asks_less_often(tab, port):
    look(tab, port)
    tab.run(WAITS)
    tab.until("return waits.filter((wait) => wait === 2000).length > 2")
    tab.run(HIDE, True)
    tab.until("return waits.length > 3")
    assert set(tab.run("return waits.slice(1)")) == {30_000}
    tab.run(HIDE, False)
    tab.until("return waits.includes(2000)")
    assert tab.run("return waits[0]") == 0


def test_a_page_without_answers_asks_ever_less_often(tab, port):
    look(tab, port)
    tab.run("window.answering = window.fetch; window.fetch = () => Promise.reject(new Error('x'));")
    tab.run(WAITS)
    tab.until("return waits.length > 6")
    waits = tab.run("return waits")
    assert waits[-6:-5] > [2000]
    assert [wait for wait in waits if wait in {4000, 8000, 16_000}] == [4000, 8000, 16_000]
    assert waits[-1] == 30_000
    tab.run("window.fetch = window.answering; waits.length = 0;")
    tab.until("return waits.length > 0")
    assert tab.run("return waits[0]") == 2000


def test_it_can_be_paused(tab, port):
    look(tab, port)
    tab.run(WAITS)
    tab.until("return waits.length > 1")
    tab.run("document.getElementById('pause').click()")
    tab.until(STATE, "paused")
    assert tab.run("return document.getElementById('pause').ariaPressed") == "true"
    tab.run(ASKED)
    tab.run(HIDE, False)  # coming back to the page does not end it either
    tab.run("return new Promise((resolve) => original(resolve, 500))")
    assert tab.run("return [window.asked, waits.length]") == [0, 0]
    tab.run("document.getElementById('pause').click()")
    tab.until(STATE, "live")
    tab.until("return window.asked > 0")


OTHERS = """
const original = window.fetch;
window.turn = 0;
window.fetch = async (...request) => {
  const found = await (await original(...request)).json();
  window.turn += 1;
  if (window.foreign(window.turn)) {
    found.dashboard.instance = found.dashboard.process_id = "another";
  }
  return new Response(JSON.stringify(found));
};
"""


def test_processes_that_answer_in_turns_are_told_apart(tab, port):
    look(tab, port)
    own = tab.run("return document.querySelector('#facts li').textContent")
    tab.run("window.foreign = (turn) => turn % 2;" + OTHERS)
    tab.run(WAITS)
    tab.until("return window.turn > 6")
    assert tab.run("return document.getElementById('warning').textContent").startswith("Several")
    assert tab.run("return document.querySelector('#facts li').textContent") == own
    tab.run("window.foreign = () => true;")
    tab.until("return document.querySelector('#facts li').textContent === 'process another'")
    tab.until("return document.getElementById('warning').hidden")


def test_a_program_that_was_started_anew_is_shown_at_once(tab, port):
    look(tab, port)
    tab.run("""
    window.warned = false;
    const warning = document.getElementById("warning");
    new MutationObserver(() => { window.warned ||= !warning.hidden; })
      .observe(warning, {attributes: true});
    """)
    tab.run("window.answering = window.fetch; window.fetch = () => Promise.reject(new Error('x'));")
    tab.until(STATE, "lost")
    tab.run("window.fetch = window.answering; window.foreign = () => true;" + OTHERS)
    tab.until("return document.querySelector('#facts li').textContent === 'process another'")
    assert not tab.run("return window.warned")


def test_a_token_is_asked_for_kept_and_taken_out_of_the_address(tab):
    port = free_port()
    with serving(port, "secret-token"):
        fetch(port, "/export")
        tab.open(f"http://127.0.0.1:{port}/memory/")
        tab.until(STATE, "locked")
        assert tab.run("return document.getElementById('locked').checkVisibility()")
        give = """
        document.getElementById("token").value = arguments[0];
        document.querySelector("#locked button").click();
        """
        for wrong in ("wrong", "caf\u00e9"):
            tab.run(give, wrong)
            tab.until("return document.getElementById('state').textContent.includes('not the')")
        tab.run(give, "secret-token")
        tab.until(STATE, "live")
        assert not tab.run("return document.getElementById('locked').checkVisibility()")
        assert row_of(tab, "GET /export")[2] == "1"
        tab.run("sessionStorage.clear()")
        look(tab, port, "?a=b&token=secret-token#here")
        assert tab.run("return location.href") == f"http://127.0.0.1:{port}/memory/?a=b#here"
        tab.devtools("Page.reload")
        tab.until(STATE, "live")
        assert tab.run("return localStorage.length") == 0
        asked = [address for address in tab.requests() if "figures.json" in address]
        assert set(asked) == {f"http://127.0.0.1:{port}/memory/figures.json"}
