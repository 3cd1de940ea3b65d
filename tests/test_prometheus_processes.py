"""Metrics of several processes: each keeps its files up to date, and they add up."""

from __future__ import annotations

import os

import pytest

from children import output_of, run_child
from exporting import COMMON, run
from tracing import coverage_variables

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")


def test_totals_are_the_sum_of_the_workers(tmp_path):
    output = run(
        """
def worker(number):
    # Each says what a collector of its own would show.
    with export_metrics(NEVER, registry=registry) as exported:
        finish("GET /", 3 * number, 1000)
        exported.flush()
        finish("GET /", 2, 100_000)
        finish(f"only {number}", 1)
        del kept[::2]
        finish("leaks", 40 * number)
    alone = samples_of(scraped(AllocmeterCollector(registry)))
    assert without_steps(alone) == expected(registry.report())
    with open(f"{os.environ['PROMETHEUS_MULTIPROC_DIR']}/{number}.json", "w") as file:
        json.dump([[*key, value] for key, value in alone.items()], file)
    sys.stdin.read()  # the gauges are those of live processes

reading, writing = os.pipe()
def work(number):
    os.close(writing)
    os.dup2(reading, 0)
    worker(number)
children = [fork(lambda number=number: work(number)) for number in (1, 2, 3)]
directory = os.environ["PROMETHEUS_MULTIPROC_DIR"]
sums = {}
for number in (1, 2, 3):
    path = f"{directory}/{number}.json"
    while True:
        try:
            with open(path) as file:
                rows = json.load(file)
            break
        except (FileNotFoundError, ValueError):
            time.sleep(0.01)
    for name, scope, le, value in rows:
        highest = name.endswith(("_peak_bytes", "_leaking")) or "_growth_" in name
        add = max if highest else lambda a, b: a + b
        sums[name, scope, le] = add(sums.get((name, scope, le), 0), value)
found = together()
for samples in (found, sums):
    samples.pop(("allocmeter_process_resident_bytes", None, None))
assert found == sums, {key: (found.get(key), sums.get(key)) for key in found.keys() | sums.keys()
                       if found.get(key) != sums.get(key)}
assert count("GET /", found) == 3 + 6 + 9 + 3 * 2
assert found["allocmeter_leaking", "leaks", None] == 1
assert 5000 < found["allocmeter_retained_growth_bytes", "leaks", None] < 5250
assert found["allocmeter_retained_by_age_bytes", "leaks", "<10s"] > 240 * 5000
os.close(writing)
wait(*children)
print("ok")
""",
        tmp_path,
    )
    assert output == "ok\n"


def test_an_update_that_nobody_asks_for_comes_by_itself(tmp_path):
    run(
        """
import struct

def seen():
    try:
        return count("work")
    except struct.error:  # prometheus_client makes its files empty, and then writes into them
        return None

with export_metrics(0.01, registry=registry):
    finish("work", 5)
    while seen() != 5:
        time.sleep(0.01)
    finish("work", 1)
    while seen() != 6:
        time.sleep(0.01)
""",
        tmp_path,
    )


def test_a_process_that_ends_without_leaving_the_block_has_written_everything(tmp_path):
    run(
        """
exported = export_metrics(NEVER, registry=registry)
exported.__enter__()
finish("work", 5)
""",
        tmp_path,
    )
    run("assert count('work') == 5", tmp_path)


def test_a_second_export_goes_on_where_the_first_stopped(tmp_path):
    run(
        """
finish("work", 1)
for _ in range(2):
    with export_metrics(NEVER, registry=registry):
        finish("work", 2)
    finish("work", 1)
assert count("work") == 1 + 2 + 1 + 2, count("work")
""",
        tmp_path,
    )


def test_resets_lose_and_double_nothing(tmp_path):
    run(
        """
with export_metrics(NEVER, registry=registry) as exported:
    for _ in range(3):
        finish("work", 2)
        exported.flush()
        finish("work", 1)
        registry.reset()
        finish("work", 1)
assert count("work") == 12
""",
        tmp_path,
    )


def test_names_that_resets_replace_do_not_grow_the_files_without_end(tmp_path):
    run(
        """
registry = Registry(max_names=5)
with export_metrics(NEVER, registry=registry) as exported:
    for number in range(40):
        finish(f"GET /{number}", 1)
        exported.flush()
        registry.reset()
found = together()
counts = {scope: value for (name, scope, _), value in found.items()
          if name == "allocmeter_scope_allocated_bytes_count"}
assert counts.pop("(other)") == 35
assert counts == {f"GET /{number}": 1 for number in range(5)}, counts
""",
        tmp_path,
    )


def test_a_growth_that_was_shown_and_is_not_known_any_more_is_none(tmp_path):
    run(
        """
growth = ("allocmeter_retained_growth_bytes", "leaks", None)
with export_metrics(NEVER, registry=registry) as exported:
    finish("leaks", 63)
    exported.flush()
    assert growth not in together()
    finish("leaks", 1)
    exported.flush()
    assert together()[growth] > 5000
    registry.reset()
    finish("leaks", 63)
    exported.flush()
    assert together()[growth] == 0
""",
        tmp_path,
    )


def test_what_a_dead_worker_retained_is_not_shown(tmp_path):
    run(
        """
def work():
    with export_metrics(NEVER, registry=registry):
        finish("work", 2)
child = fork(work)
wait(child)
retained = ("allocmeter_retained_bytes", "work", None)
assert together()[retained] >= 10_000
multiprocess.mark_process_dead(child)
assert retained not in together()
assert count("work") == 2
""",
        tmp_path,
    )


def test_files_that_cannot_be_written_are_logged_once_and_harm_nothing(tmp_path):
    directory = tmp_path / "shared"
    directory.mkdir()
    child = run_child(
        COMMON
        + """
logging.basicConfig(format="%(name)s %(message)s")
os.rmdir(os.environ["PROMETHEUS_MULTIPROC_DIR"])
with export_metrics(NEVER, registry=registry) as exported:
    finish("work", 2)
    exported.flush()
    finish("work", 2)
assert registry.row("work").count == 4
""",
        PROMETHEUS_MULTIPROC_DIR=directory,
        **coverage_variables(),
    )
    assert child.returncode == 0, child.stderr
    assert child.stderr.count("allocmeter the exported metrics cannot be brought up to date") == 1
    assert child.stderr.count("Traceback") == 1


def test_a_directory_that_the_client_has_not_seen_is_refused(tmp_path):
    output = output_of(
        COMMON
        + """
os.environ["PROMETHEUS_MULTIPROC_DIR"] = sys.argv[1]
for _ in range(2):
    try:
        export_metrics(registry=registry).__enter__()
    except RuntimeError as error:
        print(error)
""",
        tmp_path,
        **coverage_variables(),
    )
    assert output.count("was set after prometheus_client had been imported") == 2
