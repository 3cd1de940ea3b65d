"""Who may see the live page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allocmeter.integrations._dashboard_answers import text

if TYPE_CHECKING:
    from allocmeter.integrations._asgi_types import Scope
    from allocmeter.integrations._dashboard_answers import Answer

# A proxy on this computer is a client on this computer, and speaks for others.
_FORWARDING: Final = frozenset(
    {b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip"}
)
_FORWARDING_PREFIX: Final = b"x-forwarded"

_FIRST_AND_LAST_OF_ASCII: Final = (0x21, 0x7E)


class Access:
    """Lets clients in: those on this computer, or, with a token, those that know it.

    Args:
        token: what every client has to know; `None`: only clients on this computer are let in.

    Raises:
        TypeError: the token is no text.
        ValueError: the token is empty, or no HTTP header can carry it.
    """

    __slots__ = ("_token",)

    def __init__(self, token: str | None) -> None:
        self._token = None if token is None else _checked(token)

    def refusal(self, scope: Scope, *, by_address: bool) -> Answer | None:
        """Return what to answer a client that is not let in; `None` for the others.

        Args:
            scope: of its request.
            by_address: whether the token may stand in the address, as it has to where somebody
                opens a page.
        """
        if self._token is None:
            reason = _not_local(scope)
            return None if reason is None else _forbidden(reason)
        given = _authorization(scope)
        if given is None and by_address:
            given = _from_query(scope)
        if given is None:
            return _unauthorized("this page needs a token, and the request had none")
        import hmac

        if hmac.compare_digest(given, self._token):
            return None
        return _unauthorized("the token of the request is not the one that this page was given")


def _checked(token: object) -> bytes:
    if not isinstance(token, str):
        raise TypeError(f"a token is a str, not {type(token).__name__}")
    if not token:
        raise ValueError(
            "the token is empty: everybody would know it. Give a long random one, such as "
            "secrets.token_urlsafe() makes, or None for clients on this computer only"
        )
    first, last = _FIRST_AND_LAST_OF_ASCII
    if not all(first <= ord(character) <= last for character in token):
        raise ValueError(
            "the token has a character that an HTTP header does not carry: a token consists of "
            "letters, digits and signs of ASCII, without spaces"
        )
    return token.encode("ascii")


def _forbidden(reason: str) -> Answer:
    return text(
        403,
        f"memory figures are shown to clients on the same computer only, and {reason}.\n"
        "To look at them from elsewhere, give DashboardApp a token.",
    )


def _unauthorized(reason: str) -> Answer:
    return text(
        401,
        f"{reason}.\nSend it as 'Authorization: Bearer TOKEN', or open the page with ?token=TOKEN.",
        (b"www-authenticate", b'Bearer realm="allocmeter"'),
    )


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for found, value in scope["headers"] if found.lower() == name]


def _not_local(scope: Scope) -> str | None:
    """Return why a request is not known to come from this computer; `None` if it does.

    The name that a browser asked for has to be one of this computer, too: a foreign web page can
    make its own name lead here, and would then read what its visitor may read.
    """
    client = scope.get("client")
    if not client:  # a Unix socket: most often of a proxy
        return "where this request came from is not known"
    if not _is_loopback(client[0]):
        return "this request came from another one"
    for name, _ in scope["headers"]:
        lowered = name.lower()
        if lowered in _FORWARDING or lowered.startswith(_FORWARDING_PREFIX):
            return "this request was passed on by a proxy"
    hosts = _values(scope, b"host")
    if len(hosts) != 1 or not _is_local_name(hosts[0]):
        return "this request asked for a host that is not called localhost"
    return None


def _is_local_name(host: bytes) -> bool:
    name, colon, port = host.decode("latin-1").rpartition(":")
    if not colon or name.endswith(":") or host.endswith(b"]"):
        name, port = host.decode("latin-1"), "0"
    if not (port.isascii() and port.isdigit()):
        return False
    if name.startswith("["):
        return name.endswith("]") and ":" in name and _is_loopback(name[1:-1])
    return name.lower() == "localhost" or (":" not in name and _is_loopback(name))


def _is_loopback(address: object) -> bool:
    from ipaddress import ip_address

    if not isinstance(address, str):
        return False
    try:
        found = ip_address(address)
    except ValueError:
        return False
    # As servers that listen on IPv6 see clients of IPv4.
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def _authorization(scope: Scope) -> bytes | None:
    values = _values(scope, b"authorization")
    if len(values) != 1:
        return None
    scheme, _, token = values[0].partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else None


def _from_query(scope: Scope) -> bytes | None:
    from urllib.parse import parse_qsl

    try:
        pairs = parse_qsl(scope.get("query_string", b""), max_num_fields=100)
    except ValueError:
        return None
    tokens = [value for name, value in pairs if name == b"token"]
    return tokens[0] if len(tokens) == 1 else None
