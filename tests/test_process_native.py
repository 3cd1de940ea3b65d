"""`process_memory()` in a process whose native memory is seen."""

from __future__ import annotations

from preloading import linux_only, natively

pytestmark = linux_only


def test_what_c_code_asks_of_malloc_is_no_part_of_pythons_live_bytes():
    grown = natively("""
    from allocmeter import process_memory

    start_tracking()
    before = process_memory().python_live_bytes
    block = held.malloc(10_000_000)
    print(process_memory().python_live_bytes - before)
    """)
    assert grown < 10_000
