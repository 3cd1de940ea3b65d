"""What a scope's name becomes in a monitoring system."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from allocmeter.integrations._http_methods import METHODS

MAX_LENGTH: Final = 200

# What separates lines or cannot be encoded would damage the whole exposition, not only its series.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ROUTE = re.compile(rf"({'|'.join(sorted(METHODS))}) (/.*)")
_DIGEST_SIZE = 4


class Labels(NamedTuple):
    """The labels of one series.

    Attributes:
        scope: the scope's name, at most `MAX_LENGTH` characters, without control characters.
        route: the route template if the name is a method and a route, else empty.
        method: the method if the name is a method and a route, else empty.
    """

    scope: str
    route: str = ""
    method: str = ""


def labels_of(name: str) -> Labels:
    """Return the labels for a scope's name.

    A name that had to be changed ends in a digest of the original, so that it stays apart from
    others, and is the same in every process.
    """
    scope = _UNSAFE.sub(_escaped, name[: MAX_LENGTH + 1])
    if scope != name or len(scope) > MAX_LENGTH:
        from hashlib import blake2s

        original = name.encode(errors="surrogatepass")
        digest = blake2s(original, digest_size=_DIGEST_SIZE).hexdigest()
        scope = f"{scope[: MAX_LENGTH - 1 - len(digest)]}~{digest}"
    found = _ROUTE.fullmatch(scope)
    return Labels(scope) if found is None else Labels(scope, found[2], found[1])


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
