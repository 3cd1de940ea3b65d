"""The examples: they run, they print what they promise, and what they print is right."""

from __future__ import annotations

import ast
import functools
import os
import re
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

EXAMPLES = sorted(Path(__file__).parents[1].joinpath("examples").glob("*.py"))
SKIPPED = "..."


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.stem)
def example(request):
    return request.param


@dataclass(frozen=True)
class Run:
    code: int
    output: str
    complaints: str
    cpu_seconds: float
    files_left: list[str]


@functools.cache
def run(path):
    with tempfile.TemporaryDirectory() as directory:
        before = cpu_seconds_of_children()
        done = subprocess.run(
            [sys.executable, "-W", "error", path],
            capture_output=True,
            check=False,
            cwd=directory,
            encoding="utf-8",
            env={**os.environ, "PYTHONUTF8": "1"},
            timeout=120,
        )
        cpu_seconds = cpu_seconds_of_children() - before
        left = [path.name for path in Path(directory).iterdir()]
        return Run(done.returncode, done.stdout, done.stderr, cpu_seconds, left)


def cpu_seconds_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def docstring(path):
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def promised_output(path):
    """Return what a docstring shows: the indented lines below the command."""
    command = f"    $ python examples/{path.name}"
    lines = docstring(path).splitlines()
    assert command in lines, f"the docstring of {path.name} shows no output below {command!r}"
    shown = []
    for line in lines[lines.index(command) + 1 :]:
        if not line.startswith("    "):
            break
        shown.append(line)
    return shown


def without_figures(line):
    """Return a line as it reads for any size: figures with their units, bars and rulers alike."""
    line = re.sub(r"│[^│]*│", "│bar│", line)
    line = re.sub(r"[▁-▏]+", "bar", line)
    line = re.sub(r"-{3,}", "---", line)
    line = re.sub(r"[-+]?\d[\d,]*(\.\d+)?( ([KMGT]i)?B\b)?", "#", line)
    return " ".join(line.split())


def broken_promise(promised, printed):
    """Return the first promised line that was not printed where it should, or `None`.

    Lines follow one another as promised, unless `...` stands between them.
    """
    rest = [without_figures(line) for line in printed]
    skipping = False
    for line in promised:
        if line.strip() == SKIPPED:
            skipping = True
            continue
        candidates = rest if skipping else rest[:1]
        if without_figures(line) not in candidates:
            return line
        del rest[: candidates.index(without_figures(line)) + 1]
        skipping = False
    return "the end of the output" if rest and not skipping else None


# Every example


def test_an_example_runs_without_arguments_or_complaints(example):
    done = run(example)
    assert (done.code, done.complaints) == (0, "")


def test_an_example_is_quick(example):
    # Processor time: what else the machine does is no fault of the example. Yet others on the same
    # core double that, for seconds at a time.
    assert any(run(example).cpu_seconds < 5 for _ in range(3))


def test_an_example_leaves_no_files_behind(example):
    assert run(example).files_left == []


def test_an_example_opens_with_the_question_it_answers(example):
    assert docstring(example).partition("\n")[0].endswith("?")


def test_an_example_prints_what_its_docstring_promises(example):
    promised = promised_output(example)
    assert any(line.strip() != SKIPPED for line in promised)
    broken = broken_promise(promised, run(example).output.splitlines())
    assert broken is None, f"{broken!r} is promised, and printed was\n{run(example).output}"


# The comparison of promises with what was printed


@pytest.mark.parametrize(
    ("promised", "printed"),
    [
        (["a 1 KiB"], ["a 2,000 B"]),
        (["a +1.5 blocks"], ["a   -20 blocks"]),
        (["a │██  │ 1"], ["a │█████ │ 22"]),
        (["a ▁▂▇█"], ["a ▃▃"]),
        (["a", "b"], ["a", "b"]),
        (["...", "b"], ["a", "a", "b"]),
        (["a", "..."], ["a", "b", "c"]),
    ],
)
def test_a_promise_is_kept_by_lines_that_differ_in_figures_only(promised, printed):
    assert broken_promise(promised, printed) is None


@pytest.mark.parametrize(
    ("promised", "printed", "broken"),
    [
        (["a 1 bytes"], ["b 1 bytes"], "a 1 bytes"),
        (["a 1 bytes"], ["a 1 blocks"], "a 1 bytes"),
        (["a", "b"], ["a"], "b"),
        (["a", "c"], ["a", "b", "c"], "c"),
        (["b"], ["a", "b"], "b"),
        (["...", "b", "...", "a"], ["a", "b"], "a"),
        (["a"], ["a", "b"], "the end of the output"),
    ],
)
def test_a_promise_is_broken_by_other_words_and_by_missing_and_surplus_lines(
    promised, printed, broken
):
    assert broken_promise(promised, printed) == broken


# What each example shows


def lines_of(name, start=""):
    output = run(next(path for path in EXAMPLES if path.stem == name)).output
    found = [line for line in output.splitlines() if line.startswith(start)]
    assert found, f"no line begins with {start!r} in\n{output}"
    return found


def figures(line):
    return [int(figure.replace(",", "")) for figure in re.findall(r"\d[\d,]*", line)]


def verdict_of(name, scope):
    """Return how many calls the report has of a scope, and what it says about them."""
    (row,) = lines_of(name, f"{scope}  ")
    calls, *_, verdict = row.removeprefix(scope).split()
    return int(calls.replace(",", "")), verdict


