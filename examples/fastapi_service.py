"""Which endpoint of my FastAPI service allocates, peaks or leaks?

    $ python examples/fastapi_service.py
    Server-Timing: alloc;desc="108 KiB in 2,024 blocks, peak 81.9 KiB"
    ...
                                      allocated  share of  allocated  allocated  allocations      peak  retained
    scope                      calls     in all  bytes           p50        max       in all       max       now  verdict
    ---------------------------------------------------------------------------------------------------------------------
    GET /v1/catalogue            100   77.0 MiB  ████▉       744 KiB    5.5 MiB      406,520   1.1 MiB   785 KiB  ok
    GET /v1/export               100   26.0 MiB  █▋          268 KiB    425 KiB      211,943   161 KiB     927 B  ok
    POST /v1/orders              100   10.7 MiB  ▋           109 KiB    219 KiB      203,126  82.3 KiB   1.3 KiB  ok
    GET /v1/search               100    4.3 MiB  ▎          41.8 KiB    218 KiB       37,873  16.7 KiB  47.3 KiB  leaks
    ...
    leaks  GET /v1/search  keeps 441 B a call (335 B to 550 B): 47.3 KiB still alive after 100 calls
    ...

Included routers and mounts bring their prefixes; what no route matched shares one row. Give it a
port, and it serves there until it is interrupted:

    python examples/fastapi_service.py 8080
    python examples/load/fastapi_load.py 8080
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import socket
import sys
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import APIRouter, BackgroundTasks, FastAPI, Response

from allocmeter import report
from allocmeter.integrations.asgi import AllocationMiddleware
from allocmeter.renderers.text import render

LOAD = Path(__file__).parent / "load" / "fastapi_load.py"

app = FastAPI()
app.add_middleware(AllocationMiddleware, exclude=["/health"], server_timing=True)
shop = APIRouter(prefix="/v1")
searches: list[str] = []


@shop.get("/articles/{number}")
async def article(number: int) -> dict[str, Any]:
    """Describe one article."""
    return {"article": number, "prices": prices(number)}


@lru_cache(maxsize=25)
def prices(number: int) -> list[float]:
    """Return prices by amount; the cache fills up, and is no leak."""
    return [number * (1.19 - amount / 100) for amount in range(20)]


@shop.get("/search")
async def search(first: int) -> list[dict[str, Any]]:
    """Find some articles, and remember the answer for ever."""
    hits = [{"article": n, "price": n * 1.19} for n in range(first, first + 10)]
    searches.append(json.dumps(hits))
    return hits


@shop.get("/export")
async def export() -> Response:
    """Render all articles as CSV."""
    page = io.StringIO()
    csv.writer(page).writerows((n, n * 1.19) for n in range(300))
    return Response(page.getvalue(), media_type="text/csv")


@shop.get("/catalogue")
def catalogue() -> int:
    """Compress the catalogue, in a worker thread."""
    return len(zlib.compress(json.dumps([(n, n * 1.19) for n in range(500)]).encode()))


@shop.post("/orders")
async def order(tasks: BackgroundTasks) -> str:
    """Take an order, and do the rest of the work when the customer has the answer."""
    tasks.add_task(json.dumps, list(range(2_000)))
    return "thank you"


@app.get("/health")
async def health() -> None:
    """Say that the service runs; of no interest here."""


app.include_router(shop)


async def main(port: int = 0) -> None:
    """Serve on a port; without one, under a load of our own."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        serving = asyncio.create_task(server.serve([listener]))
        if not port:
            _, port = listener.getsockname()
            load = await asyncio.create_subprocess_exec(sys.executable, LOAD, str(port))
            await load.wait()
            server.should_exit = True
        await serving


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
    print(render(report(), width=120))
