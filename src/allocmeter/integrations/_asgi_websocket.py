"""The scope of one websocket connection, and of the messages that it receives."""

# ruff: noqa: SLF001 - the steps of `measure` that are private to users are meant for this module.

from __future__ import annotations

from typing import TYPE_CHECKING

from allocmeter._core.own import OWN
from allocmeter.integrations._asgi_conversation import Conversation
from allocmeter.integrations._disconnections import is_disconnection
from allocmeter.integrations._http_names import UNMATCHED, WEBSOCKET

if TYPE_CHECKING:
    from allocmeter.integrations._asgi_types import Message
    from allocmeter.scopes import measure


class WebsocketConversation(Conversation):
    """A connection, from its handshake until the application returns or raises.

    An application that ends because the client has gone, as it must, has not failed.
    """

    __slots__ = ("_message",)

    notable = frozenset({"websocket.receive", "websocket.disconnect"})

    fixed = (WEBSOCKET, UNMATCHED[WEBSOCKET])

    def prepare(self) -> None:
        self._message: measure | None = None

    def asked(self) -> None:
        self._end_message(None)  # whoever asks for the next one is done with it

    def received(self, message: Message) -> None:
        if message["type"] == "websocket.disconnect":
            self._disconnected = True
        elif self._measuring.messages and self._scope.name is not None:
            self._end_message(None)  # another task is still busy with it
            name = self._measuring.message_name(self._name())
            message_scope = self._message = self._measuring.nested_scope(name)
            message_scope._resume()

    def refused(self) -> None:
        self._disconnected = True

    def leave(self, error: BaseException | None) -> None:
        self._end_message(error)
        super().leave(error)

    def ended(self, error: BaseException | None) -> None:
        if self._disconnected and error is not None and is_disconnection(error):
            error = None
        try:
            self.rename(self._name())
        finally:
            self._scope._close(error)

    def _end_message(self, error: BaseException | None) -> None:
        message, self._message = self._message, None
        if message is None:
            return
        message._suspend()
        with OWN:
            try:
                message._close(error)
            except Exception:  # noqa: BLE001 - no failure of ours may reach the program
                self._measuring.give_up()

    def _name(self) -> str:
        return self._measuring.name_of(self._asgi_scope, WEBSOCKET, self._path, self._root_path)
