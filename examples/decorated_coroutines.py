"""Which of my functions allocates, and how is it spread over their calls?

    $ python examples/decorated_coroutines.py
       297,106 /articles/143
    ...
                           allocated  share of  allocated  allocated  allocations      peak  retained
    scope           calls     in all  bytes           p50        max       in all       max       now  verdict
    ----------------------------------------------------------------------------------------------------------
    read_log           25   11.3 MiB  ██████      460 KiB    892 KiB       74,616  14.0 KiB  12.2 KiB  ok
    Traffic.add     3,250    2.5 MiB  █▍            743 B    7.1 KiB       23,343   6.5 KiB  12.9 KiB  ok
    page of totals     25    1.1 MiB  ▋          49.5 KiB   74.8 KiB       16,177  21.3 KiB  14.4 KiB  ok

A log is streamed: what it takes in all grows with its length, its peak does not. An async
generator is charged while its own body runs, and not for what its consumer does in between.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, TypedDict

from allocmeter import measured, report

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Entry(TypedDict):
    """One request in an access log."""

    path: str
    size: int


@measured
async def read_log(lines: int) -> AsyncIterator[Entry]:
    """Parse a log line by line."""
    for n in range(lines):
        await asyncio.sleep(0)
        entry: Entry = json.loads(f'{{"path": "/articles/{n * 7 % 200}", "size": {n * 997}}}')
        yield entry


class Traffic:
    """Bytes sent by path."""

    def __init__(self) -> None:
        self.totals: Counter[str] = Counter()

    @measured
    async def add(self, entry: Entry) -> None:
        """Count one request."""
        await asyncio.sleep(0)
        self.totals[entry["path"]] += entry["size"]

    @measured("page of totals")
    def render(self) -> str:
        """Return the totals, the largest first."""
        return "\n".join(f"{total:>10,} {path}" for path, total in self.totals.most_common())


async def main() -> None:
    """Sum up logs of 10 to 250 lines, and print what the functions needed for it."""
    for lines in range(10, 260, 10):
        traffic = Traffic()
        async for entry in read_log(lines):
            await traffic.add(entry)
        page = traffic.render()
    print(page.partition("\n")[0])
    print(report())


if __name__ == "__main__":
    asyncio.run(main())
