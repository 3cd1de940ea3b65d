"""Fifty tests of async code as projects have them, to be measured again and again.

Tasks, streams, timers, locks, cancellation, generators, ASGI, JSON: work that is the same each time,
and one worker thread, which is not. Twenty-five bodies, each on asyncio and on trio.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import re
import string
import textwrap

import anyio
import anyio.to_thread
import pytest
from anyio.streams.stapled import StapledObjectStream
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


async def hello(request):
    return JSONResponse({"hello": request.query_params.get("name", "world")})


async def rows(request):
    async def lines():
        for number in range(20):
            yield json.dumps({"row": number}) + "\n"

    return StreamingResponse(lines())


APP = Starlette(routes=[Route("/hello", hello), Route("/rows", rows)])


async def call(path, query=b""):
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(b"host", b"test")],
    }
    sent, requests = [], [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        return requests.pop() if requests else await anyio.sleep_forever()

    async def send(message):
        sent.append(message)

    await APP(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


async def test_asgi_answer():
    for number in range(5):
        status, body = await call("/hello", b"name=%d" % number)
        assert (status, json.loads(body)) == (200, {"hello": str(number)})


async def test_asgi_stream():
    status, body = await call("/rows")
    assert [json.loads(line)["row"] for line in body.splitlines()] == list(range(20))


async def test_asgi_not_found():
    assert (await call("/nothing"))[0] == 404


async def test_asgi_concurrently():
    answers = []

    async def get(number):
        answers.append(await call("/hello", b"name=%d" % number))

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(get, number)
    assert len(answers) == 8


async def test_objects_through_a_stream():
    send, receive = anyio.create_memory_object_stream(0)

    async with anyio.create_task_group() as tasks, send, receive:
        for number in range(20):
            tasks.start_soon(send.send, {"number": number})
        found = [(await receive.receive())["number"] for _ in range(20)]
    assert sorted(found) == list(range(20))


async def test_stapled_streams():
    there, here = anyio.create_memory_object_stream(10)
    both = StapledObjectStream(there, here)
    for number in range(10):
        await both.send(str(number))
    assert [await both.receive() for _ in range(10)] == [str(number) for number in range(10)]
    await both.aclose()


async def test_events_in_a_chain():
    events = [anyio.Event() for _ in range(20)]

    async def pass_on(number):
        await events[number].wait()
        events[number + 1].set()

    async with anyio.create_task_group() as tasks:
        for number in range(19):
            tasks.start_soon(pass_on, number)
        events[0].set()
    assert events[-1].is_set()


async def test_started_tasks():
    async def serve(number, *, task_status):
        task_status.started(number * 2)
        await anyio.sleep(0)

    async with anyio.create_task_group() as tasks:
        found = [await tasks.start(serve, number) for number in range(10)]
    assert found == [number * 2 for number in range(10)]


async def test_shielded_cleaning_up():
    cleaned = []

    async def work():
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0)
                cleaned.append(json.dumps({"cleaned": True}))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(work)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert len(cleaned) == 5


async def test_context_managers():
    @contextlib.asynccontextmanager
    async def opened(number):
        await anyio.sleep(0)
        yield [number] * 10

    async with contextlib.AsyncExitStack() as stack:
        found = [await stack.enter_async_context(opened(number)) for number in range(10)]
    assert len(found) == 10


async def test_rendering():
    template = string.Template("$name has $count items\n")
    text = "".join(template.substitute(name=f"n{number}", count=number) for number in range(50))
    await anyio.sleep(0)
    assert len(text.splitlines()) == 50


async def test_records():
    rows = [{"id": number, "name": f"name {number}", "tags": ["a", "b"]} for number in range(200)]
    await anyio.sleep(0)
    assert json.loads(json.dumps(rows)) == rows


async def test_many_tasks():
    results = []

    async def work(number):
        await anyio.sleep(0)
        results.append(number * number)

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(work, number)
    assert sum(results) == 328350


async def test_producer_and_consumer():
    send, receive = anyio.create_memory_object_stream(5)
    found = []

    async def consume():
        async with receive:
            async for item in receive:
                found.append(item)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(consume)
        async with send:
            for number in range(50):
                await send.send({"number": number})
    assert len(found) == 50


async def test_worker_threads():
    def work(number):
        return hashlib.sha256(str(number).encode()).hexdigest()

    found = [await anyio.to_thread.run_sync(work, number) for number in range(5)]
    assert len(set(found)) == 5


async def test_timeout():
    with anyio.move_on_after(0.01) as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught


async def test_fails_after():
    with pytest.raises(TimeoutError), anyio.fail_after(0.01):
        await anyio.sleep(10)


async def test_sleeping():
    for _ in range(5):
        await anyio.sleep(0.001)


async def test_lock_and_condition():
    lock, condition, order = anyio.Lock(), anyio.Condition(), []

    async def wait(number):
        async with lock:
            order.append(number)
        async with condition:
            await condition.wait()
            order.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(wait, number)
        await anyio.wait_all_tasks_blocked()
        async with condition:
            condition.notify_all()
    assert len(order) == 20


async def test_semaphore():
    semaphore, running, most = anyio.Semaphore(3), set(), 0

    async def work(number):
        nonlocal most
        async with semaphore:
            running.add(number)
            most = max(most, len(running))
            await anyio.sleep(0)
            running.discard(number)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(work, number)
    assert most == 3


async def test_cancelled_tasks():
    ended = []

    async def wait():
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(1)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert len(ended) == 10


async def test_exception_groups():
    async def fail(number):
        raise ValueError(number)

    async def fail_together():
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(fail, number)

    with pytest.raises(ExceptionGroup) as caught:
        await fail_together()
    assert len(caught.value.exceptions) == 3


async def test_async_generators():
    async def count(limit):
        for number in range(limit):
            await anyio.sleep(0)
            yield str(number)

    assert [word async for word in count(30)] == [str(number) for number in range(30)]


async def test_parsing():
    text = textwrap.dedent("    key = value\n    other = 2\n") * 20
    found = re.findall(r"^(?P<key>\w+) *= *(?P<value>\w+)$", text, re.MULTILINE)
    await anyio.sleep(0)
    assert len(found) == 40


async def test_dataclasses_and_caches():
    @dataclasses.dataclass
    class Point:
        x: int
        y: int = 0

    @functools.cache
    def distance(x, y):
        return (x * x + y * y) ** 0.5

    points = [Point(number % 7, number % 5) for number in range(200)]
    await anyio.sleep(0)
    assert max(distance(point.x, point.y) for point in points) > 7
