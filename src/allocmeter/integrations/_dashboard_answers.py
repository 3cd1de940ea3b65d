"""What the live page answers requests with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from allocmeter._core.own import OWN
from allocmeter.scopes import detached

if TYPE_CHECKING:
    from allocmeter.integrations._asgi_types import Message, Send

_NOTHING_ELSE: Final = b"default-src 'none'; frame-ancestors 'none'"

# Figures belong to whoever is let in, and to nobody that stands on the way or asks later.
_EVERYWHERE: Final = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response.

    Attributes:
        status: of HTTP.
        body: of the response to a GET request; that to a HEAD request has none.
        kind: the media type.
        policy: the content security policy.
        more: further headers.
    """

    status: int
    body: bytes
    kind: bytes = b"text/plain; charset=utf-8"
    policy: bytes = _NOTHING_ELSE
    more: tuple[tuple[bytes, bytes], ...] = ()

    async def send(self, send: Send, *, head: bool) -> None:
        """Hand the response to the server, which works outside of what is ours."""
        with OWN:
            start: Message = {
                "type": "http.response.start",
                "status": self.status,
                "headers": [
                    (b"content-type", self.kind),
                    (b"content-length", b"%d" % len(self.body)),
                    (b"content-security-policy", self.policy),
                    *_EVERYWHERE,
                    *self.more,
                ],
            }
            body: Message = {"type": "http.response.body", "body": b"" if head else self.body}
        with detached():
            await send(start)
            await send(body)


def text(status: int, words: str, *more: tuple[bytes, bytes]) -> Answer:
    """Return an answer for whoever reads it without a browser."""
    return Answer(status, f"{status}: {words}\n".encode(), more=more)
