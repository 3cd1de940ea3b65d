"""The scope of one HTTP request: it ends with the last message of the response."""

# ruff: noqa: SLF001 - the steps of `measure` that are private to users are meant for this module.

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allocmeter.integrations._asgi_conversation import CANCELLED, FAILED, Conversation
from allocmeter.integrations._asgi_timing import stamped
from allocmeter.integrations._disconnections import is_disconnection

if TYPE_CHECKING:
    from allocmeter.integrations._asgi_types import Message

_BODIES: Final = ("http.response.body", "http.response.zerocopysend")


class HttpConversation(Conversation):
    """A request and its response.

    It fails when the application raises, answers with a status of 500 or above, or ends without
    a complete response; it is cancelled when the application is, or when the client goes away and
    the application gives up for that.
    """

    __slots__ = ()

    notable = frozenset({"http.disconnect"})
    plain = True

    def received(self, message: Message) -> None:
        del message
        self._disconnected = True
        self._plain = False  # what the response is like tells something now

    def sending(self, message: Message) -> Message:
        kind = message.get("type")
        if kind in _BODIES:
            self._ending = not (self._trailers or message.get("more_body"))
        elif kind == "http.response.start":
            status = message.get("status")
            self._status = status if isinstance(status, int) and 0 <= status <= 999 else 0
            self._abandoned = self._disconnected
            self._trailers = bool(message.get("trailers"))
            if self._measuring.server_timing and self._scope.is_open:
                return stamped(message, self._scope)
        elif kind == "http.response.trailers":
            self._ending = not message.get("more_trailers")
        elif kind == "http.response.pathsend":
            self._ending = not self._trailers
        return message

    def sent(self) -> None:
        if self._status >= 400 and self._abandoned:
            return  # frameworks answer so to half a request; how they end tells why
        self._close(FAILED if self._status >= 500 else None)

    def refused(self) -> None:
        self._ending = False
        self._disconnected = True

    def ended(self, error: BaseException | None) -> None:
        if self._ending and error is None:
            # The server said that the connection is done before it returned from the last message,
            # and the application took that for a reason to cancel its waiting.
            self.sent()
        if self._disconnected and self._is_given_up(error):
            error = CANCELLED
        self._close(FAILED if error is None else error)

    def _is_given_up(self, error: BaseException | None) -> bool:
        if error is not None:
            return is_disconnection(error)
        return self._status < 500 or not self._abandoned

    def _close(self, error: BaseException | None) -> None:
        if not self._scope.is_open:
            return
        try:
            self.rename(
                self._measuring.name_of(self._asgi_scope, self._method, self._path, self._root_path)
            )
        finally:
            self._scope._close(error)
