"""Routes that leak are told from routes that fill a cache, whatever their neighbours do."""

from __future__ import annotations

import asyncio
import random
import sys
from functools import lru_cache

import pytest

from allocmeter import Registry, verdict
from allocmeter.integrations.asgi import AllocationMiddleware

pytest.importorskip("starlette")

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

REQUESTS = 2_000  # to each route
IN_FLIGHT = 50
LEAKING = {"GET /leaks", "GET /shop/items/{id}"}


class Service:
    """Routes that keep memory for good, for a while and not at all, mixed by a seed."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.registry = Registry()
        self.leaked, self.items, self.recent = [], {}, {}
        capacity = self.rng.choice([50, 100, 200, 400, 800])
        self.capacity = capacity
        self.keys = self.rng.choice([capacity, 2 * capacity, 5 * capacity])
        self.sizes = self.rng.choices([500, 1000, 2000], k=self.keys)
        self.lookup = lru_cache(maxsize=capacity)(lambda key: bytes(self.sizes[key]))
        self.app = AllocationMiddleware(
            Starlette(
                routes=[
                    Route("/leaks", self.leaks),
                    Route("/cache/{key}", self.cache),
                    Route("/recent", self.keep_recent),
                    Route("/clean", self.clean),
                    Mount("/shop", routes=[Route("/items/{id}", self.item)]),
                ]
            ),
            registry=self.registry,
        )

    async def work(self):
        for _ in range(self.rng.randrange(3)):
            await asyncio.sleep(0)
        return JSONResponse({"numbers": [self.rng.random() for _ in range(20)]})

    async def leaks(self, _request):
        self.leaked.append(bytes(1024))
        return await self.work()

    async def item(self, request):
        response = await self.work()
        self.items[int(request.path_params["id"])] = bytes(1024)
        return response

    async def cache(self, request):
        self.lookup(int(request.path_params["key"]))
        return await self.work()

    async def keep_recent(self, _request):
        number = len(self.leaked) + self.rng.randrange(10**6)
        self.recent[number] = bytes(1024)
        if len(self.recent) > self.capacity:
            self.recent.pop(next(iter(self.recent)))
        return await self.work()

    async def clean(self, _request):
        return await self.work()

    def paths(self):
        for number in range(REQUESTS):
            batch = [
                "/leaks",
                f"/shop/items/{number}",
                f"/cache/{self.rng.randrange(self.keys)}",
                "/recent",
                "/clean",
            ]
            self.rng.shuffle(batch)
            yield from batch

    async def serve(self):
        """Send every request, so many at a time."""
        paths = self.paths()

        async def client():
            for path in paths:
                await request(self.app, path)

        async with asyncio.TaskGroup() as clients:
            for _ in range(IN_FLIGHT):
                clients.create_task(client())


async def request(app, path):
    statuses = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    await app(scope, receive, send)
    assert statuses == [200]


@pytest.mark.exact
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_route_that_leaks_is_named_and_no_other_with_its_growth_per_request(seed):
    service = Service(seed)
    asyncio.run(service.serve())
    found = service.registry.report()
    assert {row.name: row.count for row in found.rows} == dict.fromkeys(
        (*LEAKING, "GET /cache/{key}", "GET /recent", "GET /clean"), REQUESTS
    )
    judged = {row.name: verdict(row) for row in found.rows}
    assert {name for name, found in judged.items() if found.kind == "leaks"} == LEAKING, judged
    kept = {"GET /leaks": service.leaked, "GET /shop/items/{id}": service.items}
    for name, container in kept.items():
        blocks = container if isinstance(container, list) else container.values()
        # From 3.14 on the interpreter keeps the memory of numbers, for whoever makes the next one.
        keys = 0 if isinstance(container, list) or sys.version_info >= (3, 14) else 28 * REQUESTS
        truth = sum(block.__sizeof__() for block in blocks) + container.__sizeof__() + keys
        growth = found.row(name).retained_growth
        assert growth.bytes_per_1000_calls == pytest.approx(1000 * truth / REQUESTS, rel=0.05)
