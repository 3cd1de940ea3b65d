"""Which method of my gRPC service allocates, peaks or leaks?

    $ python examples/grpc_service.py
    ...
                                allocated  share of  allocated     peak  retained
    scope        calls  failed     in all  bytes           max      max       now  verdict
    --------------------------------------------------------------------------------------
    /Shop/Order    200       0    5.2 MiB  █████      28.2 KiB  3.8 KiB  40.4 KiB  leaks
    /Shop/Quote    200       0    1.9 MiB  █▉         10.5 KiB  2.6 KiB     832 B  ok
    /Shop/Watch    200       0  1,006 KiB  █           5.1 KiB  1.7 KiB   3.6 KiB  ok
    /Shop/Price    200      33    107 KiB  ▏           4.1 KiB  2.8 KiB   1.4 KiB  ok
    (unmatched)    200     200        0 B                  0 B      0 B       0 B  ok
    ...
    leaks  /Shop/Order  keeps 204 B a call (200 B to 207 B): 40.4 KiB still alive after 200 calls

The messages are JSON, so that it runs without generated code; with a generated servicer the server
is put together in the same way. Give it a port, and it serves there until it is interrupted:

    python examples/grpc_service.py 50051
    python examples/load/grpc_load.py 50051
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from grpc import aio

from allocmeter import report
from allocmeter.integrations.grpc import AllocationInterceptor
from allocmeter.renderers.text import render

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOAD = Path(__file__).parent / "load" / "grpc_load.py"

orders: list[bytes] = []


async def price(request: Any, context: Any) -> Any:
    """Return the price of one article."""
    if request["article"] >= 1_000:
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such article")
    return {"price": request["article"] * 1.19, "label": f"article {request['article']}"}


async def watch(request: Any, _context: Any) -> AsyncIterator[Any]:
    """Stream prices of an article as they change."""
    for change in range(request["changes"]):
        yield {"price": request["article"] * 1.19, "history": list(range(change))}


async def order(requests: AsyncIterator[Any], _context: Any) -> Any:
    """Take an order line by line, and remember it for ever."""
    lines = [line async for line in requests]
    orders.append(to_json(lines))
    return {"lines": len(lines)}


async def quote(requests: AsyncIterator[Any], _context: Any) -> AsyncIterator[Any]:
    """Answer every line with its price."""
    async for line in requests:
        yield {"price": line["amount"] * line["article"] * 1.19}


def to_json(message: Any) -> bytes:
    """Encode a message."""
    return json.dumps(message).encode()


METHODS = {
    "Price": grpc.unary_unary_rpc_method_handler(price, json.loads, to_json),
    "Watch": grpc.unary_stream_rpc_method_handler(watch, json.loads, to_json),
    "Order": grpc.stream_unary_rpc_method_handler(order, json.loads, to_json),
    "Quote": grpc.stream_stream_rpc_method_handler(quote, json.loads, to_json),
}


async def main(port: int = 0) -> None:
    """Serve on a port; without one, under a load of our own."""
    server = aio.server(interceptors=[AllocationInterceptor()])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Shop", METHODS)])
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        if port:
            await server.wait_for_termination()
        load = await asyncio.create_subprocess_exec(sys.executable, LOAD, str(bound))
        await load.wait()
    finally:
        await server.stop(grace=1)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*map(int, sys.argv[1:])))
    print(render(report(), width=96))
