"""The benchmarks of servers: they run, and they judge what they measure as they say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("uvloop")
pytest.importorskip("httptools")

from children import answer_of

ROOT = Path(__file__).parents[1]


def run(program, *options):
    """Run a program to its end; return its table as a list of cells by column, and its status."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", f"benchmarks.servers.{program}", *map(str, options)],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert lines, done.stdout + done.stderr
    heads, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return [dict(zip(heads, row, strict=True)) for row in rows], done


@pytest.mark.parametrize("program", ["exactness", "soak", "throughput", "clients", "rough"])
def test_every_program_says_how_it_is_used(program):
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.servers.{program}", "--help"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.startswith("usage: ")


@pytest.mark.slow
def test_throughput_is_compared_in_pairs():
    rows, done = run("throughput", "--pairs=1", "--turns=1", "--route=small", "--cpu")
    assert [row["measured by"] for row in rows] == ["nothing", "hooks", "allocmeter", "tracemalloc"]
    for row in rows:
        assert float(row["CPU µs each"].replace(",", "")) > 0
        for what in ("throughput", "CPU"):
            assert row[f"{what} range"] == f"{row[f'{what} ratio']} to {row[f'{what} ratio']}"
    assert rows[0]["throughput ratio"] == rows[0]["CPU ratio"] == "1.000"
    assert done.returncode == (float(rows[2]["CPU ratio"]) < 0.95)
    assert done.stdout.startswith("CPython")
    assert "pair 1 of 1" in done.stderr


@pytest.mark.slow
def test_exactness_is_shown_for_every_route():
    rows, done = run(
        "exactness", "--seconds=2", "--clients=8", "--alone=60", "--server=uvicorn-h11-asyncio"
    )
    assert len({row["route"] for row in rows}) == len(rows) == 10
    for row in rows:
        for quantity in ("bytes", "blocks"):
            for when in ("alone", "alone, lists empty", "under load"):
                assert int(row[f"{quantity} {when}"].replace(",", "")) > 0
    assert done.returncode == any("different" in row["bytes are"] for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["calls", "uvicorn"])
def test_a_soak_samples_what_the_library_needs(way, tmp_path):
    path = tmp_path / "samples.json"
    rows, done = run("soak", "--minutes=0.06", "--every=0.05", f"--over={way}", f"--samples={path}")
    assert [row["memory"] for row in rows] == ["own", "tables", "rss"]
    samples = json.loads(path.read_text(encoding="utf-8"))[way]
    requests = [sample[0] for sample in samples]
    assert requests == sorted(requests)
    assert requests[-1] > 30
    for name in ("GET /small", "WS /echo", "GET /failing", "GET (unmatched)"):
        assert f" {name}" in done.stdout


def judged(code):
    """Run code with the modules of the benchmarks at hand, and return what it prints."""
    return answer_of(f"import json, sys\nsys.path.insert(0, {str(ROOT)!r})\n" + code)


def test_one_percent_is_what_may_differ():
    expected = {
        ("GET /small", 10_090): "equal",
        ("GET /small", 9_910): "equal",
        ("GET /small", 10_110): "**different**",
        ("GET /small", 9_890): "**different**",
        ("GET /holding", 11_000): "between",
        ("GET /holding", 12_200): "**different**",
        ("GET /holding", 9_800): "**different**",
    }
    code = f"""
from benchmarks.servers.exactness import Row
rows = [
    Row("a server", route, 1000, (10_000, 100), (12_000, 120), (loaded, 100))
    for route, loaded in {list(expected)}
]
print(json.dumps([row.verdict() for row in rows]))
"""
    assert judged(code) == list(expected.values())


def test_growth_is_told_from_ups_and_downs():
    flat = {
        "lambda n: 500_000": True,
        "lambda n: 500_000 + 4_000 * (n % 7)": True,
        "lambda n: 500_000 + 200_000 * (n > 20)": True,
        "lambda n: 500_000 + 4_000 * (n % 7) + 2_000 * n": False,
    }
    code = f"""
from benchmarks.servers.soak import Sample, rows
print(json.dumps([
    rows("calls", [Sample(1000 * n, own(n), 90_000, 10**7 + 4096 * n) for n in range(1, 99)])[1]
    for own in [{", ".join(flat)}]
]))
"""
    assert judged(code) == list(flat.values())


def test_a_failed_request_ends_the_measurement():
    code = """
import socket, threading
from benchmarks.servers import clients
listener = socket.create_server(("127.0.0.1", 0))

def serve():
    connection, _ = listener.accept()
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 500 Internal Server Error\\r\\nContent-Length: 0\\r\\n\\r\\n")
    connection.close()

threading.Thread(target=serve).start()
process = clients.start(listener.getsockname()[1], 1, each=1, routes=["GET /small"])
try:
    clients.answers(process)
except RuntimeError as error:
    print(json.dumps(str(error)))
"""
    assert judged(code).startswith("1 requests failed, the first one: HTTP/1.1 500")
