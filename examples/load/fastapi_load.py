"""Send `fastapi_service.py` 100 requests for each of its endpoints, eight at a time.

python examples/load/fastapi_load.py PORT
"""

from __future__ import annotations

import asyncio
import sys

import httpx

CLIENTS = 8
REQUESTS = 100


async def client(port: int, first: int) -> None:
    """Send a share of the requests."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as session:
        for number in range(first, REQUESTS, CLIENTS):
            # There is no such page: whatever is asked for that does not exist goes to one row.
            for path in (f"articles/{number}", f"search?first={number}", "export", "catalogue"):
                await session.get(f"/v1/{path}")
            await session.get(f"/page/{number}")
            answer = await session.post("/v1/orders")
            if number == 0:
                print("Server-Timing:", answer.headers["server-timing"])


async def main(port: int) -> None:
    """Run all clients at once, when the service has done what it leaves to its first request."""
    async with httpx.AsyncClient() as session:
        await session.get(f"http://127.0.0.1:{port}/health")
    await asyncio.gather(*(client(port, first) for first in range(CLIENTS)))


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
