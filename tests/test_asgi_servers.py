"""The ASGI middleware in real servers: under load, each route costs what it costs alone."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

from test_asgi_served import REPORTS, REQUESTS

HERE = Path(__file__).parent
UVICORN = ["uvicorn", "--log-level", "warning", "--uds"]
GUNICORN = ["gunicorn", "--log-level", "warning", "-w", "2", "-k", "uvicorn_worker.UvicornWorker"]
SERVERS = {
    "uvicorn-h11-asyncio": [*UVICORN, "{}", "--http", "h11", "--loop", "asyncio"],
    "uvicorn-h11-uvloop": [*UVICORN, "{}", "--http", "h11", "--loop", "uvloop"],
    "uvicorn-httptools-asyncio": [*UVICORN, "{}", "--http", "httptools", "--loop", "asyncio"],
    "uvicorn-httptools-uvloop": [*UVICORN, "{}", "--http", "httptools", "--loop", "uvloop"],
    "hypercorn-trio": ["hypercorn", "--log-level", "warning", "-k", "trio", "-b", "unix:{}"],
    "gunicorn-2-workers": [*GUNICORN, "-b", "unix:{}"],
}
NEEDED = {"httptools": "httptools", "hypercorn": "hypercorn", "gunicorn": "uvicorn_worker"}
ALONE = 25  # requests to each route, one after the other
CLIENTS = 24
ROUNDS = 4  # of all routes, by each client


@pytest.fixture(params=SERVERS)
def server(request):
    for part, module in NEEDED.items():
        if part in request.param:
            pytest.importorskip(module)
    return SERVERS[request.param]


@pytest.fixture
def directory():
    # A socket's path may have 107 characters; pytest's are longer.
    path = Path(tempfile.mkdtemp(prefix="am"))
    yield path
    shutil.rmtree(path)


def served(server, directory, load):
    """Run a load against a server; return the reports of its processes once it was stopped."""
    reports, address = directory / "reports", directory / "s"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir()
    address.unlink(missing_ok=True)
    command = [part.format(address) for part in server]
    with subprocess.Popen(
        [sys.executable, "-m", *command, "test_asgi_served:app"],
        cwd=HERE,
        env={**os.environ, REPORTS: str(reports), "HOME": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            asyncio.run(after_start(address, process, load))
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    found = [json.loads(path.read_text(encoding="utf-8")) for path in reports.iterdir()]
    assert found, output
    return [{row["name"]: row for row in report["scopes"]} for report in found], output


async def after_start(address, process, load):
    deadline = time.monotonic() + 60
    while True:
        try:
            _, writer = await asyncio.open_unix_connection(address)
        except OSError:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        else:
            writer.close()
            break
    await load(address)


async def fetch(connection, method, path):
    """Send one request on a connection that is kept alive; return the status of the answer."""
    reader, writer = connection
    content = b"x" * 3_000 if method == "POST" else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content)
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if line)
    if "content-length" in headers:
        await reader.readexactly(int(headers["content-length"]))
    else:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return int(status.split()[1])


async def one_after_the_other(address):
    connection = await asyncio.open_unix_connection(address)
    for method, path, _ in REQUESTS:
        for _ in range(ALONE):
            await fetch(connection, method, path)
    connection[1].close()


async def all_at_once(address):
    async def client(first):
        connection = await asyncio.open_unix_connection(address)
        for number in range(ROUNDS * len(REQUESTS)):
            method, path, _ = REQUESTS[(first + number) % len(REQUESTS)]
            statuses.append((path, await fetch(connection, method, path)))
        connection[1].close()

    statuses = []
    await asyncio.gather(*(client(first) for first in range(CLIENTS)))
    assert len(statuses) == CLIENTS * ROUNDS * len(REQUESTS)
    assert {status for path, status in statuses if path != "/nowhere"} == {200}


@pytest.mark.slow
@pytest.mark.exact
def test_under_load_each_route_costs_what_it_costs_alone(server, directory):
    alone, _ = served(server, directory, one_after_the_other)
    loaded, output = served(server, directory, all_at_once)
    assert output == ""
    for _, _, name in REQUESTS:
        rows = [report[name] for report in loaded if name in report]
        assert sum(row["count"] for row in rows) == CLIENTS * ROUNDS
        assert [(row["errors"], row["cancelled"]) for row in rows] == [(0, 0)] * len(rows), name
        expected = next(report[name] for report in alone if name in report)
        # A worker that few connections went to has hardly warmed up.
        warm = [row for row in rows if row["count"] >= ALONE]
        assert warm
        for row in warm:
            median = row["bytes_allocated"]["p50"]
            # Quantiles are read off a histogram with steps of 3 %: 1 % and half a step.
            assert median == pytest.approx(expected["bytes_allocated"]["p50"], rel=0.025), name
    rows = [report["GET /background"] for report in loaded if "GET /background" in report]
    late = sum(row["late_bytes_allocated"] for row in rows)
    assert late >= CLIENTS * ROUNDS * 100_000
    assert sum(report["lifespan startup"]["count"] for report in loaded) == len(loaded)


async def pipelined(address):
    """Send requests before the answers to earlier ones are there, in one piece and another."""
    reader, writer = await asyncio.open_unix_connection(address)
    get = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
    for _ in range(20):
        writer.write(get % b"thread" + get % b"small" + get % b"nowhere")
        for _ in range(3):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next(line for line in head.split("\r\n") if line.startswith("content-length"))
            await reader.readexactly(int(length.split()[1]))
    writer.close()


@pytest.mark.exact
@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_a_pipelined_request_is_no_work_of_the_one_before(directory, http):
    if http == "httptools":
        pytest.importorskip("httptools")
    server = [*UVICORN, "{}", "--http", http]
    (report,), output = served(server, directory, pipelined)
    assert output == ""
    assert [report[name]["count"] for name in ("GET /thread", "GET /small")] == [20, 20]
    assert report["GET /small"]["bytes_allocated"]["p50"] < 50_000
    assert report["GET (unmatched)"]["late_bytes_allocated"] < 50_000
