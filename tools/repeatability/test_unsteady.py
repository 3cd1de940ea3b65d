"""Tests whose figures depend on more than their code, to see by how much.

On the clock (httpx notes how long a request took, and small numbers are made once for ever), on what
arrives when (sockets, worker threads), on addresses and hashes (context variables, sets of words).
"""

from __future__ import annotations

import contextlib
import contextvars
import gzip
import io
import json
import string

import anyio
import anyio.abc
import anyio.from_thread
import anyio.to_thread
import httpx
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from test_steady import APP, anyio_backend  # noqa: F401 - a fixture

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client():
    transport = httpx.ASGITransport(app=APP)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
async def server():
    async def serve(stream):
        async with stream:
            with contextlib.suppress(anyio.EndOfStream):
                while True:
                    await stream.send(await stream.receive())

    async with anyio.create_task_group() as tasks:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        tasks.start_soon(listener.serve, serve)
        yield listener.extra(anyio.abc.SocketAttribute.local_address)
        tasks.cancel_scope.cancel()
    await listener.aclose()


async def test_requests(client):
    for number in range(5):
        response = await client.get("/hello", params={"name": str(number)})
        assert response.json() == {"hello": str(number)}


async def test_streamed_response(client):
    response = await client.get("/rows")
    assert [json.loads(line)["row"] for line in response.text.splitlines()] == list(range(20))


async def test_not_found(client):
    assert (await client.get("/nothing")).status_code == 404


async def test_concurrent_requests(client):
    answers = []

    async def get(number):
        answers.append((await client.get("/hello", params={"name": str(number)})).json())

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(get, number)
    assert len(answers) == 8


async def test_tcp_echo(server):
    async with await anyio.connect_tcp(*server) as stream:
        for word in (b"one", b"two", b"three"):
            await stream.send(word)
            assert await stream.receive() == word


async def test_tcp_lines(server):
    async with await anyio.connect_tcp(*server) as stream:
        await stream.send(b"one line\nanother\n")
        lines = BufferedByteReceiveStream(stream)
        assert await lines.receive_until(b"\n", 100) == b"one line"
        assert await lines.receive_until(b"\n", 100) == b"another"


async def test_concurrent_worker_threads():
    found = []

    async def work(number):
        found.append(await anyio.to_thread.run_sync(json.dumps, list(range(number))))

    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(work, number)
    assert len(found) == 4


async def test_back_from_a_thread():
    def work():
        anyio.from_thread.run(anyio.sleep, 0)
        return 7

    assert await anyio.to_thread.run_sync(work) == 7


async def test_context_variables():
    variable = contextvars.ContextVar("variable", default=0)
    found = set()

    async def work(number):
        variable.set(number)
        await anyio.sleep(0)
        found.add(variable.get())

    async with anyio.create_task_group() as tasks:
        for number in range(16):
            tasks.start_soon(work, number)
    assert found == set(range(16))


async def test_compression():
    data = json.dumps([{"id": number, "name": f"n{number}"} for number in range(500)]).encode()
    packed = await anyio.to_thread.run_sync(gzip.compress, data)
    assert gzip.GzipFile(fileobj=io.BytesIO(packed)).read() == data


async def test_files(tmp_path):
    path = anyio.Path(tmp_path) / "file.txt"
    await path.write_text("some text\n" * 100)
    async with await anyio.open_file(path) as file:
        assert len([line async for line in file]) == 100
    await path.unlink()
    assert not await path.exists()


async def test_words_in_sets():
    words = {a + b for a in string.ascii_lowercase for b in string.ascii_lowercase}
    await anyio.sleep(0)
    assert len(sorted(words | {word.upper() for word in words})) == 1352
