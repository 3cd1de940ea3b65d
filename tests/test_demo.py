"""The demo: its input, its server under good and bad clients, and what a run of it finds."""

from __future__ import annotations

import asyncio
import io
import json
import re
import subprocess
import sys
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from allocmeter import cli
from allocmeter.demo import client, conclusion, runner
from allocmeter.demo.checks import ResponseChecker
from allocmeter.demo.corpus import FILES, LARGEST, SMALLEST, CorpusError, load_corpus
from allocmeter.demo.endpoints import ENDPOINTS
from allocmeter.demo.progress import Progress
from allocmeter.demo.protocol import LONGEST_LINE
from allocmeter.demo.server import DemoServer
from allocmeter.reports import Distribution, Report, ReportRow

QUIET = Progress(None, 0)
OPTIONS = runner.DemoOptions(requests=140, connections=8, seed=1, seconds=20)


@pytest.fixture
def anyio_backend(asyncio_only):
    return asyncio_only


@pytest.fixture(scope="module")
def sources():
    return load_corpus(1)


class Connection:
    """To a server that serves as long as `async with connected()` lasts."""

    def __init__(self, port, reader, writer):
        self.port, self.reader, self.writer = port, reader, writer

    async def ask(self, line):
        self.writer.write(line)
        return json.loads(await self.reader.readline())


@asynccontextmanager
async def connected(sources):
    async with DemoServer(sources).listening() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
        yield Connection(port, reader, writer)
        writer.close()
        await writer.wait_closed()


def request_for(sources, endpoint):
    return next(r for r in client.plan_requests(70, 1, sources) if r.endpoint == endpoint)


# The input


def test_a_seed_always_chooses_the_same_files(sources):
    assert load_corpus(1) == sources
    assert load_corpus(2).keys() != sources.keys()


def test_the_input_is_python_of_a_bounded_size(sources):
    assert len(sources) == FILES
    assert all(name.endswith(".py") for name in sources)
    assert all(SMALLEST <= len(text) <= LARGEST for text in sources.values())


def test_too_few_files_are_an_error_that_says_how_many_there_are(tmp_path):
    (tmp_path / "good.py").write_text("x = 1\n" * 1000)
    (tmp_path / "wide.py").write_text("x = 'é'\n" * 1000, encoding="utf-8")
    (tmp_path / "short.py").write_text("x = 1\n")
    (tmp_path / "other.txt").write_text("x = 1\n" * 1000)
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "skipped.py").write_text("x = 1\n" * 1000)
    with pytest.raises(CorpusError, match=rf"needs {FILES} Python source files .* has 1;"):
        load_corpus(1, str(tmp_path))


def test_requests_are_in_equal_shares_and_in_an_order_given_by_the_seed(sources):
    planned = client.plan_requests(1400, 1, sources)
    assert Counter(request.endpoint for request in planned) == dict.fromkeys(ENDPOINTS, 200)
    assert sorted(request.id for request in planned) == list(range(1400))
    assert sum(len(request.files) == FILES for request in planned) == 200 / client.ALL_FILES_EVERY
    assert client.plan_requests(1400, 1, sources) == planned
    assert client.plan_requests(1400, 2, sources) != planned


# The server


