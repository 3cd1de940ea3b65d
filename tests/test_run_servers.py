"""Real servers under `allocmeter run`: loaded, stopped by a signal, and none the wiser."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

import pytest

from run_helpers import PROGRAMS, UNTRACED, allocmeter, environment, finish, names, start, stop

pytest.importorskip("aiohttp")
pytest.importorskip("uvicorn")
pytest.importorskip("gunicorn")
pytest.importorskip("uvicorn_worker")

SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
REQUESTS = 20


@pytest.fixture
def socket_path():
    # A socket's path may have 107 characters; pytest's are longer.
    directory = tempfile.mkdtemp(prefix="am")
    yield Path(directory) / "s"
    shutil.rmtree(directory)


def connected(path, process):
    """Return a connection, as soon as the server accepts one."""
    deadline = time.monotonic() + 60
    while True:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(str(path))
        except OSError:
            client.close()
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        else:
            return client


def get(path, process, target):
    """Send one request and return status line and body."""
    with connected(path, process) as client:
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        with client.makefile("rb") as answer:
            text = answer.read().decode()
    return text.split("\r\n")[0], text.split("\r\n\r\n", 1)[1]


def serve(command, path, number, workers):
    """Start a server, send it requests, stop it; return the answers and how it ended."""
    path.unlink(missing_ok=True)
    # gunicorn leaves files in the user's directory.
    home = environment(HOME=str(path.parent))
    with start(command, cwd=PROGRAMS, start_new_session=True, env=home, **UNTRACED) as process:
        try:
            seen = set()
            while len(seen) < workers:  # or the signal may come before the last one can take it
                seen.add(get(path, process, "/pid")[1])
            answers = [
                get(path, process, target)
                for target in ["/hello", "/keep"] * (REQUESTS // 2) + ["/fail", "/nowhere"]
            ]
            if number == signal.SIGINT:  # as a terminal does
                os.killpg(process.pid, number)
                return answers, finish(process)
            return answers, stop(process, number)
        finally:
            process.kill()


def neutral(text):
    """Remove what differs from run to run: times, process ids, addresses, who was first."""
    text = re.sub(r".*Worker (exiting )?\(pid:? ?\d+\)( was sent .*)?\n", "", text)
    text = re.sub(r"\d{2}:\d{2}:\d{2}|\d{4}-\d{2}-\d{2}|0x[0-9a-f]+|[+-]\d{4}", "N", text)
    text = re.sub(r'  File "<frozen runpy>".*\n', "", text)
    return sorted(re.sub(r"\d+", "N", text).splitlines())


def compare_servers(program, socket_path, tmp_path, number, workers=1):
    file = tmp_path / "r.json"
    plain = serve([sys.executable, *program], socket_path, number, workers)
    watched = serve(allocmeter("-q", "-o", file, *program), socket_path, number, workers)
    if workers > 1:  # which one answers is chance
        for answers, _ in (plain, watched):
            answers[:] = sorted(status for status, _ in answers)
    assert watched[0] == plain[0]
    assert watched[1].status == plain[1].status
    assert neutral(watched[1].stdout) == neutral(plain[1].stdout)
    assert neutral(watched[1].stderr) == neutral(plain[1].stderr)
    return plain[1], json.loads(file.read_text())


@SIGNALS
def test_an_aiohttp_server_stops_as_without_us(socket_path, tmp_path, number):
    program = [PROGRAMS / "aiohttp_app.py", socket_path]
    ended, report = compare_servers(program, socket_path, tmp_path, number)
    assert ended.stdout == "cleaned up 10\n"
    row = next(row for row in report["scopes"] if row["name"] == "load")
    assert row["count"] == 10
    # The event loop's queue may have grown in one of them.
    assert 0 <= row["retained_bytes"] - 10 * 10_033 < 2_000


@SIGNALS
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_uvicorn_server_stops_as_without_us(socket_path, tmp_path, number, loop):
    program = ["-m", "uvicorn", "--uds", socket_path, "--loop", loop, "starlette_app:app"]
    ended, report = compare_servers(program, socket_path, tmp_path, number)
    # uvicorn repeats the signal when it is done, with the handlers that were there before.
    assert ended.status == (0 if number == signal.SIGINT else -number)
    assert {"load", "RequestResponseCycle.run_asgi"} <= set(names(report))
    row = next(row for row in report["scopes"] if row["name"] == "load")
    assert row["count"] == 10
    # The event loop's queue may have grown in one of them.
    assert 0 <= row["retained_bytes"] - 10 * 10_033 < 2_000


@SIGNALS
@pytest.mark.parametrize(
    ("worker", "app"),
    [("uvicorn_worker.UvicornWorker", "starlette_app:app"), ("sync", "wsgi_app:app")],
)
def test_each_worker_of_gunicorn_reports(socket_path, tmp_path, number, worker, app):
    program = ["-m", "gunicorn", "-w", "2", "-k", worker, "-b", f"unix:{socket_path}", app]
    compare_servers(program, socket_path, tmp_path, number, workers=2)
    reports = [json.loads(path.read_text()) for path in tmp_path.glob("r.*.json")]
    assert len(reports) == 2
    if worker != "sync":
        loads = [row for report in reports for row in report["scopes"] if row["name"] == "load"]
        assert sum(row["count"] for row in loads) == 10
        assert 0 <= sum(row["retained_bytes"] for row in loads) - 10 * 10_033 < 4_000
