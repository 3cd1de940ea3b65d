"""A bit of everything, in seconds even where every instruction is watched (`.ci/sanitize`)."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import threading
import tracemalloc

import allocmeter
from allocmeter import detached, measure
from allocmeter.integrations.asgi import AllocationMiddleware
from allocmeter.integrations.tasks import instrument_tasks


async def leaf(size: int) -> list[bytes]:
    async with measure(f"leaf {size % 5}"):
        blocks = [bytes(k) for k in range(size)]
        await asyncio.sleep(0)
        return blocks


async def served(scope, receive, send):
    scope["path_template"] = "/x"
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/fails":
        raise ValueError
    await send({"type": "http.response.body", "body": b"x" * 1000})


async def request(app, path):
    async def receive():
        await asyncio.sleep(0)
        return {"type": "http.request"}

    async def send(message):
        await asyncio.sleep(0)
        if message["type"] == "http.response.body" and path == "/refused":
            raise OSError

    scope = {"type": "http", "method": "GET", "path": path, "headers": []}
    await asyncio.gather(app(scope, receive, send), return_exceptions=True)


async def main():
    async with measure("main") as scope:
        kept = await asyncio.gather(*(leaf(n) for n in range(20)))
        await asyncio.to_thread(sorted, range(1000))
        with detached():
            kept.append([bytes(5000)])
    app = AllocationMiddleware(served)
    await asyncio.gather(*(request(app, path) for path in ("/a", "/fails", "/refused") * 3))
    return scope, kept


def grow(blocks):
    with measure("thread"):
        for size in range(0, 3000, 50):
            blocks.append(bytearray(size))
            blocks[-1].extend(bytes(size))


def fork():
    child = os.fork()
    if child == 0:
        with measure("child"):
            bytes(1000)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


allocmeter.start_tracking()
instrument_tasks()
scope, kept = asyncio.run(main())
assert scope.stats.allocations > 0
blocks = []
threads = [threading.Thread(target=grow, args=[blocks]) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
fork()
tracemalloc.start()
contextvars.copy_context().run(grow, blocks)
tracemalloc.stop()
del kept, blocks
gc.collect()
assert "leaf 1" in str(allocmeter.report())