@pytest.mark.anyio
@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_each_endpoint_answers_what_the_client_expects(sources, endpoint):
    request = request_for(sources, endpoint)
    async with connected(sources) as connection:
        response = await connection.ask(request.encode())
    assert response["id"] == request.id
    assert ResponseChecker(sources).fault(request, response) is None


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\n", "not JSON"),
        (b"{\n", "not JSON"),
        (b"\xff\xfe\n", "not JSON"),
        (b"[" * 50_000 + b"\n", "not JSON"),
        (b"[1]\n", "a request is a JSON object"),
        (b'{"id": 1}\n', "unknown endpoint None"),
        (b'{"id": 1, "endpoint": "nope", "files": ["ast.py"]}\n', "unknown endpoint 'nope'"),
        (b'{"id": 1, "endpoint": ["tokens"]}\n', "unknown endpoint ['tokens']"),
        (b'{"id": 1, "endpoint": "tokens"}\n', "'files' must be a list"),
        (b'{"id": 1, "endpoint": "tokens", "files": []}\n', "'files' must be a list"),
        (b'{"id": 1, "endpoint": "tokens", "files": ["/etc/passwd"]}\n', "unknown file"),
        (b'{"id": 1, "endpoint": "tokens", "files": [{}]}\n', "unknown file {}"),
        (b'{"endpoint": "tokens", "files": ["x"]}\n', "'id' must be a whole number"),
        (b'{"id": true}\n', "'id' must be a whole number"),
        (b'{"id": -1}\n', "'id' must be a whole number"),
        (b"x" * LONGEST_LINE * 5 + b"\n", "at most 65,536 bytes"),
    ],
)
async def test_a_malformed_request_is_refused_and_the_connection_goes_on(sources, line, reason):
    good = request_for(sources, "digest")
    async with connected(sources) as connection:
        response = await connection.ask(line)
        assert response["id"] is None
        assert reason in response["error"]
        assert "result" in await connection.ask(good.encode())


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("change", "reason"),
    [({"start": -1}, "'start' must be a whole number"), ({"more": 1}, "unknown field 'more'")],
)
async def test_a_known_endpoint_does_not_make_a_bad_field_good(sources, change, reason):
    fields = json.loads(request_for(sources, "tokens").encode())
    async with connected(sources) as connection:
        response = await connection.ask(json.dumps(fields | change).encode() + b"\n")
    assert reason in response["error"]


@pytest.mark.anyio
async def test_an_endpoint_that_raises_is_an_error_response_and_the_server_goes_on(
    sources, monkeypatch, capsys
):
    async def broken(request, sources):
        raise ZeroDivisionError

    monkeypatch.setitem(ENDPOINTS, "tokens", broken)
    request = request_for(sources, "tokens")
    async with connected(sources) as connection:
        response = await connection.ask(request.encode())
        assert response == {"id": request.id, "error": "internal error: ZeroDivisionError()"}
        assert "result" in await connection.ask(request_for(sources, "outline").encode())
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.anyio
async def test_a_client_that_goes_away_does_not_disturb_the_others(sources):
    async with connected(sources) as connection:
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", connection.port)
            for endpoint in ENDPOINTS:
                writer.write(request_for(sources, endpoint).encode() * 5)
            writer.transport.abort()
            await asyncio.sleep(0.05)
        assert "result" in await connection.ask(request_for(sources, "words").encode())


@pytest.mark.anyio
async def test_a_client_that_does_not_read_is_not_served_without_end(sources, monkeypatch):
    served = 0
    text = "x" * 100_000

    async def counting(request, sources):
        nonlocal served
        served += 1
        return {"text": text}

    monkeypatch.setitem(ENDPOINTS, "tokens", counting)
    line = request_for(sources, "tokens").encode()
    sent = 500
    async with connected(sources) as connection:
        connection.writer.write(line * sent)
        await asyncio.sleep(0.5)
        assert 0 < served < sent
        for _ in range(sent):
            assert json.loads(await connection.reader.readline())["result"]["text"] == text
    assert served == sent


# What the client accepts


@pytest.mark.anyio
@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_a_wrong_response_does_not_pass(sources, endpoint):
    request = request_for(sources, endpoint)
    result = await ENDPOINTS[endpoint](request, sources)
    checker = ResponseChecker(sources)
    right = {"id": request.id, "result": json.loads(json.dumps(result))}
    assert checker.fault(request, right) is None
    wrong = {
        "tokens": {"kinds": {"NAME": 1}},
        "outline": {"classes": -1, "functions": 0},
        "summary": {"json": "[]"},
        "compress": {"bytes": 1, "crc32": 0},
        "words": {"common": {"def": 0}},
        "similar": {"share": 1.5},
        "digest": {"digest": "00"},
    }
    assert checker.fault(request, right | {"result": wrong[endpoint]}) == "the response is wrong"
    assert "cannot be read" in str(checker.fault(request, right | {"result": {}}))
    assert "is to request 999" in str(checker.fault(request, right | {"id": 999}))
    assert checker.fault(request, {"error": "no"}) == "refused: no"


def run_client(port):
    load = ["--requests=70", "--connections=4", "--seed=1", "--seconds=20"]
    return client.main([*load, f"--port={port}"])


async def loaded(sources, capsys):
    """What the client reports of 70 requests. On one thread: see CPython's issue 106905."""
    load = client.Load(client.plan_requests(70, 1, sources), ResponseChecker(sources))
    async with DemoServer(sources).listening() as port:
        await load.run(port, connections=4, seconds=20)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.anyio
