"""How high does memory rise in each batch, and when?

    $ python examples/batch_peaks.py
    batch 1:   300 rows, peak   149,549 bytes, highest sample   116,399  ▅█▁
    batch 2: 1,200 rows, peak   542,147 bytes, highest sample   475,603  ▃▃▄▄▅▆▇█▁
    batch 3:   300 rows, peak   139,757 bytes, highest sample   106,679  ▄▅█▁
    batch 4: 6,000 rows, peak 2,729,335 bytes, highest sample 2,658,023  ▂▃▃▃▃▄▄▄▅▅▅▆▆▆▇▇▇█
    batch 5:   300 rows, peak   139,741 bytes, highest sample   106,591  ▄▅█▁

`PeakMemoryTracker` samples its block from a background task. The samples are the timeline; the
peak does not come from them, and includes what was allocated and freed between two of them.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import TYPE_CHECKING

from allocmeter import PeakMemoryTracker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allocmeter import MemorySample

BATCHES = 300, 1_200, 300, 6_000, 300  # rows; one customer has ordered more than all others


async def export(rows: int) -> int:
    """Turn a batch of CSV into one JSON document, and return its length."""
    text = "".join(f"{n},article {n % 53},{n * 1.19:.2f}\n" for n in range(rows))
    orders = []
    for number, row in enumerate(csv.DictReader(io.StringIO(text), ["id", "article", "price"])):
        orders.append(row)
        if number % 100 == 0:
            await asyncio.sleep(0.001)
    return len(json.dumps(orders, indent=1))


def sparkline(samples: Sequence[MemorySample], width: int = 24) -> str:
    """Draw live memory over time, in at most `width` characters."""
    sizes = [max(sample.net_bytes, 0) for sample in samples[:: len(samples) // width + 1]]
    return "".join("▁▂▃▄▅▆▇█"[7 * size // max(1, *sizes)] for size in sizes)


async def main() -> None:
    """Export all batches, and look at each of them by itself."""
    async with PeakMemoryTracker(interval=0.002) as tracker:
        for number, rows in enumerate(BATCHES, 1):
            tracker.reset()  # what is alive by now belongs to earlier batches
            await export(rows)
            tracker.sample()  # the end of the batch, wherever the background task is
            highest = max(sample.net_bytes for sample in tracker.samples)
            print(
                f"batch {number}: {rows:>5,} rows, peak {tracker.peak_bytes:>9,} bytes,"
                f" highest sample {highest:>9,}  {sparkline(tracker.samples)}"
            )


if __name__ == "__main__":
    asyncio.run(main())
