"""Clients that misbehave, and others that a plain load lacks, in a process of their own.

    $ python -m benchmarks.servers.rough PORT --clients 8 --seconds 30

They go away in the middle of an answer or of what they send, ask for what fails, takes too long
or does not exist, fill a cache, and open websockets; each time on a new connection. Prints one
line of JSON: how often they did what.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import struct
import time
from collections import Counter
from typing import Final

from benchmarks.servers.traffic import BODY

_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER of no time: the connection is torn down


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


def _tear(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.close()


async def _get(port: int, path: str) -> bytes:
    reader, writer = await _connect(port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer[9:12]


async def gone_while_answered(port: int) -> None:
    reader, writer = await _connect(port)
    writer.write(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.read(100)
    _tear(writer)


async def gone_while_sending(port: int) -> None:
    _, writer = await _connect(port)
    head = f"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n"
    writer.write(head.encode() + BODY[:1000])
    await writer.drain()
    await asyncio.sleep(0.001)
    _tear(writer)


async def failing(port: int) -> None:
    assert await _get(port, "/failing") == b"500"


async def slow(port: int) -> None:
    assert await _get(port, "/slow") == b"500"


async def unmatched(port: int) -> None:
    assert await _get(port, f"/nowhere/{random.random()}") == b"404"


async def cached(port: int) -> None:
    assert await _get(port, f"/cached/{random.random()}") == b"200"


async def talking(port: int) -> None:
    from websockets.asyncio.client import connect

    async with connect(f"ws://127.0.0.1:{port}/echo") as connection:
        for _ in range(3):
            await connection.send("x" * 100)
            assert await connection.recv() == "x" * 100


KINDS: Final = (
    gone_while_answered,
    gone_while_sending,
    failing,
    slow,
    unmatched,
    cached,
    talking,
)


async def run(port: int, clients: int, seconds: float) -> Counter[str]:
    """Return how often the clients did what, or which error they met instead."""
    done: Counter[str] = Counter()
    stop = time.monotonic() + seconds

    async def client(number: int) -> None:
        while time.monotonic() < stop:
            number += 1
            kind = KINDS[number % len(KINDS)]
            try:
                await kind(port)
            except Exception as error:  # noqa: BLE001 - counted and printed
                done[f"{kind.__name__}: {error!r}"] += 1
            else:
                done[kind.__name__] += 1

    await asyncio.gather(*(client(number) for number in range(clients)))
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(run(options.port, options.clients, options.seconds))))


if __name__ == "__main__":
    main()