async def test_the_client_reports_what_it_sent(sources, capsys):
    reports = await loaded(sources, capsys)
    assert reports[0]["sent"] == 0
    assert (reports[-1]["sent"], reports[-1]["failed"]) == (70, 0)
    assert reports[-1]["seconds"] > 0


@pytest.mark.anyio
async def test_the_client_describes_a_few_failures_and_counts_all(sources, capsys, monkeypatch):
    async def wrong(request, sources):
        return {}

    monkeypatch.setitem(ENDPOINTS, "similar", wrong)
    reports = await loaded(sources, capsys)
    assert (reports[-1]["sent"], reports[-1]["failed"]) == (70, 10)
    faults = [report["fault"] for report in reports if "fault" in report]
    assert len(faults) == client.FAULTS_SHOWN
    assert all(fault.startswith("similar of ") for fault in faults)


@pytest.mark.anyio
async def test_a_server_that_hangs_up_fails_the_client_with_a_message(capsys):
    async def hang_up(reader, writer):
        await reader.readline()
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await asyncio.to_thread(run_client, port) == 1
    assert capsys.readouterr().err == "demo client: the server closed the connection\n"


def test_a_client_without_a_server_fails_with_a_message(capsys):
    assert run_client(port=1) == 1
    output = capsys.readouterr()
    assert output.err.startswith("demo client: ")
    assert json.loads(output.out.splitlines()[-1])["sent"] == 0


# Whole runs


def run_command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "allocmeter", "demo", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_run_names_the_leaking_and_the_peaky_endpoint_and_saves_the_report(tmp_path):
    target = tmp_path / "report.json"
    process = run_command("--requests", "420", "--json", str(target))
    assert process.returncode == 0, process.stderr
    assert "Serving 48 source files" in process.stderr
    named = re.findall(r"^'(\w+)' (leaks|peaks): ", process.stdout, re.MULTILINE)
    assert named == [("similar", "leaks"), ("digest", "peaks")]
    assert re.search(r"^420 requests in \d+\.\d s: \d+ requests/s", process.stdout)
    assert "Bytes allocated by each of the 60 requests of 'digest':" in process.stdout
    assert "█" in process.stdout
    report = Report.from_json(target.read_text())
    assert {row.name: row.count for row in report.rows} == dict.fromkeys(ENDPOINTS, 60)
    assert all(row.errors == row.cancelled == 0 for row in report.rows)
    assert list(tmp_path.iterdir()) == [target]


def test_a_quiet_run_shows_no_progress_and_says_when_it_was_too_short():
    process = run_command("--requests", "14", "--quiet")
    assert process.returncode == 0
    assert process.stderr == ""
    assert "Too few requests to judge" in process.stdout


REPAIRED = """
import sys
from hashlib import blake2b
from allocmeter import cli
from allocmeter.demo import endpoints

class Forgetful(dict):
    def __setitem__(self, key, value):
        pass

async def digest(request, sources):
    hasher = blake2b(digest_size=16)
    for name in request.files:
        for number, line in enumerate(sources[name].splitlines(), 1):
            hasher.update(f"{name}:{number}:{line}\\n".encode())
    return {"digest": hasher.hexdigest()}

endpoints._fingerprints = Forgetful()
endpoints.ENDPOINTS["digest"] = digest
sys.exit(cli.main(["demo", "--requests", "280", "--quiet"]))
"""


def test_when_both_faults_are_repaired_no_endpoint_stands_out():
    process = subprocess.run(
        [sys.executable, "-c", REPAIRED], capture_output=True, text=True, timeout=60, check=False
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert "No endpoint stands out." in process.stdout


def test_the_place_of_a_saved_report_is_told(capsys, tmp_path):
    target = tmp_path / "report.json"
    target.write_text("an older report")
    assert cli.main(["demo", "--requests", "7", "--quiet", "--json", str(target)]) == 0
    assert capsys.readouterr().out.endswith(f"\n\nThe report is saved in {target}.\n")
    assert Report.from_json(target.read_text()).row("digest").count >= 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit(3)", "the client ended with status 3 after 0 of 35 requests"),
        ("print('what?')", "the client printed b'what?\\n' instead of a report"),
    ],
)
def test_a_client_that_fails_fails_the_demo(monkeypatch, capsys, tmp_path, code, reason):
    monkeypatch.setattr(runner, "client_command", lambda *_: [sys.executable, "-c", code])
    target = tmp_path / "report.json"
    assert cli.main(["demo", "--requests", "35", "--json", str(target)]) == 1
    output = capsys.readouterr()
    assert f"allocmeter demo: {reason}" in output.err
    assert output.out == ""
    assert not target.exists()


