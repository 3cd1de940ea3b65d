"""A grpc.aio server with an interceptor, and what its methods do."""

from __future__ import annotations

from contextlib import asynccontextmanager

import grpc
from grpc import aio

from allocmeter import Registry
from allocmeter.integrations.grpc import AllocationInterceptor
from serving import Work

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


def to_bytes(message):
    return message if isinstance(message, bytes) else message.encode()  # grpc may have done it


@asynccontextmanager
async def serving(behaviors, *, interceptors=(), threads=None, **options):
    """Run a server, and yield its registry and what calls a method of it.

    A behavior is given by its kind and name.
    """
    registry = options.setdefault("registry", Registry())
    server = aio.server(threads, interceptors=[AllocationInterceptor(**options), *interceptors])
    handlers = {
        name: getattr(grpc, f"{kind}_rpc_method_handler")(behavior, bytes.decode, to_bytes)
        for (kind, name), behavior in behaviors.items()
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Test", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:

        def call(kind, name, request="", **keywords):
            sent = iter([request]) if kind.startswith("stream") else request
            method = getattr(channel, kind)(f"/test.Test/{name}", to_bytes, bytes.decode)
            return method(sent, **keywords)

        yield registry, call
    await server.stop(None)


async def answer(call):
    """Return the responses to a call, or the name of the status that it ended with."""
    try:
        if hasattr(call, "__aiter__"):
            return [response async for response in call]
        return [await call]
    except aio.AioRpcError as error:
        return error.code().name


def outcomes(registry):
    rows = {row.name: row for row in registry.report().rows}
    return {name: [row.count, row.errors, row.cancelled] for name, row in rows.items()}


class Working:
    """The four kinds of behaviors, doing work of the size that is asked for."""

    def __init__(self):
        self.work = Work()

    async def unary_unary(self, request, context):
        await self.work(int(request))
        return "done"

    async def unary_stream(self, request, context):
        yield "started"
        await self.work(int(request))
        yield "done"

    async def stream_unary(self, requests, context):
        async for request in requests:
            await self.work(int(request))
        return "done"

    async def stream_stream(self, requests, context):
        async for request in requests:
            yield "started"
            await self.work(int(request))
        yield "done"

    async def written(self, request, context):
        await context.write("started")
        await self.work(int(request))
        await context.write("done")
