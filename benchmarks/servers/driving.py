"""ASGI calls of every kind, well behaved and not, without a server and its sockets."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from benchmarks.servers.traffic import BODY, MIXED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Message

_KINDS: Final = {
    "mixed": 70,
    "unmatched": 6,
    "cached": 8,
    "failing": 3,
    "refused": 3,
    "disconnected": 3,
    "cancelled": 3,
    "slow": 1,
    "websocket": 2,
    "method": 1,
}


class Drivers:
    """Tasks that call an application again and again, in an order that a seed decides."""

    def __init__(self, app: ASGIApp, *, seed: int = 0) -> None:
        self._app = app
        self._random = random.Random(seed)

    async def run(self, tasks: int) -> None:
        """Call until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(tasks):
                group.create_task(self._drive())

    async def _drive(self) -> None:
        kinds, weights = list(_KINDS), list(_KINDS.values())
        while True:
            (kind,) = self._random.choices(kinds, weights)
            method: Callable[[], Awaitable[None]] = getattr(self, f"_{kind}")
            await method()

    async def _mixed(self) -> None:
        request = self._random.choice(MIXED)
        await self._call(request.path, request.method)

    async def _unmatched(self) -> None:
        await self._call(f"/nowhere/{self._random.random()}")

    async def _cached(self) -> None:
        await self._call(f"/cached/{self._random.random()}")

    async def _failing(self) -> None:
        with suppress(LookupError):
            await self._call("/failing")

    async def _slow(self) -> None:
        with suppress(TimeoutError):
            await self._call("/slow")

    async def _method(self) -> None:
        await self._call("/small", f"BREW{self._random.random()}")

    async def _refused(self) -> None:
        """Be gone when the second piece of the answer is sent."""
        peer = Peer()
        peer.refuses_after = 2
        with suppress(Exception):
            await self._app(_scope("http", "/stream"), peer.receive, peer.send)

    async def _disconnected(self) -> None:
        """Be gone before all of the body was sent."""
        peer = Peer({"type": "http.request", "body": BODY, "more_body": True})
        peer.incoming.append({"type": "http.disconnect"})
        with suppress(Exception):
            await self._app(_scope("http", "/body", method="POST"), peer.receive, peer.send)

    async def _cancelled(self) -> None:
        """Give up in the middle."""
        request = self._random.choice(MIXED)
        call = asyncio.create_task(self._call(request.path, request.method))
        for _ in range(self._random.randrange(6)):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])

    async def _websocket(self) -> None:
        texts = [{"type": "websocket.receive", "text": "x" * 100}] * 3
        end = {"type": "websocket.disconnect", "code": 1001}
        peer = Peer({"type": "websocket.connect"}, *texts, end)
        await self._app(_scope("websocket", "/echo", subprotocols=[]), peer.receive, peer.send)

    async def _call(self, path: str, method: str = "GET") -> None:
        body = BODY if method == "POST" else b""
        peer = Peer({"type": "http.request", "body": body, "more_body": False})
        await self._app(_scope("http", path, method=method), peer.receive, peer.send)


class Peer:
    """The server's side of one call, with what the client sends."""

    def __init__(self, *incoming: dict[str, Any]) -> None:
        self.incoming = list(incoming)
        self.refuses_after = -1
        self._answered = asyncio.Event()

    async def receive(self) -> Message:
        if self.incoming:
            return self.incoming.pop(0)
        await self._answered.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await asyncio.sleep(0)
        if not self.refuses_after:
            raise BrokenPipeError
        self.refuses_after -= 1
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self._answered.set()


def _scope(kind: str, path: str, **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        **more,
    }
