"""How much memory does a piece of code allocate, need at most, and keep?

    $ python examples/quick_start.py
                               blocks        bytes         peak         kept
    one buffer                      1    1,000,033    1,000,033    1,000,033
    kept once it is deleted: 0
    heartbeat alone               842      121,688          936            0
    archive                    25,204    8,975,061      302,768            0
    heartbeat beside it           843      122,216        1,456          688
    ...
    archive                  1    9.3 MiB  ███████▏    9.3 MiB    9.3 MiB       28,609  296 KiB     214 B  few
    ...

A heartbeat that takes turns with the archive is charged with nothing of it. The one block that it
has more than alone is the queue of the event loop, which had to grow while it was running.
"""

from __future__ import annotations

import asyncio
import json
import zlib

from allocmeter import measure, report

ORDERS = [{"id": n, "customer": f"customer {n % 97}", "total": n * 1.25} for n in range(2_000)]


async def archive() -> measure:
    """Compress all orders, ten at a time, and let other tasks run in between."""
    async with measure("archive") as m:
        compressor = zlib.compressobj()
        packed = b""
        for start in range(0, len(ORDERS), 10):
            text = json.dumps(ORDERS[start : start + 10])
            packed += compressor.compress(text.encode())
            await asyncio.sleep(0)
        packed += compressor.flush()
    return m


async def heartbeat(name: str) -> measure:
    """Wake up again and again, and do nothing."""
    async with measure(name) as m:
        for _ in range(200):
            await asyncio.sleep(0)
    return m


def show(m: measure) -> None:
    """Print what was measured as a row of a table."""
    figures = m.stats.allocations, m.stats.bytes_allocated, m.peak_bytes, m.retained_bytes
    print(f"{m.name:<20}", *(f"{figure:>12,}" for figure in figures))


async def main() -> None:
    """Measure a single buffer, and then two tasks that take turns."""
    print(f"{'':<20}", *(f"{column:>12}" for column in ("blocks", "bytes", "peak", "kept")))
    with measure("one buffer") as m:
        buffer = bytes(1_000_000)
    show(m)
    del buffer
    print("kept once it is deleted:", m.retained_bytes)

    alone = await heartbeat("heartbeat alone")
    for m in (alone, *await asyncio.gather(archive(), heartbeat("heartbeat beside it"))):
        show(m)
    print(report())


if __name__ == "__main__":
    asyncio.run(main())
