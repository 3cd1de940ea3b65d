"""Which route of my aiohttp service allocates, peaks or leaks?

    $ python examples/aiohttp_service.py
    ...
                                   allocated  share of  allocated      peak  retained
    scope                   calls     in all  bytes           max       max       now  verdict
    ------------------------------------------------------------------------------------------
    GET /export               200    327 MiB  ███████▋    1.6 MiB   137 KiB   1.1 KiB  ok
    POST /search              200   12.0 MiB  ▎           118 KiB  31.0 KiB   417 KiB  leaks
    WS /prices                200    4.9 MiB  ▏          26.4 KiB   7.1 KiB   5.5 KiB  ok
    GET /articles/{number}    200    450 KiB  ▏           2.7 KiB   1.4 KiB   6.3 KiB  ok
    GET (unmatched)           200    150 KiB  ▏           1.2 KiB   1.0 KiB   7.4 KiB  ok
    ...
    leaks  POST /search  keeps 2.0 KiB a call (1.9 KiB to 2.1 KiB): 417 KiB still alive after 200 calls

Websockets and streaming responses are measured until their handler is done. Give it a port, and it
serves there until it is interrupted:

    python examples/aiohttp_service.py 8080
    python examples/load/aiohttp_load.py 8080
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from allocmeter import report
from allocmeter.integrations.aiohttp import allocation_middleware
from allocmeter.renderers.text import render

LOAD = Path(__file__).parent / "load" / "aiohttp_load.py"

routes = web.RouteTableDef()
searches: list[str] = []


@routes.get("/articles/{number}")
async def article(request: web.Request) -> web.Response:
    """Describe one article."""
    number = int(request.match_info["number"])
    if number >= 1_000:
        raise web.HTTPNotFound(text=f"no article {number}")
    return web.json_response({"article": number, "price": number * 1.19})


@routes.get("/export")
async def export(request: web.Request) -> web.StreamResponse:
    """Stream all articles, a hundred rows at a time."""
    response = web.StreamResponse()
    await response.prepare(request)
    for start in range(0, 1_000, 100):
        page = io.StringIO()
        csv.writer(page).writerows((n, n * 1.19) for n in range(start, start + 100))
        await response.write(page.getvalue().encode())
    await response.write_eof()
    return response


@routes.post("/search")
async def search(request: web.Request) -> web.Response:
    """Find some articles, and remember the answer for ever."""
    query = await request.json()
    hits = [{"article": n, "price": n * 1.19} for n in range(query["first"], query["first"] + 50)]
    searches.append(json.dumps(hits))
    return web.json_response(text=searches[-1])


@routes.get("/prices")
async def prices(request: web.Request) -> web.WebSocketResponse:
    """Answer the numbers of articles with prices, until the client hangs up."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_json(int(message.data) * 1.19)
    return socket


def application() -> web.Application:
    """Return the service."""
    app = web.Application(middlewares=[allocation_middleware()])
    app.add_routes(routes)
    return app


async def main(port: int = 0) -> None:
    """Serve on a port; without one, under a load of our own."""
    runner = web.AppRunner(application())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        if port:
            await asyncio.Event().wait()
        _, port = runner.addresses[0]
        load = await asyncio.create_subprocess_exec(sys.executable, LOAD, str(port))
        await load.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*map(int, sys.argv[1:])))
    print(render(report(), width=96))
