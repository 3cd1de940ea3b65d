"""One call of an ASGI application: its scope, and the messages between it and the server."""

# ruff: noqa: SLF001 - the steps of `measure` that are private to users are meant for this module.

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from allocmeter._core.own import OWN
from allocmeter.scopes import detached

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from allocmeter.integrations._asgi_measuring import Measuring
    from allocmeter.integrations._asgi_types import Message, Receive, Scope, Send

MARK: Final = "allocmeter"  # the key in an ASGI scope under which its `measure` is found

# What a scope is closed with where no exception says how it went.
FAILED: Final = RuntimeError()
CANCELLED: Final = GeneratorExit()

_MESSAGES: Final[Any] = (dict, Mapping)  # anything else is for the server to refuse


def leave_out(scope: Scope) -> None:
    """See to it that a request which is being handled is aggregated nowhere.

    For an application that serves the figures, and would show up among them.

    Args:
        scope: the ASGI scope of the request, or a copy of it.
    """
    measured = scope.get(MARK)
    if measured is not None:
        measured._rename(None)


class Conversation:
    """Stands between an application and its server.

    The scope is current while the application runs, and wherever it passes it on. The server works
    outside of every scope when it is called: it starts timers, readers and the tasks of later
    requests in the context it is called in, and those would be taken for work of this request.

    Args:
        measuring: what to make the scope with.
        scope: the ASGI scope.
        receive: the server's.
        send: the server's.
        name: what the scope is called before the application ran.
    """

    __slots__ = ("_asgi_scope", "_ending", "_measuring", "_receive", "_scope", "_send")

    # The types of messages from the server that `received` is to see.
    notable: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self, measuring: Measuring, scope: Scope, receive: Receive, send: Send, name: str
    ) -> None:
        self._measuring = measuring
        self._asgi_scope = scope
        self._receive = receive
        self._send = send
        self._ending = False
        self._scope = scope[MARK] = measuring.scope(name)

    def received(self, message: Message) -> None:
        """See a notable message for the application that is about to be handed over."""

    def sending(self, message: Message) -> Message:
        """See a message for the server, and return what to send.

        `sent` will be called if this sets `_ending`.
        """
        return message

    def sent(self) -> None:
        """Know that the server has taken the message for which `sending` set `_ending`."""

    def refused(self) -> None:
        """Know that the server raised `OSError`, which it may if the client is gone."""

    def ended(self, error: BaseException | None) -> None:
        """Close the scope, if it is open: the application returned, or raised `error`."""
        self._scope._close(error)

    def rename(self, name: str) -> None:
        """Give the scope its final name, if it is to be aggregated at all."""
        if self._scope.name is not None:
            self._scope._rename(name)

    def enter(self) -> None:
        """Make the scope current. Nothing may be allocated after it."""
        self._scope._resume()

    def leave(self, error: BaseException | None) -> None:
        """Make current what was current before; the application returned, or raised `error`."""
        self._scope._suspend()
        with OWN:
            try:
                self.ended(error)
            except Exception:  # noqa: BLE001 - no failure of ours may reach the program
                self._measuring.give_up()

    # What the application calls are plain functions, so that the coroutine is charged to us.

    def receive(self) -> Coroutine[Any, Any, Message]:
        """Stand in for the server's `receive`."""
        with OWN:
            return self._receive_outside()

    async def _receive_outside(self) -> Message:
        with detached():
            message = await self._receive()
        if isinstance(message, _MESSAGES) and message.get("type") in self.notable:
            with OWN:
                try:
                    self.received(message)
                except Exception:  # noqa: BLE001 - no failure of ours may reach the program
                    self._measuring.give_up()
        return message

    def send(self, message: Message) -> Coroutine[Any, Any, None]:
        """Stand in for the server's `send`."""
        with OWN:
            try:
                if isinstance(message, _MESSAGES):
                    message = self.sending(message)
            except Exception:  # noqa: BLE001 - no failure of ours may reach the program
                self._measuring.give_up()
            return self._send_outside(message)

    async def _send_outside(self, message: Message) -> None:
        try:
            with detached():
                await self._send(message)
        except OSError:
            self.refused()
            raise
        if self._ending:
            self._ending = False
            with OWN:
                try:
                    self.sent()
                except Exception:  # noqa: BLE001 - no failure of ours may reach the program
                    self._measuring.give_up()
