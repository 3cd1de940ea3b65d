"""Exact figures of every single request, which a report's histograms would round."""

from __future__ import annotations

import gc
import json
import os
from array import array
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from allocmeter import measure

DIRECTORY: Final = "ALLOCMETER_BENCHMARK_RECORDS"  # each process leaves a file there
COLLECTED: Final = "ALLOCMETER_BENCHMARK_COLLECTED"  # a garbage collection before each request


class Costs(NamedTuple):
    """What the requests to one route allocated, one after the other."""

    bytes: array[int]
    blocks: array[int]


class Recording:
    """Stands around the middleware, and writes down what each request has cost once it is over."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._costs: defaultdict[str | None, Costs] = defaultdict(
            lambda: Costs(array("q"), array("q"))
        )
        self._collected = COLLECTED in os.environ

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, self._leaving(receive), send)
            return
        if self._collected:
            gc.collect()  # empties the interpreter's free lists
            gc.freeze()  # the next one has little to look at
        await self._app(scope, receive, send)
        measured: measure = scope["allocmeter"]
        stats = measured.stats
        costs = self._costs[measured.name]
        costs.bytes.append(stats.bytes_allocated)
        costs.blocks.append(stats.allocations)

    def _leaving(self, receive: Receive) -> Receive:
        async def leaving() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown" and DIRECTORY in os.environ:
                self._write(Path(os.environ[DIRECTORY]))
            return message

        return leaving

    def _write(self, directory: Path) -> None:
        found = {
            route: {"bytes": costs.bytes.tolist(), "blocks": costs.blocks.tolist()}
            for route, costs in self._costs.items()
        }
        (directory / f"{os.getpid()}.json").write_text(json.dumps(found), encoding="utf-8")


def read(directory: Path) -> list[dict[str, Costs]]:
    """Return what each process has left in a directory, by route."""
    return [
        {
            route: Costs(array("q", costs["bytes"]), array("q", costs["blocks"]))
            for route, costs in json.loads(path.read_text(encoding="utf-8")).items()
        }
        for path in sorted(directory.iterdir())
    ]
