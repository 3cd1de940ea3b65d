"""Whose are the allocations of a worker thread?

    $ python examples/worker_threads.py
    small      peak alone    346,420, side by side    319,084 bytes
    medium     peak alone    636,947, side by side    644,611 bytes
    large      peak alone  4,183,118, side by side  4,190,870 bytes
    together                        , side by side  4,221,614 bytes

They are those of the task that waits for it, also while other threads work side by side. Small
differences come from starting a thread, and from freed objects that the interpreter reuses.
"""

from __future__ import annotations

import json
import zlib

import anyio
from anyio import to_thread

from allocmeter import measure

TABLES = {"small": 100, "medium": 1_000, "large": 10_000}


def pack(rows: int) -> bytes:
    """Encode and compress a table; runs in a worker thread."""
    table = [{"row": n, "article": f"article {n % 53}", "price": n * 1.19} for n in range(rows)]
    return zlib.compress(json.dumps(table).encode())


async def backup(name: str, peaks: dict[str, int]) -> None:
    """Pack a table without blocking the event loop, and note how much memory that took."""
    async with measure(name) as m:
        await to_thread.run_sync(pack, TABLES[name])
    peaks[name] = m.peak_bytes


async def main() -> None:
    """Pack the tables one after the other, and then all at once."""
    alone: dict[str, int] = {}
    for name in TABLES:
        await backup(name, alone)

    beside: dict[str, int] = {}
    async with measure() as together, anyio.create_task_group() as tasks:
        for name in TABLES:
            tasks.start_soon(backup, name, beside)

    for name in TABLES:
        print(f"{name:<10} peak alone {alone[name]:>10,}, side by side {beside[name]:>10,} bytes")
    print(f"{'together':<10} {'':21}, side by side {together.peak_bytes:>10,} bytes")


if __name__ == "__main__":
    anyio.run(main)
