"""A small aiohttp server on the Unix socket that is named on the command line."""

import asyncio
import sys

from aiohttp import web

kept = []


async def hello(request):
    await asyncio.sleep(0)
    return web.Response(text="hello")


async def keep(request):
    kept.append(await asyncio.create_task(load(10_000)))
    return web.Response(text=str(len(kept)))


async def load(size):
    await asyncio.sleep(0)
    return bytes(size)


async def fail(request):
    raise ValueError("the application's")


async def goodbye(app):
    print("cleaned up", len(kept))


app = web.Application()
app.add_routes([web.get("/hello", hello), web.get("/keep", keep), web.get("/fail", fail)])
app.on_cleanup.append(goodbye)

if __name__ == "__main__":
    web.run_app(app, path=sys.argv[1], print=None)
