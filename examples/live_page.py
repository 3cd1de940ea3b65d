"""How do I watch in a browser, while my service runs, which endpoint leaks?

    $ python examples/live_page.py
    /memory/: 200 text/html; charset=utf-8
    /memory/figures.json: 200 application/json
    from another computer: 403 text/plain; charset=utf-8
    ok     GET /articles/{number}  600 B still alive after 400 calls; largest peak 6.1 KiB, median 6.0 KiB
    leaks  GET /search  keeps 1.1 KiB a call (1.1 KiB to 1.1 KiB): 458 KiB still alive after 400 calls

Nothing of the page is among the routes. Give it a port, and it serves there until it is
interrupted, with visitors of its own; then open http://localhost:8080/memory/ in a browser:

    python examples/live_page.py 8080
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import uvicorn
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from allocmeter import Report
from allocmeter.integrations.asgi import AllocationMiddleware
from allocmeter.integrations.dashboard import DashboardApp
from allocmeter.verdicts import verdict

if TYPE_CHECKING:
    from starlette.requests import Request

searches: list[bytes] = []


async def article(request: Request) -> JSONResponse:
    """Describe one article."""
    return JSONResponse({"article": request.path_params["number"], "prices": [1.19, 2.38]})


async def search(request: Request) -> JSONResponse:
    """Find nothing, and remember the question for ever."""
    searches.append(str(request.url).encode() + bytes(1000))
    return JSONResponse([])


app = AllocationMiddleware(
    Starlette(
        routes=[
            Route("/articles/{number}", article),
            Route("/search", search),
            Mount("/memory", DashboardApp()),  # DashboardApp(token=...) lets others in, too
        ]
    )
)


def visitor(address: str = "127.0.0.1") -> AsyncClient:
    """Return a client that comes from an address, without a server in between."""
    transport = ASGITransport(app, client=(address, 50_000))
    return AsyncClient(transport=transport, base_url="http://localhost")


async def visit(times: int) -> None:
    """Ask for articles, and search."""
    async with visitor() as client:
        for number in range(times):
            await client.get(f"/articles/{number % 9}")
            await client.get("/search")


async def look() -> None:
    """Ask for the page as a browser would, and for the figures behind it."""
    await visit(400)
    async with visitor() as client, visitor("192.0.2.1") as stranger:
        figures = await client.get("/memory/figures.json")
        for where, response in [
            ("/memory/", await client.get("/memory/")),
            ("/memory/figures.json", figures),
            ("from another computer", await stranger.get("/memory/")),
        ]:
            print(f"{where}: {response.status_code} {response.headers['content-type']}")
    for row in sorted(Report.from_json(figures.text).rows, key=lambda row: row.name):
        found = verdict(row)
        print(f"{found.kind:5}  {row.name}  {found.reason}")


async def serve(port: int) -> None:
    """Serve on a port, with a visitor now and then."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    while not serving.done():
        await visit(1)
        await asyncio.sleep(0.05)
    await serving


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])) if len(sys.argv) > 1 else look())
