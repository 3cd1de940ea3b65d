"""Did my change make this function allocate more?

    $ python examples/profile_and_compare.py
    100 calls by their peaks:
     1.9 KiB to  6.7 KiB │████████████████████████████████████████│ 25  25.0 %
     6.7 KiB to 11.5 KiB │█████████████████████████████████▋      │ 21  21.0 %
    ...
                           baseline          now       change relative
    mean bytes             41.2 KiB      138 KiB    +96.4 KiB  +233.8%
    median bytes           38.8 KiB      134 KiB    +94.8 KiB  +244.3%
    ...
    regression: the median call allocates more than 10 % above the baseline

An `AllocationProfiler` collects the figures of many calls. Saved as JSON it is the baseline that a
later run is compared with, on the next commit for example.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from allocmeter import AllocationProfiler

if TYPE_CHECKING:
    from collections.abc import Callable

    Index = dict[str, list[int]]

LINES = [f"line {n} of chapter {n // 7} has {n * n % 31} words" for n in range(100)]


def word_index(text: str) -> Index:
    """Return the line numbers of each word."""
    index: Index = {}
    for number, line in enumerate(text.splitlines()):
        for word in line.split():
            index.setdefault(word, []).append(number)
    return index


def word_index_copied(text: str) -> Index:
    """Return the same, after a change that makes a copy nobody needs."""
    index: Index = json.loads(json.dumps(word_index(text)))
    return index


def profile(function: Callable[[str], Index]) -> AllocationProfiler:
    """Measure a function on 100 texts of 1 to 100 lines."""
    profiler = AllocationProfiler("word index")
    for length in range(1, 101):
        profiler.profile(function, "\n".join(LINES[:length]))
    return profiler


def main() -> None:
    """Save a baseline, and compare the changed function with it."""
    with tempfile.TemporaryDirectory() as directory:
        saved = Path(directory, "baseline.json")
        saved.write_text(profile(word_index).to_json(), encoding="utf-8")
        baseline = AllocationProfiler.from_json(saved.read_text(encoding="utf-8"))

    current = profile(word_index_copied)
    print(f"{current.count} calls by their peaks:")
    print(current.histogram(buckets=5, of="peak_bytes"))
    comparison = current.compare(baseline)
    print(comparison)
    if comparison.median_bytes.relative > 0.1:
        print("regression: the median call allocates more than 10 % above the baseline")


if __name__ == "__main__":
    main()
