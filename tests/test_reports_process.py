"""What a report says of the process: more while it is tracked as a whole."""

from __future__ import annotations

import json

from allocmeter import process
from allocmeter._core import figures
from allocmeter.errors import BackendUnavailableError
from allocmeter.process import ProcessMemory
from allocmeter.reports import Report
from allocmeter.tracking import start_tracking, stop_tracking
from children import output_of

UNTRACKED = set(ProcessMemory.__dataclass_fields__)
TRACKED = {
    "allocations",
    "bytes_allocated",
    "peak_bytes",
    "live_bytes",
    "live_allocations",
    "native_allocations",
    "native_bytes_allocated",
}

HOLD_A_MEGABYTE = """
from allocmeter import report, start_tracking
start_tracking()
block = bytes(2**20)
freed = bytes(2**21)
del freed
print(report().to_json())
"""


def test_a_process_that_is_not_tracked_has_no_figures_of_its_own():
    facts = json.loads(output_of("import allocmeter; print(allocmeter.report().to_json())"))
    assert set(facts["process"]) == UNTRACKED


def test_a_tracked_process_has_its_figures_in_the_report():
    facts = Report.from_json(output_of(HOLD_A_MEGABYTE)).process
    assert set(facts) == UNTRACKED | TRACKED
    assert facts["bytes_allocated"] >= 3 * 2**20
    assert 2**20 <= facts["live_bytes"] < 2 * 2**20
    assert facts["peak_bytes"] >= 3 * 2**20
    assert facts["allocations"] >= facts["live_allocations"] > 0


def test_native_figures_are_unknown_where_the_domain_is_not_seen():
    facts = Report.from_json(output_of(HOLD_A_MEGABYTE)).process
    assert facts["native_allocations"] is None
    assert facts["native_bytes_allocated"] is None


def test_a_report_on_scopes_is_made_also_where_the_process_has_gaps(monkeypatch):
    from allocmeter.registry import report

    def incomplete():
        raise BackendUnavailableError

    monkeypatch.setattr(figures, "is_tracking", lambda: True)
    monkeypatch.setattr(figures, "read_process", incomplete)
    monkeypatch.setattr(process, "process_memory", lambda: ProcessMemory(1, 2, 3, None))
    assert set(report().process) == UNTRACKED


def test_native_figures_are_reported_where_the_domain_is_seen(monkeypatch):
    from allocmeter._core.structures import Figures
    from allocmeter.registry import report

    native = Figures(allocations=3, bytes_allocated=4096)
    monkeypatch.setattr(figures, "read_process_native", lambda: native)
    start_tracking()
    try:
        facts = report().process
    finally:
        stop_tracking()
    assert (facts["native_allocations"], facts["native_bytes_allocated"]) == (3, 4096)
