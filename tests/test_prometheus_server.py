"""A real Prometheus server scrapes a service with several workers and answers for each route."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

import pytest

pytest.importorskip("gunicorn")
pytest.importorskip("starlette")
pytest.importorskip("uvicorn_worker")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed"),
]

SERVICE = """
import contextlib, os
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from allocmeter.integrations.asgi import AllocationMiddleware
from allocmeter.integrations.prometheus import export_metrics

kept = []

def item(request):
    kept.append(bytes(1000))
    return PlainTextResponse(str(os.getpid()))

def big(request):
    return PlainTextResponse("x" * 1_000_000)

def metrics(request):
    clients = CollectorRegistry()
    MultiProcessCollector(clients)
    return Response(generate_latest(clients), media_type=CONTENT_TYPE_LATEST)

@contextlib.asynccontextmanager
async def lifespan(app):
    async with export_metrics(0.2):
        yield

routes = [Route("/items/{id}", item), Route("/big", big), Route("/metrics", metrics)]
app = AllocationMiddleware(Starlette(routes=routes, lifespan=lifespan))
"""

# Loopback is asked directly, whatever proxy the environment names.
_open = build_opener(ProxyHandler({})).open


def fetch(url, **query):
    """Return the body of a resource, as soon as there is a server."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with _open(f"{url}?{urlencode(query)}", timeout=20) as answer:
                return answer.read().decode()
        except (URLError, ConnectionError):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def running(*command, **options):
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options
    )
    try:
        yield process
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=60)
        print(errors.decode()[-4000:])


@pytest.fixture
def service(tmp_path):
    (tmp_path / "service.py").write_text(SERVICE)
    (tmp_path / "shared").mkdir()
    port = free_port()
    with running(
        *(sys.executable, "-m", "gunicorn", "-w", "2", "-k", "uvicorn_worker.UvicornWorker"),
        *("-b", f"127.0.0.1:{port}", "service:app"),
        cwd=tmp_path,
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "shared")},
    ):
        yield f"127.0.0.1:{port}"


@pytest.fixture
def prometheus(service, tmp_path):
    jobs = [{"job_name": "service", "static_configs": [{"targets": [service]}]}]
    settings = {"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}
    (tmp_path / "prometheus.yml").write_text(json.dumps(settings))  # YAML contains JSON
    address = f"127.0.0.1:{free_port()}"
    with running(
        "prometheus",
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={address}",
        cwd=tmp_path,
    ):
        yield f"http://{address}/api/v1/query"


def test_it_answers_for_each_route(service, prometheus):
    fetched, workers = 0, set()
    with ThreadPoolExecutor(8) as clients:
        while len(workers) < 2:
            assert fetched < 100_000
            urls = [f"http://{service}/items/{number}" for number in range(100)]
            workers.update(clients.map(fetch, urls))
            fetched += len(urls)
    for _ in range(20):
        fetch(f"http://{service}/big")

    def ask(expression):
        found = json.loads(fetch(prometheus, query=expression))["data"]["result"]
        return {
            tuple(one["metric"].get(label) for label in ("scope", "method", "route")): float(
                one["value"][1]
            )
            for one in found
        }

    big, items = ("GET /big", "GET", "/big"), ("GET /items/{id}", "GET", "/items/{id}")
    deadline = time.monotonic() + 60
    # Next to what the first requests import, it takes some more until a leak is one.
    while ask("allocmeter_leaking").get(items) != 1:
        assert time.monotonic() < deadline
        for number in range(100):
            fetch(f"http://{service}/items/{number}")
        fetched += 100
    counts = {}
    while (counts.get(items), counts.get(big)) != (fetched, 20):
        assert time.monotonic() < deadline, counts
        time.sleep(0.2)
        counts = ask("allocmeter_scope_allocated_bytes_count")
    allocated = ask("allocmeter_allocated_bytes_total")
    assert allocated[items] >= fetched * 1000  # the first requests import, so no upper bound
    assert allocated[big] >= 20 * 1_000_000
    assert ask("allocmeter_retained_bytes")[items] >= fetched * 1000
    assert ask("allocmeter_leaking")[big] == 0
    medians = ask(
        "histogram_quantile(0.5, sum by (le, scope, method, route) "
        "(allocmeter_scope_allocated_bytes_bucket))"
    )
    assert medians[big] > 10 * medians[items]
    check = subprocess.run(
        ["promtool", "check", "metrics"],
        input=fetch(f"http://{service}/metrics"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")
