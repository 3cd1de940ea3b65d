"""A live page on what each endpoint of a running service allocates, peaks at and retains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocmeter._core.own import OWN, own_context
from allocmeter.integrations._asgi_conversation import leave_out
from allocmeter.integrations._asgi_starlette import below
from allocmeter.integrations._dashboard_access import Access
from allocmeter.integrations._dashboard_answers import Answer, text
from allocmeter.registry import default_registry
from allocmeter.scopes import detached

if TYPE_CHECKING:
    from allocmeter.integrations._asgi_types import Receive, Scope, Send
    from allocmeter.integrations._dashboard_figures import Figures
    from allocmeter.registry import Registry

__all__ = ["DashboardApp"]

_PAGE = ("", "/")
_FIGURES = "/figures.json"


class DashboardApp:
    """An ASGI application with a live page on the memory of the service that it is mounted in.

    Mount it where it suits: `app.mount("/memory", DashboardApp())` in Starlette and FastAPI; in
    other frameworks likewise, or on a server of its own: it needs none. There is a page at `/`, and
    at `/figures.json` what the page asks for every two seconds: a report in JSON, which
    `Report.from_json` and `allocmeter report` read, with a time stamp and a verdict on each row
    (`_dashboard_figures.py` says more). The page needs no network but for that.

    Whoever can see it learns the routes and the traffic of the service. Without a token only
    clients on the same computer are answered, by the address they come from, if they ask for
    `localhost` or a loopback address (other names may belong to a foreign web page) and were not
    passed on by a proxy. A client whose address the server does not know, as on Unix sockets, is
    refused. With a token every client has to send it, `Authorization: Bearer TOKEN`, also one on
    this computer. To open the page, put it into the address, `/memory/?token=TOKEN`, or into the
    field that the page shows: it is kept until the tab is closed, and taken out of the address. A
    server may note that address in its log. The page without its figures is no secret, and is sent
    to clients without a token too, with the status 401.

    Requests to it are not measured, below `AllocationMiddleware` either, and what it allocates is
    charged to the library. Nothing is done, and no history kept, while nobody asks. Figures are
    those of the process that answers, one of several workers. A failure of ours is logged once
    (logger `allocmeter`), and answered with the status 500.

    Args:
        token: what clients have to know: letters, digits and signs of ASCII, hard to guess.
            `None`: only clients on this computer are answered.
        registry: whose scopes to show; by default those of the process.

    Raises:
        TypeError: the token is no `str`.
        ValueError: the token is empty, or has a character that no HTTP header carries.
        BackendUnavailableError: the native library cannot be used.
    """

    def __init__(self, *, token: str | None = None, registry: Registry | None = None) -> None:
        with OWN:
            self._access = Access(token)
            self._registry = default_registry() if registry is None else registry
            self._figures: Figures | None = None
            self._failed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; close a websocket; take part in the lifespan protocol."""
        kind = scope["type"]
        self._leave(scope)
        if kind == "http":
            with own_context():
                answer = await self._answer(scope)
                await answer.send(send, head=scope["method"] == "HEAD")
        elif kind == "websocket":
            with detached():
                await receive()
                await send({"type": "websocket.close", "code": 1008})
        elif kind == "lifespan":
            with detached():
                await _live(receive, send)

    def _leave(self, scope: Scope) -> None:
        with OWN:
            try:
                leave_out(scope)
            except Exception:  # noqa: BLE001 - no failure of ours may reach the program
                self._log_failure()

    async def _answer(self, scope: Scope) -> Answer:
        try:
            with OWN:
                path = below(scope["path"], scope.get("root_path", ""))
                refusal = self._access.refusal(scope, by_address=path in _PAGE)
                if refusal is not None:
                    return _with_page(refusal, scope) if path in _PAGE else refusal
                if path not in (*_PAGE, _FIGURES):
                    return text(404, "there is a page at /, and its figures at /figures.json")
                if scope["method"] not in ("GET", "HEAD"):
                    return text(405, "there is nothing to change here", (b"allow", b"GET, HEAD"))
                if path in _PAGE:
                    return _page(200)
                figures = self._made_figures()
            return Answer(200, await figures.document(), b"application/json")
        except Exception:  # noqa: BLE001 - no failure of ours may reach the program
            self._log_failure()
            return text(500, "the figures could not be read; the program's log says why")

    def _made_figures(self) -> Figures:
        if self._figures is None:
            from allocmeter.integrations._dashboard_figures import Figures

            self._figures = Figures(self._registry)
        return self._figures

    def _log_failure(self) -> None:
        if self._failed:
            return
        self._failed = True
        import logging

        logging.getLogger("allocmeter").exception(  # noqa: LOG004 - called in an exception handler
            "answering a request for the live page of memory figures failed, which is logged this "
            "once. Nothing but the page is affected. Correct what the error is about, or report "
            "it if it is none of yours"
        )


def _page(status: int, *more: tuple[bytes, bytes]) -> Answer:
    from allocmeter.integrations._dashboard_page import page

    body, policy = page()
    return Answer(status, body, b"text/html; charset=utf-8", policy, more)


def _with_page(refusal: Answer, scope: Scope) -> Answer:
    """Return the page, which asks for the token, to a browser that came without one."""
    if refusal.status != 401 or scope["method"] not in ("GET", "HEAD"):
        return refusal
    accepted = b",".join(value for name, value in scope["headers"] if name.lower() == b"accept")
    return _page(refusal.status, *refusal.more) if b"text/html" in accepted else refusal


async def _live(receive: Receive, send: Send) -> None:
    """Say yes to whatever happens to a server that serves nothing else."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
