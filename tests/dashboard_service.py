"""A service with a live page, for tests in a browser: `dashboard_service.py PORT [TOKEN]`."""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

from allocmeter import measure, start_tracking
from allocmeter.integrations.asgi import AllocationMiddleware
from allocmeter.integrations.dashboard import DashboardApp
from sample_reports import HOSTILE_NAMES

kept = []


async def articles(request):
    number = int(request.path_params["number"])
    return JSONResponse([{"article": n, "price": n * 1.19} for n in range(number)])


async def search(request):
    kept.append(bytearray(1024))
    return PlainTextResponse("found")


async def export(request):
    size = 4_000_000 if len(request.query_params.get("all", "")) else 2_000
    return PlainTextResponse(str(len(bytearray(size))))


async def broken(request):
    return PlainTextResponse("no", status_code=500)


async def many(request):
    """Make rows as hundreds of endpoints do."""
    for number in range(int(request.path_params["count"])):
        for _ in range(3):
            with measure(f"GET /generated/{number:04}/details"):
                bytearray(100 + 7 * number)
    return PlainTextResponse("made")


async def hostile(request):
    for name in HOSTILE_NAMES:
        with measure(f"~{name}"):
            bytearray(100)
    return PlainTextResponse("made")


def service(token=None):
    return AllocationMiddleware(
        Starlette(
            routes=[
                Route("/articles/{number}", articles),
                Route("/search", search),
                Route("/export", export),
                Route("/broken", broken),
                Route("/many/{count}", many),
                Route("/hostile", hostile),
                Mount("/memory", app=DashboardApp(token=token)),
            ]
        )
    )


if __name__ == "__main__":
    start_tracking()
    port, *token = sys.argv[1:]
    uvicorn.run(service(*token), port=int(port), log_level="warning")
