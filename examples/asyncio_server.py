"""Which endpoint of my server allocates, peaks or leaks?

    $ python examples/asyncio_server.py
    ...
                   allocated  share of  allocated  allocated  allocated  allocations      peak  retained
    scope   calls     in all  bytes           p50        p95        max       in all       max       now  verdict
    -------------------------------------------------------------------------------------------------------------
    backup    320    180 MiB  ██████      468 KiB    484 KiB    5.3 MiB      227,345   5.0 MiB       0 B  peaks
    table     320   53.3 MiB  █▊          170 KiB    182 KiB    185 KiB      223,818   137 KiB       0 B  ok
    search    320    8.4 MiB  ▎          27.7 KiB   29.2 KiB   31.8 KiB       83,080  13.1 KiB   269 KiB  leaks
    ...
    peaks  backup  peaks at 5.0 MiB, 17 times as much; the median call at 300 KiB
    leaks  search  keeps 825 B a call (823 B to 827 B): 269 KiB still alive after 320 calls

Eight connections are served at once; each request is measured apart from those around it.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import zlib

from allocmeter import measure, report

CLIENTS = 8

history: list[str] = []


async def table(number: int) -> str:
    """Render some rows as CSV."""
    page = io.StringIO()
    csv.writer(page).writerows((n, f"article {n}", n * 1.19) for n in range(50 + number % 50))
    await asyncio.sleep(0)
    return page.getvalue()


async def backup(number: int) -> str:
    """Compress a table; every now and then the whole archive of them."""
    text = await table(number)
    if number % 50 == 0:
        text *= 2_000
    return zlib.compress(text.encode()).hex()


async def search(number: int) -> str:
    """Find some articles, and remember the answer for ever."""
    hits = [{"article": n, "price": n * 1.19} for n in range(number, number + 20)]
    await asyncio.sleep(0)
    history.append(json.dumps(hits))
    return history[-1]


ENDPOINTS = {"table": table, "backup": backup, "search": search}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer requests such as `search 17` with a line of JSON each."""
    while line := await reader.readline():
        endpoint, number = line.decode().split()
        async with measure(endpoint):
            writer.write(json.dumps(await ENDPOINTS[endpoint](int(number))).encode() + b"\n")
            await writer.drain()
    writer.close()


async def client(port: int, first: int) -> None:
    """Send a share of the requests, each to every endpoint."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    for number in range(first, 320, CLIENTS):
        for endpoint in ENDPOINTS:
            writer.write(f"{endpoint} {number}\n".encode())
            await reader.readline()
    writer.close()
    await writer.wait_closed()


async def main() -> None:
    """Serve some clients at once, and print a row for each endpoint."""
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await asyncio.gather(*(client(port, first) for first in range(CLIENTS)))
    print(report())


if __name__ == "__main__":
    asyncio.run(main())