def test_a_client_that_hangs_is_stopped(monkeypatch):
    sleeping = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(runner, "client_command", lambda *_: sleeping)
    monkeypatch.setattr(runner, "GRACE_SECONDS", 0.5)
    with pytest.raises(runner.DemoFailedError, match=r"did not finish within 1\.5 s"):
        asyncio.run(runner.run_demo(replace(OPTIONS, seconds=1), QUIET))


def test_a_wrong_response_fails_the_demo_and_is_described(monkeypatch, capsys):
    async def wrong(request, sources):
        return {"digest": "00"}

    monkeypatch.setitem(ENDPOINTS, "digest", wrong)
    assert cli.main(["demo", "--requests", "35", "--quiet"]) == 1
    errors = capsys.readouterr().err
    assert "allocmeter demo: 5 of 35 requests failed: digest of " in errors
    assert "the response is wrong" in errors


def test_no_more_requests_are_sent_when_the_time_is_up():
    options = replace(OPTIONS, requests=20_000, seconds=0.5)
    outcome = asyncio.run(runner.run_demo(options, QUIET))
    assert 0 < outcome.sent < options.requests
    assert outcome.failed == 0


# What is printed


def even(value):
    return Distribution(value * 40, value, value, value, value, value, value)


def row(name, **changes):
    plain = ReportRow(
        name,
        count=40,
        errors=0,
        cancelled=0,
        bytes_allocated=even(1000),
        allocations=even(10),
        peak_bytes=even(500),
        retained_bytes=0,
        retained_allocations=0,
        late_bytes_allocated=0,
        retained=even(0),
        histogram=((992, 1023, 40),),
    )
    return replace(plain, **changes)


def concluded(*rows, planned=280):
    outcome = runner.Outcome(planned, sent=280, seconds=2.0)
    report = Report(rows, "0.1", "3.11", "Linux", {}, {})
    return conclusion.conclude(report, outcome)


def test_endpoints_are_named_by_their_figures():
    leaking = row("b", retained_bytes=40_000, retained=even(1000))
    peaking = row("a", peak_bytes=replace(even(500), max=10**6))
    text = concluded(peaking, leaking, row("similar"), row("digest"))
    assert "\n'b' leaks: " in text
    assert "\n'a' peaks: " in text
    assert "'similar' leaks" not in text
    assert "'digest' peaks" not in text


def test_a_run_without_findings_says_so():
    text = concluded(row("a"))
    assert "No endpoint stands out." in text
    assert text.startswith("280 requests in 2.0 s: 140 requests/s.\n")


def test_endpoints_with_too_few_requests_are_not_judged():
    text = concluded(row("a", count=3), row("b", count=19), row("c"))
    assert "Too few requests to judge 'a', 'b': give a larger --requests." in text


def test_a_run_that_was_cut_short_says_so():
    assert "before the other 20 were sent" in concluded(row("a"), planned=300)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_rewrites_its_line_on_a_terminal():
    stream = Terminal()
    progress = Progress(stream, 100)
    progress.update(0, 0, 0.0)
    progress.update(50, 2, 0.5)
    progress.note("done")
    progress.update(100, 2, 1.0)
    progress.close()
    lines = stream.getvalue().split("\r")
    assert lines[0] == "0 of 100 requests (0%)"
    assert lines[1] == "50 of 100 requests (50%), 100/s, 2 failed"
    assert lines[2].startswith("done ")
    assert lines[3].strip() == ""
    assert lines[4] == ""


def test_progress_in_a_log_is_a_line_now_and_then(monkeypatch):
    stream = io.StringIO()
    now = 0.0
    monkeypatch.setattr("allocmeter.demo.progress.time.monotonic", lambda: now)
    progress = Progress(stream, 100)
    for sent in range(50):
        now = sent / 10
        progress.update(sent, 0, now)
    progress.close()
    assert stream.getvalue() == "20 of 100 requests (20%), 10/s\n40 of 100 requests (40%), 10/s\n"
