"""The requests that clients send to the application, by route."""

from __future__ import annotations

from typing import Final, NamedTuple

BODY: Final = b"x" * 3_000


class Request(NamedTuple):
    """A request, and what is known of it.

    Attributes:
        route: what `report()` calls it.
        method: of the request.
        path: of the request.
        status: of the answer that it should get.
        holds: whether it holds many dicts while its neighbours run.
    """

    route: str
    method: str
    path: str
    status: int = 200
    holds: bool = False

    def encoded(self) -> bytes:
        """Return what is sent, in HTTP/1.1 on a connection that is kept alive."""
        content = BODY if self.method == "POST" else b""
        head = (
            f"{self.method} {self.path} HTTP/1.1\r\n"
            f"Host: 127.0.0.1\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode("ascii") + content


SMALL: Final = Request("GET /small", "GET", "/small")
OBJECTS: Final = Request("GET /objects", "GET", "/objects")

MIXED: Final = (
    SMALL,
    OBJECTS,
    Request("GET /shop/{tenant}/items/{id}", "GET", "/shop/acme/items/7"),
    Request("GET /thread", "GET", "/thread"),
    Request("GET /stream", "GET", "/stream"),
    Request("POST /body", "POST", "/body"),
    Request("GET /background", "GET", "/background"),
    Request("GET /holding", "GET", "/holding", holds=True),
    Request("GET /resource", "GET", "/resource"),
    Request("GET (unmatched)", "GET", "/nowhere", 404),
)
ROUTES: Final = {request.route: request for request in MIXED}
