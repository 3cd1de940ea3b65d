"""One request, one response, each a line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container

# Requests are short, whatever the endpoint; a longer line is no request of ours.
LONGEST_LINE = 64 * 1024


class RequestError(Exception):
    """A line is not a request that this server can answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for.

    Attributes:
        id: chosen by the client and returned with the response.
        endpoint: which work to do.
        files: names of the corpus files to do it on, at least one.
        start: number of the first line to look at, for endpoints that look at a passage.
    """

    id: int
    endpoint: str
    files: tuple[str, ...]
    start: int = 0

    def encode(self) -> bytes:
        """Return the line that `parse_request` reads."""
        return encode_line(asdict(self))


def encode_line(message: dict[str, Any]) -> bytes:
    """Return `message` as one line of JSON."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def parse_request(line: bytes, endpoints: Container[str], files: Container[str]) -> Request:
    """Read one line from a client and check everything an endpoint relies on.

    Raises:
        RequestError: the text says what is wrong with the line.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"not JSON: {error}") from None
    if not isinstance(message, dict):
        raise RequestError("a request is a JSON object")
    request = Request(
        id=_whole_number(message, "id"),
        endpoint=_known_name(message.get("endpoint"), endpoints, "endpoint"),
        files=_file_names(message.get("files"), files),
        start=_whole_number({"start": 0, **message}, "start"),
    )
    unknown = sorted(message.keys() - asdict(request).keys())
    if unknown:
        raise RequestError(f"unknown field {unknown[0]!r}")
    return request


def _whole_number(message: dict[str, Any], field: str) -> int:
    value = message.get(field)
    if type(value) is not int or value < 0:  # bool is an int, but no number
        raise RequestError(f"{field!r} must be a whole number from 0")
    return value


def _known_name(value: object, known: Container[str], what: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise RequestError(f"unknown {what} {value!r:.80}")
    return value


def _file_names(value: object, known: Container[str]) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise RequestError("'files' must be a list of at least one file name")
    return tuple(_known_name(name, known, "file") for name in value)
