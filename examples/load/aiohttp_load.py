"""Send `aiohttp_service.py` 200 requests for each of its routes, eight at a time.

python examples/load/aiohttp_load.py PORT
"""

from __future__ import annotations

import asyncio
import sys

import aiohttp

CLIENTS = 8
REQUESTS = 200


async def client(session: aiohttp.ClientSession, first: int) -> None:
    """Send a share of the requests."""
    for number in range(first, REQUESTS, CLIENTS):
        # Some ask for an article that does not exist, or for a page that does not.
        for path in (f"/articles/{number * 6}", "/export", f"/page/{number}"):
            async with session.get(path) as response:
                await response.read()
        async with session.post("/search", json={"first": number}) as response:
            await response.read()
        async with session.ws_connect("/prices") as socket:
            for article in range(number, number + 5):
                await socket.send_str(str(article))
                await socket.receive_json()


async def main(port: int) -> None:
    """Run all clients at once."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        await asyncio.gather(*(client(session, first) for first in range(CLIENTS)))


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
