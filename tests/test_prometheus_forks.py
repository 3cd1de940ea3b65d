"""Metrics of a process that forks: its children count on their own."""

from __future__ import annotations

import json
import os

import pytest

from children import output_of
from exporting import COMMON, run
from tracing import coverage_variables

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")


def test_a_forked_child_goes_on_by_itself_and_counts_what_it_finishes(tmp_path):
    run(
        """
with export_metrics(0.01, registry=registry) as exported:
    finish("work", 5)
    exported.flush()
    finish("work", 2)  # perhaps not written yet
    def work():
        exported.flush()  # makes the files; the client cannot read them while they are made
        finish("work", 10)
        finish("child", 1)
        while count("child") != 1:
            time.sleep(0.01)
    wait(fork(work))
    finish("work", 1)
assert count("work") == 18, count("work")
assert count("child") == 1
""",
        tmp_path,
    )


def test_a_child_that_is_forked_while_scopes_are_exported_is_never_stuck(tmp_path):
    run(
        """
with export_metrics(0.0001, registry=registry) as exported:
    for number in range(100):
        finish("parent", 1)
        wait(fork(lambda: (finish("child", 1), exported.flush())))
assert (count("parent"), count("child")) == (100, 100)
""",
        tmp_path,
        is_traced=False,  # a hundred children would take coverage minutes
    )


def test_what_a_collector_in_one_process_counts_begins_with_the_fork(tmp_path):
    output = output_of(
        COMMON
        + """
collector = AllocmeterCollector(registry)
def counts():
    return {scope: value for (name, scope, _), value in samples_of(scraped(collector)).items()
            if name == "allocmeter_scope_allocated_bytes_count"}
finish("both", 3)
finish("parent", 2)
counts()
finish("both", 1)
def work():
    finish("both", 10)
    finish("child", 1)
    print(json.dumps(counts()))
wait(fork(work))
print(json.dumps(counts()))
""",
        **coverage_variables(),
    )
    child, parent = map(json.loads, output.splitlines())
    assert child == {"both": 10, "parent": 0, "child": 1}
    assert parent == {"both": 4, "parent": 2}
