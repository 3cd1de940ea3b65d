"""Real programs run again and again: quiet without a change, loud with one."""

from __future__ import annotations

import functools

import pytest

from allocmeter import cli
from children import output_of

REPEATS = 4

# What varies is the interpreter's: hash seeds, addresses, which request comes first.
TASKS = """
import asyncio, gc, json, random, sys
from allocmeter import measure, report

growth, leak = float(sys.argv[1]), int(sys.argv[2])
sizes = [random.Random(number).randint(20, 200) for number in range(200)]
kept = []

async def parse(size):
    async with measure("parse"):
        text = json.dumps([{"id": number, "name": f"item {number}"} for number in range(size)])
        await asyncio.sleep(0)
        return json.loads(text)

async def part(size):
    async with measure("part"):
        await asyncio.sleep(0)
        return len(" ".join(map(str, range(size))))

async def render(size):
    async with measure("render"):
        page = bytearray(int(size * 4000 * growth))
        return len(page) + sum(await asyncio.gather(*(part(size) for _ in range(3))))

async def store(size):
    async with measure("store"):
        if leak:
            kept.append(bytes(leak))
        await asyncio.to_thread(bytes, size)

async def handle(size):
    async with measure("request"):
        await parse(size)
        await render(size)
        await store(size)
"""

TREE = """
async def main():
    for start in range(0, len(sizes), 20):
        await asyncio.gather(*map(handle, sizes[start : start + 20]))
"""

SERVER = """
async def main():
    async def connection(reader, writer):
        async with measure("connection"):
            while line := await reader.readline():
                await handle(int(line))
                writer.write(b"done\\n")
            writer.close()

    async def client(mine):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for size in mine:
            writer.write(b"%d\\n" % size)
            await reader.readline()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    async with server:
        await asyncio.gather(*(client(sizes[number::8]) for number in range(8)))
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)
"""

ENDING = """
asyncio.run(main())
gc.collect()
print(report().to_json())
"""

PROGRAMS = {"tree": TASKS + TREE + ENDING, "server": TASKS + SERVER + ENDING}


@functools.cache
def report_of(program, repeat, growth=1.0, leak=0):
    """The report of a run, as JSON text; `repeat` only tells runs apart."""
    return output_of(PROGRAMS[program], growth, leak)


@pytest.fixture
def compare(tmp_path, capsys):
    def run(baseline, current, limits):
        paths = [tmp_path / "baseline.json", tmp_path / "current.json"]
        for path, text in zip(paths, (baseline, current), strict=True):
            path.write_text(text)
        status = cli.main(["compare", *map(str, paths), "--fail-on", limits])
        return status, capsys.readouterr().out

    return run


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    "limits",
    ["bytes:5%,allocations:1%,peak:20%,retained:4KiB", "bytes:5%,allocations:0,retained:1KiB"],
)
def test_repeats_without_a_change_stay_quiet(compare, program, limits):
    for repeat in range(1, REPEATS):
        status, out = compare(report_of(program, 0), report_of(program, repeat), limits)
        assert status == 0, out


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_five_percent_more_bytes_in_one_scope_are_found_and_named(compare, program):
    regressed = report_of(program, 0, growth=1.05)
    status, out = compare(report_of(program, 0), regressed, "bytes:4%")
    assert status == 1
    assert "FAILED  render: bytes" in out
    assert out.count("FAILED") == 1


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_new_leak_is_found_and_named(compare, program):
    leaking = report_of(program, 0, leak=1024)
    status, out = compare(report_of(program, 0), leaking, "retained:4KiB")
    assert status == 1
    assert out.startswith("NEW LEAK  ")
    named = [line for line in out.splitlines() if line.startswith("FAILED  store: retained")]
    assert len(named) == 1
    assert "new leak: keeps" in named[0]
