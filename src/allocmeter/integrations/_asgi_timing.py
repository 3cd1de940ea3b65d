"""The `Server-Timing` header, which browsers show in their network panel (W3C Server Timing)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocmeter._core.figures import read_scope
from allocmeter.errors import BackendUnavailableError
from allocmeter.units import human_bytes, human_count

if TYPE_CHECKING:
    from allocmeter._core.types import NativeScope
    from allocmeter.integrations._asgi_types import Message

_HEADER = b"server-timing"


def stamped(message: Message, scope: NativeScope) -> Message:
    """Return the start of a response with the figures of its request so far.

    The message and its headers belong to the application, and stay as they are. A header that is
    there already is continued.
    """
    try:
        metric = _metric(scope)
    except BackendUnavailableError:  # no figures of this request, which says nothing of the next
        return message
    try:
        headers: list[Any] = list(message.get("headers") or ())
    except TypeError:  # for the server to refuse
        return message
    for position, header in enumerate(headers):
        if _is_ours(header):
            name, value = header
            headers[position] = (name, b", ".join(filter(None, (bytes(value).strip(), metric))))
            break
    else:
        headers.append((_HEADER, metric))
    return {**message, "headers": headers}


def _is_ours(header: Any) -> bool:
    try:
        name, value = header
        return bytes(name).lower() == _HEADER and bytes(value) is not None
    except (TypeError, ValueError):  # likewise
        return False


def _metric(scope: NativeScope) -> bytes:
    figures = read_scope(scope)
    text = (
        f"{human_bytes(figures.bytes_allocated)} in {human_count(figures.allocations)} blocks,"
        f" peak {human_bytes(figures.peak_bytes)}"
    )
    return f'alloc;desc="{text}"'.encode("ascii")
