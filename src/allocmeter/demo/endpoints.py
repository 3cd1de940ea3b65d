"""What the demo's server can do with source files.

Two of these endpoints have a memory fault on purpose. Nothing outside this module knows which:
the report has to find them.
"""

from __future__ import annotations

import ast
import asyncio
import io
import json
import re
import tokenize
import zlib
from collections import Counter, defaultdict
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from allocmeter.demo.protocol import Request

    Endpoint = Callable[[Request, Mapping[str, str]], Awaitable[dict[str, Any]]]

PASSAGE_LINES = 12
WORD = re.compile(r"[A-Za-z_]\w+")

# How many tokens or syntax nodes an endpoint handles before it lets other requests run.
_STEP = 500


async def tokens(request: Request, sources: Mapping[str, str]) -> dict[str, Any]:
    """Split a file into tokens and count each kind."""
    kinds: Counter[str] = Counter()
    readline = io.StringIO(sources[request.files[0]]).readline
    for number, token in enumerate(tokenize.generate_tokens(readline), 1):
        kinds[tokenize.tok_name[token.type]] += 1
        if number % _STEP == 0:
            await asyncio.sleep(0)
    return {"tokens": kinds.total(), "kinds": dict(kinds)}


async def outline(request: Request, sources: Mapping[str, str]) -> dict[str, Any]:
    """Parse a file and walk its syntax tree."""
    tree = ast.parse(sources[request.files[0]])
    kinds: Counter[type[ast.AST]] = Counter()
    for number, node in enumerate(ast.walk(tree), 1):
        kinds[type(node)] += 1
        if number % _STEP == 0:
            await asyncio.sleep(0)
    return {
        "nodes": kinds.total(),
        "classes": kinds[ast.ClassDef],
        "functions": kinds[ast.FunctionDef] + kinds[ast.AsyncFunctionDef],
    }


async def summary(request: Request, sources: Mapping[str, str]) -> dict[str, Any]:
    """Encode the definitions of a file, with their arguments and first lines, as JSON."""
    tree = ast.parse(sources[request.files[0]])
    await asyncio.sleep(0)
    definitions = _definitions(tree.body)
    await asyncio.sleep(0)
    return {"json": json.dumps(definitions, indent=1)}


def _definitions(body: Sequence[ast.stmt]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for node in body:
        if isinstance(node, ast.ClassDef):
            entry: dict[str, Any] = {"bases": [ast.unparse(base) for base in node.bases]}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            entry = {"arguments": [argument.arg for argument in node.args.args]}
        else:
            continue
        entry |= {"name": node.name, "line": node.lineno, "inner": _definitions(node.body)}
        entry["about"] = (ast.get_docstring(node) or "").partition("\n")[0]
        found.append(entry)
    return found


async def compress(request: Request, sources: Mapping[str, str]) -> dict[str, Any]:
    """Compress a file in a worker thread and restore it there."""
    data = sources[request.files[0]].encode()
    packed = await asyncio.to_thread(zlib.compress, data)
    restored = await asyncio.to_thread(zlib.decompress, packed)
    return {"bytes": len(restored), "packed": len(packed), "crc32": zlib.crc32(restored)}


async def words(request: Request, sources: Mapping[str, str]) -> dict[str, Any]:
    """Index the words of a file by line, each half of the file in a task of its own."""
    lines = sources[request.files[0]].splitlines()
    middle = len(lines) // 2
    async with asyncio.TaskGroup() as group:
        first = group.create_task(_index(lines[:middle], 1))
        second = group.create_task(_index(lines[middle:], 1 + middle))
    index = first.result()
    for word, numbers in second.result().items():
        index[word] += numbers
    common = sorted(index, key=lambda word: (-len(index[word]), word))[:5]
    return {"words": len(index), "common": {word: len(index[word]) for word in common}}


async def _index(lines: Sequence[str], first_number: int) -> defaultdict[str, list[int]]:
    index: defaultdict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(lines, first_number):
        for word in WORD.findall(line):
            index[word].append(number)
    await asyncio.sleep(0)
    return index


Shingles = frozenset[tuple[str, str, str]]

# Without a limit, and with a key that hardly ever comes back: the classic way to leak.
_fingerprints: dict[tuple[str, int], Shingles] = {}


async def similar(request: Request, sources: Mapping[str, str]) -> dict[str, Any]:
    """Say how much of a passage of the first file stands in the last file as well."""
    name, start = request.files[0], request.start
    passage = _fingerprints.get((name, start))
    if passage is None:
        lines = sources[name].splitlines()[start : start + PASSAGE_LINES]
        passage = _fingerprints[name, start] = _shingles("\n".join(lines))
    await asyncio.sleep(0)
    other = _shingles(sources[request.files[-1]])
    return {"share": len(passage & other) / len(passage) if passage else 1.0}


def _shingles(text: str) -> Shingles:
    found = WORD.findall(text)
    return frozenset(zip(found, found[1:], found[2:], strict=False))


async def digest(request: Request, sources: Mapping[str, str]) -> dict[str, Any]:
    """Hash the numbered lines of all files asked for."""
    listing: list[str] = []
    for name in request.files:
        # All lines of all files at once: small for one file, large for a request that asks for
        # many. Updating the hash line by line would do.
        lines = sources[name].splitlines()
        listing += [f"{name}:{number}:{line}\n" for number, line in enumerate(lines, 1)]
        await asyncio.sleep(0)
    return {"digest": blake2b("".join(listing).encode(), digest_size=16).hexdigest()}


ENDPOINTS: dict[str, Endpoint] = {
    "tokens": tokens,
    "outline": outline,
    "summary": summary,
    "compress": compress,
    "words": words,
    "similar": similar,
    "digest": digest,
}
