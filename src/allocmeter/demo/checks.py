"""What the client expects of a response, worked out from its own copy of the files."""

from __future__ import annotations

import ast
import json
import re
import tokenize
import zlib
from hashlib import blake2b
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from allocmeter.demo.protocol import Request


class ResponseChecker:
    """Compares responses with the files they are about."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources
        self._expected: dict[tuple[str, str], Any] = {}

    def fault(self, request: Request, response: dict[str, Any]) -> str | None:
        """Say what is wrong with `response`, or return `None` if it is right."""
        if "error" in response:
            return f"refused: {response['error']}"
        if response.get("id") != request.id:
            return f"the response is to request {response.get('id')!r}"
        try:
            right = self._is_right(request, response["result"])
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            return f"the response cannot be read: {error!r}"
        return None if right else "the response is wrong"

    def _is_right(self, request: Request, result: dict[str, Any]) -> bool:
        match request.endpoint:
            case "similar":
                share: float = result["share"]
                whole = request.files[0] == request.files[-1]
                return share == 1.0 if whole else 0.0 <= share <= 1.0
            case "digest":
                return bool(result["digest"] == self._digest(request))
            case "words":
                source = self._sources[request.files[0]]
                return all(
                    len(re.findall(rf"\b{word}\b", source)) == count
                    for word, count in result["common"].items()
                )
            case endpoint:
                facts = self._facts(endpoint, request.files[0])
                return bool(_FOUND[endpoint](result) == facts)

    def _facts(self, endpoint: str, name: str) -> Any:
        key = endpoint, name
        if key not in self._expected:
            self._expected[key] = _EXPECTED[endpoint](self._sources[name])
        return self._expected[key]

    def _digest(self, request: Request) -> str:
        hasher = blake2b(digest_size=16)
        for name in request.files:
            for number, line in enumerate(self._sources[name].splitlines(), 1):
                hasher.update(f"{name}:{number}:{line}\n".encode())
        return hasher.hexdigest()


def _count_tokens(source: str) -> int:
    return sum(1 for _ in tokenize.generate_tokens(StringIO(source).readline))


def _count_definitions(source: str) -> tuple[int, int]:
    nodes = list(ast.walk(ast.parse(source)))
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return len(classes), len(functions)


def _top_level_lines(source: str) -> list[tuple[str, int]]:
    return [
        (node.name, node.lineno)
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]


_EXPECTED: dict[str, Callable[[str], Any]] = {
    "tokens": _count_tokens,
    "outline": _count_definitions,
    "summary": _top_level_lines,
    "compress": lambda source: (len(source), zlib.crc32(source.encode())),
}

_FOUND: dict[str, Callable[[dict[str, Any]], Any]] = {
    "tokens": lambda result: sum(result["kinds"].values()),
    "outline": lambda result: (result["classes"], result["functions"]),
    "summary": lambda result: [
        (entry["name"], entry["line"]) for entry in json.loads(result["json"])
    ],
    "compress": lambda result: (result["bytes"], result["crc32"]),
}
