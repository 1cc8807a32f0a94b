"""`Cache-Status` (RFC 9211): what this cache did with a request, as one member of a list, and `X-Cache`.

Nothing of a key or of another request is told.
"""

import re
from typing import Final, NamedTuple

from aiocache_kit.integrations.http.fields import Header

_TOKEN: Final = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*")

BYPASS: Final = "bypass"
METHOD: Final = "method"
MISS: Final = "uri-miss"
VARY_MISS: Final = "vary-miss"
REQUEST: Final = "request"
STALE: Final = "stale"


class Told(NamedTuple):
    """What one response says of how it was come by."""

    forwarded: str | None = None
    """Why the application was asked; None: it was not."""
    ttl: int | None = None
    """Seconds for which a stored response is fresh, negative for a stale one."""
    stored: bool = False
    collapsed: bool = False
    """Whether the response is that to another request, which was under way."""
    status: int | None = None
    """What the application answered, where that is not what the client gets."""
    detail: str | None = None
    """A token: why nothing was stored, or nothing could be used."""


def is_token(text: str) -> bool:
    """Whether a text can stand in a structured field without quotes."""
    return _TOKEN.fullmatch(text) is not None


def lines(name: str | None, told: Told, *, x_cache: bool) -> list[Header]:
    """Give the headers that say it; `name` is that of the cache, None for no `Cache-Status`."""
    found: list[Header] = []
    if name is not None:
        parts = [name, "hit" if told.forwarded is None else f"fwd={told.forwarded}"]
        if told.status is not None:
            parts.append(f"fwd-status={told.status}")
        if told.ttl is not None:
            parts.append(f"ttl={told.ttl}")
        if told.stored:
            parts.append("stored")
        if told.collapsed:
            parts.append("collapsed")
        if told.detail is not None:
            parts.append(f"detail={told.detail}")
        found.append((b"cache-status", "; ".join(parts).encode("latin-1")))
    if x_cache:
        found.append((b"x-cache", b"HIT" if told.forwarded is None else b"MISS"))
    return found
