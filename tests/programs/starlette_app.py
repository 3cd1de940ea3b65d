"""A small ASGI application, as somebody would write it who knows nothing of measuring."""

import asyncio
import os

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

kept = []


async def hello(request):
    await asyncio.sleep(0)
    return PlainTextResponse("hello")


async def pid(request):
    return PlainTextResponse(str(os.getpid()))


async def keep(request):
    kept.append(await asyncio.create_task(load(10_000)))
    return PlainTextResponse(str(len(kept)))


async def load(size):
    await asyncio.sleep(0)
    return bytes(size)


async def fail(request):
    raise ValueError("the application's")


app = Starlette(
    routes=[
        Route("/hello", hello),
        Route("/pid", pid),
        Route("/keep", keep),
        Route("/fail", fail),
    ]
)
