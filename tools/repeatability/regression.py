"""A suite of many async tests, of which one can be made to allocate a little more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from suite_runs import rounds_option, run

if TYPE_CHECKING:
    from pathlib import Path

_HEAD: Final = """\
import json

import anyio
import pytest

pytestmark = pytest.mark.anyio
SIZE = 1024 - 33  # bytes of that size are one block of 1 KiB


@pytest.fixture
def anyio_backend(request):
    return "asyncio"


async def work(kind, size):
    if kind == 0:
        send, receive = anyio.create_memory_object_stream(size)
        for number in range(size):
            await send.send({"number": number})
        send.close()
        assert len([item async for item in receive]) == size
        receive.close()
    elif kind == 1:
        async with anyio.create_task_group() as tasks:
            for _ in range(size):
                tasks.start_soon(anyio.sleep, 0)
    elif kind == 2:
        rows = [{"id": number, "tags": ["a", "b"]} for number in range(size)]
        await anyio.sleep(0)
        assert json.loads(json.dumps(rows)) == rows
    else:
        with anyio.move_on_after(0.001):
            await anyio.sleep_forever()
"""
_TEST: Final = """

async def test_work_{number:03}():
    await work({kind}, {size})
{more}"""
_MORE: Final = "    bytes(SIZE)\n"


class Comparisons:
    """Comparisons of a suite with its own baseline.

    Args:
        root: the directory to make it in.
        tests: how many there are.
        rounds: of each; `None`: what the plugin does by itself.
    """

    def __init__(self, root: Path, tests: int, rounds: int | None) -> None:
        root.mkdir()
        (root / "pytest.ini").write_text("[pytest]\n")
        self._root = root
        self._tests = tests
        self._rounds = rounds_option(rounds)
        self._write(None)
        run(root, *self._rounds, "--allocmeter-save=main")

    def named(self, worse: int | None = None) -> list[str]:
        """Return the tests that are named as regressions.

        Args:
            worse: the number of the test that allocates 1 KiB more; `None` for none.
        """
        self._write(worse)
        limits = "--allocmeter-compare-fail=bytes:5%,allocations:0"
        text = run(self._root, *self._rounds, "--allocmeter-compare=main", limits, fails=True)
        return list(dict.fromkeys(re.findall(r"^FAILED  \S+::(\w+): ", text, re.MULTILINE)))

    def _write(self, worse: int | None) -> None:
        tests = (
            _TEST.format(
                number=number,
                kind=number % 4,
                size=10 + number % 7,
                more=_MORE if number == worse else "",
            )
            for number in range(self._tests)
        )
        (self._root / "test_work.py").write_text(_HEAD + "".join(tests))
