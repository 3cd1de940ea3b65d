"""Calls of a grpc.aio server, and what was measured: a program for `test_grpc.py`.

grpc starts threads that outlive its servers, so it gets a process of its own: other tests fork.

`run(LOOP)` prints a JSON object with what each of the functions in `SCENES` returned.
"""

from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import grpc
import uvloop
from grpc import aio

from allocmeter import Registry, measure, report
from allocmeter._core.figures import current_scope
from allocmeter.integrations import _served
from allocmeter.integrations.grpc import AllocationInterceptor
from allocmeter.integrations.tasks import instrument_tasks, uninstrument_tasks
from allocmeter.registry import default_registry
from blocks import untouched
from grpc_serving import KINDS, Working, answer, outcomes, serving
from operations import cost
from serving import LARGE, SMALL, STEPS, until

CALLS = 9


async def figures():
    """Every kind, with small and large blocks side by side and small ones alone."""
    found = {}
    for kind, name in [*((kind, kind) for kind in KINDS), ("unary_stream", "written")]:
        alone, beside = Working(), Working()
        async with serving({(kind, name): getattr(alone, name)}) as (_, call):
            for _ in range(CALLS):
                await answer(call(kind, name, f"{SMALL:>9}"))
        async with serving({(kind, name): getattr(beside, name)}) as (registry, call):
            for number in range(CALLS):
                # Some of the event loop's tables grow in the first task, or in the last.
                sizes = [SMALL if place == number % 3 else LARGE for place in range(3)]
                calls = [call(kind, name, f"{size:>9}") for size in sizes]
                answers = await asyncio.gather(*map(answer, calls))
        found[name] = {
            "answers": answers,
            "right bytes": beside.work.differs_by_its_blocks_alone(),
            "right peaks": beside.work.has_right_peaks(),
            "typical": [alone.work.typical(SMALL), beside.work.typical(SMALL)],
            "outcomes": outcomes(registry),
        }
    return found


async def ends():
    """Failures, aborts, cancellations by the client deadlines, unknown methods."""
    started, given_up = [], []

    async def fail(request, context):
        raise ValueError("on purpose")

    async def abort(request, context):
        await context.abort(grpc.StatusCode.NOT_FOUND, "on purpose")

    async def fail_in_stream(request, context):
        yield "started"
        raise ValueError("on purpose")

    async def abort_in_stream(request, context):
        yield "started"
        await context.abort(grpc.StatusCode.NOT_FOUND, "on purpose")

    async def wait(request, context):
        started.append(context)
        await asyncio.get_running_loop().create_future()

    async def wait_in_stream(request, context):
        yield "started"
        await wait(request, context)

    async def go_on(request, context):
        try:
            while True:
                yield "x" * 100_000  # soon more than may be on its way
        finally:
            given_up.append(current_scope())

    behaviors = {
        ("unary_unary", "fail"): fail,
        ("unary_unary", "abort"): abort,
        ("unary_stream", "fail_in_stream"): fail_in_stream,
        ("unary_stream", "abort_in_stream"): abort_in_stream,
        ("unary_unary", "wait"): wait,
        ("unary_stream", "wait_in_stream"): wait_in_stream,
        ("unary_stream", "go_on"): go_on,
        ("unary_unary", "time_out"): wait,
    }
    async with serving(behaviors) as (registry, call):
        answers = {name: await answer(call(kind, name)) for kind, name in list(behaviors)[:4]}
        for kind, name in list(behaviors)[4:6]:
            started.clear()
            waiting = call(kind, name)
            reading = asyncio.ensure_future(answer(waiting))
            await until(lambda: started)
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await reading
        going_on = call("unary_stream", "go_on")
        await going_on.read()
        going_on.cancel()
        await until(lambda: given_up)
        answers["time_out"] = await answer(call("unary_unary", "time_out", timeout=0.2))
        for number in range(20):
            answers["unknown"] = await answer(call("unary_unary", f"unknown{number}"))
        await until(lambda: len(registry) == len(behaviors) + 1)
        in_its_scope = given_up[0].name
    return {"answers": answers, "outcomes": outcomes(registry), "cleaned up in": in_its_scope}


