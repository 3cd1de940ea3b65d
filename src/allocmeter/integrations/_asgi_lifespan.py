"""The scopes of an application's start and end."""

# ruff: noqa: SLF001 - the steps of `measure` that are private to users are meant for this module.

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allocmeter.integrations._asgi_conversation import FAILED, Conversation

if TYPE_CHECKING:
    from allocmeter.integrations._asgi_types import Message
    from allocmeter.scopes import measure

STARTUP: Final = "lifespan startup"
SHUTDOWN: Final = "lifespan shutdown"


class LifespanConversation(Conversation):
    """The life of an application: a scope for its startup, and another for its shutdown.

    What the application makes at startup and keeps is retained by the first, and what the tasks do
    that it starts there is late work of it: neither is charged to a request.
    """

    __slots__ = ("_answered", "_outcome", "_shutdown")

    notable = frozenset({"lifespan.shutdown"})

    fixed = (STARTUP, STARTUP)

    def prepare(self) -> None:
        self._answered = False
        self._outcome: BaseException | None = None
        self._shutdown: measure | None = None

    def received(self, message: Message) -> None:
        del message
        shutdown = self._shutdown = self._measuring.scope(SHUTDOWN)
        shutdown._resume()

    def sending(self, message: Message) -> Message:
        self._ending = True
        self._outcome = FAILED if message["type"].endswith(".failed") else None
        return message

    def sent(self) -> None:
        self._answered = True
        scope = self._scope if self._shutdown is None else self._shutdown
        scope._close(self._outcome)

    def leave(self, error: BaseException | None) -> None:
        if self._shutdown is not None:
            self._shutdown._suspend()
        super().leave(error)

    def ended(self, error: BaseException | None) -> None:
        if self._shutdown is not None:
            self._shutdown._close(error)
        if not self._answered and self._scope.is_open:
            self._scope._rename(None)  # an application that does not take part in the protocol
        self._scope._close(error)
