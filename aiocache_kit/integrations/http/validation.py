"""Validators: making them, comparing them, and what a `304 Not Modified` says and changes.

RFC 9110, 8.8 and 13; RFC 9111, 3.2 and 4.3.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from aiocache_kit.integrations.http.fields import HOP_BY_HOP, Header, Headers, instant, members, value

NOT_MODIFIED: Final = 304
_OF_THE_BODY: Final = frozenset({b"content-encoding", b"content-length", b"content-md5", b"content-range"})
"""Fields that describe the stored body, and that no later message about it changes (RFC 9111, 3.2)."""
_NOT_IN_304: Final = frozenset({b"content-type", b"content-language", b"content-disposition", *_OF_THE_BODY})


def make_etag(headers: Headers, body: bytes) -> bytes:
    """Give a strong validator: equal only for bodies that are equal, byte for byte, and coded and typed alike."""
    hashed = blake2b(body, digest_size=16)
    for name in (b"content-encoding", b"content-type", b"content-language"):
        hashed.update(b"\n" + (value(headers, name) or "").encode("latin-1"))
    return b'"' + hashed.hexdigest().encode() + b'"'


def weak(etag: str) -> str:
    """Give what of a validator counts in a weak comparison."""
    return etag.removeprefix("W/")


def is_strong(etag: str | None) -> bool:
    """Whether a validator tells that bodies are equal byte for byte."""
    return etag is not None and len(etag) > 1 and etag.startswith('"') and etag.endswith('"')


def is_unchanged(request: Headers, response: Headers, received_at: float) -> bool:
    """Whether the conditions of a request say that its client has this response already (4.3.2).

    `If-None-Match` counts before `If-Modified-Since`, which is compared with `Last-Modified`, else `Date`, else with
    when the response was received; a date that is none does not count.
    """
    wanted = value(request, b"if-none-match")
    if wanted is not None:
        etag = value(response, b"etag")
        known = members(wanted)
        return "*" in known or (etag is not None and weak(etag) in map(weak, known))
    since = instant(value(request, b"if-modified-since"), received_at)
    if since is None:
        return False
    modified = instant(value(response, b"last-modified"), received_at)
    if modified is None:
        modified = instant(value(response, b"date"), received_at)
    return (received_at if modified is None else modified) <= since


def of_304(headers: Iterable[Header]) -> list[Header]:
    """Give the headers that a 304 has in place of a response with these (RFC 9110, 15.4.5)."""
    kept = [(name, said) for name, said in headers if name not in _NOT_IN_304 and name not in HOP_BY_HOP]
    if any(name == b"etag" for name, _ in kept):
        return [(name, said) for name, said in kept if name != b"last-modified"]
    return kept


def conditions(stored: Headers, *, own_etag: bool) -> list[Header]:
    """Give what asks the application whether a stored response still holds; `own_etag`: it does not know the tag."""
    found: list[Header] = []
    etag, modified = value(stored, b"etag"), value(stored, b"last-modified")
    if etag is not None and not own_etag:
        found.append((b"if-none-match", etag.encode("latin-1")))
    if modified is not None:
        found.append((b"if-modified-since", modified.encode("latin-1")))
    return found


def confirms(stored: Headers, told: Headers) -> bool:
    """Whether a 304 with the headers `told` is about the stored response (4.3.4)."""
    etag = value(told, b"etag")
    if etag is not None:
        known = value(stored, b"etag")
        return known is not None and (etag == known or (not is_strong(etag) and weak(etag) == weak(known)))
    modified = value(told, b"last-modified")
    return modified is None or modified == (value(stored, b"last-modified") or modified)


def is_still_the_one(stored: Headers, told: Headers, length: int) -> bool:
    """Whether what a HEAD told is what a stored GET holds (4.3.5)."""
    size = value(told, b"content-length")
    if size is not None and size != str(length):
        return False
    return all(value(told, name) in {None, value(stored, name)} for name in (b"etag", b"last-modified"))


def merged(stored: Headers, told: Headers) -> list[Header]:
    """Give the headers of a stored response after a 304 with the headers `told` (3.2)."""
    newer = [(name, said) for name, said in told if name not in _OF_THE_BODY and name not in HOP_BY_HOP]
    # A date belongs to freshness: without a new one the response counts as made when its 304 came.
    replaced = {b"date", *(name for name, _ in newer)}
    return [*((name, said) for name, said in stored if name not in replaced), *newer]
