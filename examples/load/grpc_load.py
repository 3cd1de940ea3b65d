"""Call each method of `grpc_service.py` 200 times, eight at a time.

python examples/load/grpc_load.py PORT
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from typing import Any

from grpc import aio

CLIENTS = 8
CALLS = 200


def to_json(message: Any) -> bytes:
    """Encode a message."""
    return json.dumps(message).encode()


async def client(channel: aio.Channel, first: int) -> None:
    """Make a share of the calls."""
    coding: dict[str, Any] = {"request_serializer": to_json, "response_deserializer": json.loads}
    price = channel.unary_unary("/Shop/Price", **coding)
    watch = channel.unary_stream("/Shop/Watch", **coding)
    order = channel.stream_unary("/Shop/Order", **coding)
    quote = channel.stream_stream("/Shop/Quote", **coding)
    missing = channel.unary_unary(f"/Shop/Version{first}", **coding)
    for number in range(first, CALLS, CLIENTS):
        lines = [{"article": number, "amount": amount} for amount in range(1, 6)]
        # Some ask for an article that does not exist, or for a method that does not.
        for call in (price({"article": number * 6}), missing({})):
            with suppress(aio.AioRpcError):
                await call
        await order(iter(lines))
        for stream in (watch({"article": number, "changes": 20}), quote(iter(lines[:2]))):
            async for _ in stream:
                pass


async def main(port: int) -> None:
    """Run all clients at once."""
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await asyncio.gather(*(client(channel, first) for first in range(CLIENTS)))


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