async def plain_functions():
    """Behaviors that grpc runs in threads."""
    scopes = {}

    def block(request, context):
        scopes["block"] = current_scope()
        return str(len(untouched(int(request))))

    def blocks(request, context):
        scopes["blocks"] = current_scope()
        for _ in range(STEPS):
            yield str(len(untouched(int(request))))

    def fail(request, context):
        context.abort(grpc.StatusCode.NOT_FOUND, "on purpose")

    behaviors = {
        ("unary_unary", "block"): block,
        ("unary_stream", "blocks"): blocks,
        ("unary_unary", "fail"): fail,
    }
    with ThreadPoolExecutor(2) as threads:
        async with serving(behaviors, threads=threads) as (registry, call):
            answers = {name: await answer(call(kind, name, str(SMALL))) for kind, name in behaviors}
    allocated = {name: scope.stats.bytes_allocated // cost(SMALL) for name, scope in scopes.items()}
    return {"answers": answers, "outcomes": outcomes(registry), "blocks": allocated}


async def nesting():
    """Whether the scope around the server has its calls."""
    found = {}
    for nested in (False, True):
        working = Working()
        behaviors = {("unary_unary", "work"): working.unary_unary}
        with measure() as around:
            async with serving(behaviors, nested=nested) as (_, call):
                await answer(call("unary_unary", "work", str(LARGE)))
        found[str(nested)] = around.stats.bytes_allocated >= STEPS * LARGE
    return found


async def instrumented():
    """Tasks with scopes of their own."""
    default_registry().reset()
    instrument_tasks()
    behaviors = {("unary_unary", "work"): Working().unary_unary}
    async with serving(behaviors, registry=None) as (_, call):
        await answer(call("unary_unary", "work", str(LARGE)))
    uninstrument_tasks()
    rows = {row.name: row for row in report().rows}
    default_registry().reset()
    tasks = [row.bytes_allocated.max for name, row in rows.items() if name.startswith("_")]
    call = rows["/test.Test/work"]
    return {"calls": call.count, "most of a task": max(tasks), "call": call.bytes_allocated.max}


class Outer(aio.ServerInterceptor):
    """Looks at the behaviors, as the ones of other libraries do."""

    def __init__(self):
        self.kinds = set()

    async def intercept_service(self, continuation, handler_call_details):
        handler = await continuation(handler_call_details)
        for kind in KINDS:
            behavior = getattr(handler, kind)
            if behavior is not None:
                is_generator = asyncio.iscoroutinefunction(behavior)
                self.kinds.add(f"{kind} {'coroutine' if is_generator else 'generator'}")
        return handler


async def exclusion():
    """What is not measured, and that handlers stay what they were below other interceptors."""
    working, outer, registry = Working(), Outer(), Registry()
    behaviors = {(kind, kind): getattr(working, kind) for kind in KINDS}
    options = {"registry": registry, "exclude": ["/test.Test/unary_unary"]}
    inner = AllocationInterceptor(**options)
    async with serving(behaviors, interceptors=[outer, inner], registry=Registry()) as (_, call):
        for kind in KINDS:
            await answer(call(kind, kind, str(SMALL)))
    return {"kinds": sorted(outer.kinds), "names": sorted(registry)}


async def failures_of_ours():
    """Our part fails wherever a scope is opened."""
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logging.getLogger("allocmeter").addHandler(handler)
    genuine, _served.measure = _served.measure, None
    behaviors = {(kind, kind): getattr(Working(), kind) for kind in KINDS}
    async with serving(behaviors) as (registry, call):
        answers = [await answer(call(kind, kind, str(SMALL))) for kind in KINDS]
        unknown = await answer(call("unary_unary", "unknown"))
    _served.measure = genuine
    messages = [record.getMessage() for record in records]
    return {"answers": answers, "unknown": unknown, "log": messages, "names": list(registry)}


SCENES = [figures, ends, plain_functions, nesting, instrumented, exclusion, failures_of_ours]


async def main():
    return {scene.__name__: await scene() for scene in SCENES}


def eager_loop():
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop, "eager": eager_loop}


def run(loop):
    logging.getLogger("grpc._cython.cygrpc").disabled = True  # it logs failures of behaviors
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        print(json.dumps(runner.run(main())))
