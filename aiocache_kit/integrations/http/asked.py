"""A request, as far as a cache is concerned.

Rule 1: a request that the rules do not cover is not for the cache at all (`bypass` says why): one with a body, for a
range, with a condition that only an application may judge, or with a method hidden in a header.
Rule 2: headers are gone over once; what is seldom asked for is looked up when it is.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from aiocache_kit.integrations.http.directives import NOTHING_SAID, RequestControl, of_request
from aiocache_kit.integrations.http.fields import Header, Headers, value
from aiocache_kit.integrations.http.keys import FORWARDED, host_of, key_of, path_of, query_of
from aiocache_kit.integrations.http.options import ResponseCacheOptions

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "REPORT", "SEARCH"})
"""Methods that change nothing."""
CONDITIONS: Final = frozenset({b"if-none-match", b"if-modified-since"})
"""Conditions that a cache may judge (RFC 9111, 4.3.2)."""
OVERRIDDEN: Final = "method-override"
"""Why a request is passed by whose method is another one for some applications."""
_NOT_OURS: Final = {
    b"range": "range",
    b"if-range": "range",
    b"if-match": "condition",
    b"if-unmodified-since": "condition",
    b"transfer-encoding": "body",
    b"x-http-method-override": OVERRIDDEN,
    b"x-http-method": OVERRIDDEN,
    b"x-method-override": OVERRIDDEN,
}
_WATCHED: Final = frozenset(
    {b"host", b"cache-control", b"pragma", b"content-length", *CONDITIONS, *_NOT_OURS, *FORWARDED}
)


class Asked:
    """A request with the key of what it asks for."""

    __slots__ = ("bypass", "conditional", "control", "headers", "key", "method", "personal")

    def __init__(self, method: str, headers: Headers, key: str, bypass: str | None) -> None:
        """Begin with a plain request; `Reader` fills in what it says beyond that."""
        self.method: Final = method
        self.headers: Final = headers
        self.key: Final = key
        self.bypass: Final = bypass
        """Why it is none of the cache's business, a token; None: it is."""
        self.control: RequestControl = NOTHING_SAID
        self.personal: tuple[bytes, ...] = ()
        """Headers in it that tell who asks."""
        self.conditional = False
        """Whether it comes with a condition that a cache may judge."""

    def __repr__(self) -> str:
        return f"<Asked with {self.method}{', personal' if self.personal else ''}>"

    @property
    def insists(self) -> bool:
        """Whether nothing that is stored will do, however fresh."""
        return self.control.no_cache or self.control.max_age == 0

    def without_conditions(self) -> list[Header]:
        """Give the headers as they would be in a plain request."""
        return [(name, said) for name, said in self.headers if name not in CONDITIONS]


class Reader:
    """Reads requests as the options have it."""

    __slots__ = ("_hosts", "_ignored", "_obeys", "_ordered", "_personal", "_plain_query", "_trusting", "_watched")

    def __init__(self, options: ResponseCacheOptions) -> None:
        """Know the options."""
        self._hosts = options.hosts
        self._personal = options.personal
        self._watched = _WATCHED | options.personal
        self._trusting = options.trust_forwarded
        self._ordered = options.sort_query
        self._ignored = options.ignored
        self._plain_query = not (options.sort_query or options.ignored)
        self._obeys = options.client_control

    def read(
        self,
        method: str,
        headers: Headers,
        path: str,
        raw_path: str | None,
        query: str,
        *,
        scheme: str,
        root_path: str = "",
        server: str = "",
    ) -> Asked:
        """Read a request; `headers` have names in lower case, `server` is the host where the request names none."""
        watched = self._watched
        lines = [line for line in headers if line[0] in watched]
        found = dict(lines)
        if len(found) < len(lines):
            found = _together(lines)
        named = found.get(b"host")
        host = server if named is None else named.decode("latin-1")
        if self._trusting:
            scheme, host = _forwarded(found, scheme, host)
        known = host_of(host, scheme)
        if not self._plain_query or " " in query:
            query = query_of(query, ordered=self._ordered, ignored=self._ignored)
        path = path_of(path, raw_path, root_path)
        key = key_of(path, query, scheme, known or "", found)
        if known is None or (self._hosts is not None and known not in self._hosts):
            return Asked(method, headers, key, "host")
        if len(found) == (named is not None):
            return Asked(method, headers, key, None)
        return self._read_more(Asked(method, headers, key, _bypass(found, method)), found)

    def _read_more(self, asked: Asked, found: Mapping[bytes, bytes]) -> Asked:
        if self._obeys:
            if b"cache-control" in found:
                asked.control = of_request(value(asked.headers, b"cache-control") or "")
            elif b"no-cache" in found.get(b"pragma", b"").lower():
                asked.control = RequestControl(no_cache=True)
        asked.personal = tuple(sorted(self._personal.intersection(found)))
        asked.conditional = not CONDITIONS.isdisjoint(found)
        return asked


def _together(lines: Iterable[Header]) -> dict[bytes, bytes]:
    """Give headers of which some come twice with all that they say: who knows which of it an application believes.

    Two hosts are none then, so that such a request is passed by.
    """
    found: dict[bytes, bytes] = {}
    for name, said in lines:
        found[name] = b", ".join((found[name], said)) if name in found else said
    return found


def _bypass(found: Mapping[bytes, bytes], method: str) -> str | None:
    if method in {"GET", "HEAD"} and found.get(b"content-length", b"0") != b"0":
        return "body"
    return next((reason for name, reason in _NOT_OURS.items() if name in found), None)


def _forwarded(found: dict[bytes, bytes], scheme: str, host: str) -> tuple[str, str]:
    """Give the address that a trusted proxy tells of; what was said is no other part of the key then."""
    said = found.pop(b"x-forwarded-host", b"").decode("latin-1").partition(",")[0].strip()
    proto = found.pop(b"x-forwarded-proto", b"").decode("latin-1").partition(",")[0].strip().lower()
    return (proto if proto in {"http", "https"} else scheme), (said or host)
