"""Servers in processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from benchmarks.paths import ROOT
from benchmarks.servers.application import MEASURED_BY
from benchmarks.servers.traffic import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_UVICORN: Final = "uvicorn --log-level warning --no-access-log --backlog 1024 --port {port}"
_COMMANDS: Final = {
    "uvicorn-h11-asyncio": f"{_UVICORN} --http h11 --loop asyncio",
    "uvicorn-h11-uvloop": f"{_UVICORN} --http h11 --loop uvloop",
    "uvicorn-httptools-asyncio": f"{_UVICORN} --http httptools --loop asyncio",
    "uvicorn-httptools-uvloop": f"{_UVICORN} --http httptools --loop uvloop",
    "hypercorn-trio": (
        "hypercorn --log-level warning -k trio --keep-alive 60 --backlog 1024 -b 127.0.0.1:{port}"
    ),
    "gunicorn-2-workers": (
        "gunicorn --log-level warning -w 2 -k uvicorn_worker.UvicornWorker --backlog 1024"
        " --no-control-socket -b 127.0.0.1:{port}"
    ),
}
SERVERS: Final = tuple(_COMMANDS)
_ANY: Final = ROUTES["GET (unmatched)"]
SERVED: Final = "benchmarks.servers.served:app"
_START, _STOP = 60.0, 30.0  # seconds


class Server:
    """A server that runs.

    Attributes:
        name: one of `SERVERS`.
        port: on 127.0.0.1.
        pid: of the process that was started.
    """

    def __init__(self, name: str, port: int, process: subprocess.Popen[str]) -> None:
        self.name = name
        self.port = port
        self.pid = process.pid
        self._process = process

    def cpu_seconds(self) -> float:
        """Return the time that the process, and not its children, has computed."""
        # The clock that clock_getcpuclockid(3) gives for another process.
        return time.clock_gettime((~self.pid << 3) | 2)

    def wait_until_it_serves(self) -> None:
        deadline = time.monotonic() + _START
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=_START) as found:
                    found.sendall(_ANY.encoded())
                    if found.recv(100):
                        return
            except OSError:
                pass
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not start: {self.stop()}")
            time.sleep(0.02)

    def stop(self) -> str:
        """End it as an operator would, and return what it printed."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            output, _ = self._process.communicate(timeout=_STOP)
        finally:
            self._process.kill()
        return output


def start(
    name: str, measured_by: str, *, cpu: int | None = None, env: Mapping[str, str] | None = None
) -> Server:
    """Start a server, and wait until it serves.

    Args:
        name: one of `SERVERS`.
        measured_by: as in `application.py`.
        cpu: where to run it and its children; anywhere if `None`.
        env: further variables of its environment.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            *_COMMANDS[name].format(port=port).split(),
            SERVED,
        ],
        cwd=ROOT,
        env={**os.environ, **(env or {}), MEASURED_BY: measured_by},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    pin(process.pid, cpu)
    server = Server(name, port, process)
    server.wait_until_it_serves()
    return server


@contextmanager
def served(
    name: str, measured_by: str, *, cpu: int | None = None, env: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run a server for a block."""
    server = start(name, measured_by, cpu=cpu, env=env)
    try:
        yield server
    except BaseException as error:
        error.add_note(f"{name} said: {server.stop()}")
        raise
    server.stop()


def pin(pid: int, cpu: int | None) -> None:
    """Keep a process that has just been started on one CPU."""
    if cpu is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, {cpu})


def two_cpus() -> tuple[int | None, int | None]:
    """Return one CPU for a server and one for its clients, `None` where there is one for both."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (usable[0], usable[-1]) if len(usable) > 1 else (None, None)


def machine() -> str:
    """Return what the figures were measured on."""
    import platform

    return (
        f"CPython {platform.python_version()}, {sys.platform} {platform.machine()}, "
        f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the end"
    )