@pytest.mark.exact
def test_the_quick_start_counts_a_buffer_exactly():
    size = sys.getsizeof(bytes(1_000_000))
    assert figures(lines_of("quick_start", "one buffer")[0]) == [1, size, size, size]
    assert figures(lines_of("quick_start", "kept once it is deleted")[0]) == [0]


@pytest.mark.exact
def test_the_heartbeat_of_the_quick_start_has_nothing_of_its_neighbour():
    alone = figures(lines_of("quick_start", "heartbeat alone")[0])
    beside = figures(lines_of("quick_start", "heartbeat beside it")[0])
    archive = figures(lines_of("quick_start", "archive")[0])
    # The event loop's queue and its table of tasks grow in whichever task is running.
    assert 0 <= beside[0] - alone[0] <= 2
    assert 0 <= beside[1] - alone[1] <= 1024
    assert archive[1] > 50 * beside[1]


def test_decorated_functions_have_a_row_each():
    name = "decorated_coroutines"
    assert verdict_of(name, "read_log") == (25, "ok")
    assert verdict_of(name, "Traffic.add") == (3_250, "ok")
    assert verdict_of(name, "page of totals") == (25, "ok")


def test_the_leak_watch_names_the_leaking_job_and_no_other():
    rounds = lines_of("leak_watch", "round ")
    assert [figures(line)[0] for line in rounds] == [5, 6, 7, 8, 9, 10]
    for line in rounds:
        assert ": greet_visitors of 4 rounds ago" in line
        assert figures(line)[2] > 15_000


@pytest.mark.exact
def test_the_leak_watch_proves_which_job_leaks():
    for job in ("refresh_prices", "archive_log"):
        (check,) = lines_of("leak_watch", f"Shop.{job}")
        assert "+0 blocks and +0 B" in check
    (check,) = lines_of("leak_watch", "Shop.greet_visitors")
    # 15 carts a run hold 20 strings each.
    assert float(re.findall(r"[-+][\d.]+", check)[0]) >= 15 * 20


def test_the_peak_of_a_batch_is_never_below_its_samples():
    batches = [figures(line) for line in lines_of("batch_peaks", "batch ")]
    assert [number for number, *_ in batches] == [1, 2, 3, 4, 5]
    assert all(peak >= highest > 0 for _, _, peak, highest in batches)
    peaks = [peak for _, _, peak, _ in batches]
    assert max(peaks) == peaks[3] > 3 * peaks[1]
    # The same batch as the third, after the largest: the baseline has moved.
    assert peaks[4] == pytest.approx(peaks[2], rel=0.1)


def test_the_profile_holds_every_call_and_shows_the_regression():
    counts = [figures(line)[-3] for line in lines_of("profile_and_compare") if "│" in line]
    assert len(counts) == 5
    assert sum(counts) == 100
    (median,) = lines_of("profile_and_compare", "median bytes")
    assert float(median.split()[-1].rstrip("%")) > 100
    assert lines_of("profile_and_compare", "regression: ")


def test_the_server_reports_every_endpoint_and_judges_it_rightly():
    assert verdict_of("asyncio_server", "table") == (320, "ok")
    assert verdict_of("asyncio_server", "backup") == (320, "peaks")
    assert verdict_of("asyncio_server", "search") == (320, "leaks")


def test_a_scope_around_a_nursery_contains_its_tasks():
    children = [
        figures(lines_of("trio_tasks", f"{name} ")[0])
        for name in ("csv", "json", "argparse", "inspect")
    ]
    allocated, peak, _ = figures(lines_of("trio_tasks", "together")[0])
    assert sum(child[0] for child in children) <= allocated
    assert max(child[1] for child in children) <= peak <= sum(child[1] for child in children)


def test_a_worker_thread_is_charged_to_the_task_that_waits_for_it():
    rows = [figures(line) for line in lines_of("worker_threads") if "alone" in line]
    for alone, beside in rows:
        # Starting a thread takes some 20 KiB, and freed objects are reused differently.
        assert abs(alone - beside) < 64 * 1024
    (together,) = figures(lines_of("worker_threads", "together")[0])
    assert max(beside for _, beside in rows) <= together


@pytest.mark.exact
def test_the_budget_is_kept_by_rows_and_not_by_a_list():
    allocated, peak = figures(lines_of("memory_budget")[0])
    assert peak < 32 * 1024 < allocated
    assert figures(lines_of("memory_budget", "as a list")[0])[0] > 32 * 1024
    assert "+0 blocks and +0 B" in lines_of("memory_budget", "monthly_revenue")[0]
    assert len(lines_of("memory_budget", "ok ")) == 3


def test_every_coroutine_has_a_row_and_contains_the_tasks_that_it_starts():
    tasks = {}
    for line in lines_of("instrumented_tasks", "Crawler."):
        name, *_ = line.split()
        tasks[name.removeprefix("Crawler.")] = figures(line)
    assert {name: found[:2] for name, found in tasks.items()} == {
        "crawl": [1, 0],
        "fetch": [40, 0],
        "index": [40, 0],
        "check": [40, 4],
    }
    allocated = {name: found[2] for name, found in tasks.items()}
    assert allocated["index"] + allocated["check"] <= allocated["fetch"] <= allocated["crawl"]
    assert tasks["fetch"][3] < tasks["crawl"][3] < allocated["fetch"]


def test_the_live_page_is_for_this_computer_and_names_the_leak():
    assert lines_of("live_page", "/memory/: 200 text/html")
    assert lines_of("live_page", "from another computer: 403")
    assert lines_of("live_page", "leaks  GET /search")
    assert not any("GET /memory" in line for line in lines_of("live_page"))
