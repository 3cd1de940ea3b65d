"""Which job of a long-running service keeps memory that nobody frees?

    $ python examples/leak_watch.py
    round 5: greet_visitors of 4 rounds ago still holds 18,450 bytes in 330 blocks
    round 6: greet_visitors of 4 rounds ago still holds 18,450 bytes in 330 blocks
    ...
    Shop.refresh_prices: +0 blocks and +0 B per iteration over 20 iterations
    Shop.archive_log: +0 blocks and +0 B per iteration over 20 iterations
    Shop.greet_visitors: +330 blocks and +20.4 KiB per iteration over 20 iterations

Each run of a job has a `LeakDetector`, whose figures are those of now: what a later run replaces
is no leak any more. `LeakDetector.check` proves a suspicion by running one job again and again.
"""

from __future__ import annotations

import asyncio
import gc
import json
import zlib
from collections import deque
from itertools import count

from allocmeter import LeakDetector, LeakError

ROUNDS, GRACE = 10, 4


class Shop:
    """A service with three jobs, each of which keeps something for later."""

    def __init__(self) -> None:
        self.visitors = count(1_000)
        self.prices: dict[str, float] = {}
        self.archives: deque[bytes] = deque(maxlen=2)
        self.carts: dict[int, list[str]] = {}

    async def refresh_prices(self) -> None:
        """Replace all prices by those of a feed."""
        feed = json.dumps({f"article {n}": n * 1.19 for n in range(200)})
        await asyncio.sleep(0)
        self.prices = json.loads(feed)

    async def archive_log(self) -> None:
        """Compress the log of this round, and keep those of the last two."""
        log = "\n".join(f"sold {n % 7} of article {n * n % 181}" for n in range(300))
        await asyncio.sleep(0)
        self.archives.append(zlib.compress(log.encode()))

    async def greet_visitors(self) -> None:
        """Fill a cart for each new visitor, which nobody will ever empty."""
        for _ in range(15):
            await asyncio.sleep(0)
            self.carts[next(self.visitors)] = [f"article {n}" for n in range(20)]


async def main() -> None:
    """Run the jobs for a while, and ask each run later on what it has left behind."""
    shop = Shop()
    jobs = shop.refresh_prices, shop.archive_log, shop.greet_visitors
    watched: deque[LeakDetector] = deque()
    for round_number in range(1, ROUNDS + 1):
        for job in jobs:
            async with LeakDetector(job.__name__) as detector:
                await job()
            watched.append(detector)
        # A freed object that the interpreter keeps for reuse still counts for its first owner; a
        # collection gives such objects back.
        gc.collect()
        while len(watched) > len(jobs) * GRACE:
            try:
                watched.popleft().assert_no_leaks(max_bytes=8_192, max_allocations=200)
            except LeakError as leak:
                print(
                    f"round {round_number}: {leak.name} of {GRACE} rounds ago still holds"
                    f" {leak.bytes:,} bytes in {leak.allocations} blocks"
                )
    for job in jobs:
        print(await LeakDetector.check(job, iterations=20))


if __name__ == "__main__":
    asyncio.run(main())
