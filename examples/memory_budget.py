"""Does this code stay within its memory budget, today and after the next change?

    $ python examples/memory_budget.py
    1,449,956 bytes, but 20,343 at a time
    ok test_a_file_is_read_row_by_row
    as a list 157,443 bytes at a time
    ok test_the_budget_is_tight_enough_to_notice_a_list
    monthly_revenue: +0 blocks and +0 B per iteration over 10 iterations
    ok test_a_call_leaves_nothing_behind

These are plain tests: `pytest -s examples/memory_budget.py` runs them as well.
"""

from __future__ import annotations

import csv
import gc
from typing import TYPE_CHECKING

from allocmeter import LeakDetector, measure

if TYPE_CHECKING:
    from collections.abc import Iterable

ROWS = 2_000
BUDGET = 32 * 1024


def orders() -> Iterable[str]:
    """Generate the lines of a file."""
    return (f"article {n % 53},{n * 1.25}\n" for n in range(ROWS))


def revenue(lines: Iterable[str]) -> float:
    """Sum up a column of CSV."""
    return sum(float(row["price"]) for row in csv.DictReader(lines, ["article", "price"]))


def monthly_revenue() -> float:
    """Do what the service does once a month."""
    return revenue(orders())


def test_a_file_is_read_row_by_row() -> None:
    """The budget is that of a few rows, however many there are."""
    with measure() as m:
        total = monthly_revenue()
    print(f"{m.stats.bytes_allocated:,} bytes, but {m.peak_bytes:,} at a time")
    assert total == 1.25 * sum(range(ROWS))
    assert m.peak_bytes <= BUDGET
    del total  # a block of the scope as well
    gc.collect()  # frees what the interpreter keeps for reuse, too
    assert m.retained_bytes == 0


def test_the_budget_is_tight_enough_to_notice_a_list() -> None:
    """Somebody will put the lines into a list some day."""
    with measure() as m:
        revenue(list(orders()))
    print(f"as a list {m.peak_bytes:,} bytes at a time")
    assert m.peak_bytes > BUDGET


def test_a_call_leaves_nothing_behind() -> None:
    """A byte per call is a leak in a service that runs for months."""
    check = LeakDetector.check(monthly_revenue)
    print(check)
    check.assert_no_leaks()


def main() -> None:
    """Run the tests of this file."""
    for test in (
        test_a_file_is_read_row_by_row,
        test_the_budget_is_tight_enough_to_notice_a_list,
        test_a_call_leaves_nothing_behind,
    ):
        test()
        print("ok", test.__name__)


if __name__ == "__main__":
    main()
