"""One call of an ASGI application: its scope, and the messages between it and the server."""

# ruff: noqa: SLF001 - the steps of `measure` that are private to users are meant for this module.

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final, cast

from allocmeter._core.types import NativeExchange

if TYPE_CHECKING:
    from allocmeter.integrations._asgi_measuring import Measuring
    from allocmeter.integrations._asgi_types import Message, Scope

MARK: Final = "allocmeter"  # the key in an ASGI scope under which its `measure` is found

# What a scope is closed with where no exception says how it went.
FAILED: Final = RuntimeError()
CANCELLED: Final = GeneratorExit()


def leave_out(scope: Scope) -> None:
    """See to it that a request which is being handled is aggregated nowhere.

    For an application that serves the figures, and would show up among them.

    Args:
        scope: the ASGI scope of the request, or a copy of it.
    """
    measured = scope.get(MARK)
    if measured is not None:
        measured._rename(None)


class Conversation(NativeExchange):
    """Stands between an application and its server.

    The scope is current while the application runs, and wherever it passes it on. The server works
    outside of every scope when it is called: it starts timers, readers and the tasks of later
    requests in the context it is called in, and those would be taken for work of this request.

    What every message goes through, `send` and `receive`, is in `_native/exchange.h`, which calls
    the methods below. A conversation is made by a `NativeEntrance`, with its scope current, and
    `leave` ends that.
    """

    __slots__ = ()

    _measuring: Measuring

    # The types of messages from the server that `received` is to see.
    notable: ClassVar[frozenset[str]] = frozenset()
    # Whether the responses are those of HTTP. Ordinary messages of one are followed natively, and
    # only others get to `sending`.
    plain: ClassVar[bool] = False

    # What stands for the method, where it is always the same, and the name of the scope until there
    # is a better one.
    fixed: ClassVar[tuple[str, str] | None] = None

    def prepare(self) -> None:
        """Get ready before the scope is open, unless this is `plain`."""

    def asked(self) -> None:
        """Know that the application asks for a message, unless this is `plain`."""

    def received(self, message: Message) -> None:
        """See a notable message for the application that is about to be handed over."""

    def received_unusual(self, message: object) -> None:
        """See what is no dictionary, and may be a message all the same."""
        if isinstance(message, Mapping) and message.get("type") in self.notable:
            self.received(cast("Message", message))

    def sending(self, message: Message) -> Message:
        """See a message for the server, and return what to send.

        `sent` will be called if this sets `_ending`.
        """
        return message

    def sending_unusual(self, message: object) -> object:
        """See what is no dictionary; what is no message at all is for the server to refuse."""
        return self.sending(cast("Message", message)) if isinstance(message, Mapping) else message

    def sent(self) -> None:
        """Know that the server has taken the message for which `_ending` was set."""

    def refused(self) -> None:
        """Know that the server raised `OSError`, which it may if the client is gone."""

    def ended(self, error: BaseException | None) -> None:
        """Close the scope, if it is open: the application returned, or raised `error`."""
        self._scope._close(error)

    def failed(self) -> None:
        """Know that one of these methods raised what is being handled now."""
        self._measuring.give_up()

    def rename(self, name: str) -> None:
        """Give the scope its final name, if it is to be aggregated at all."""
        if self._scope.name is not None:
            self._scope._rename(name)
