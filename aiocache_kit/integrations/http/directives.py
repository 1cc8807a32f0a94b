"""`Cache-Control`, read: what a response and a request ask of a shared cache (RFC 9111, 5.2; RFC 5861).

Rule 1: where a directive comes twice the first one counts; one whose seconds are no number means zero (4.2.1).
Rule 2: directives that forbid count wherever they stand and however they are written; those that permit must be right.
Rule 3: what is not known is no directive of ours, and changes nothing.
"""

import math
from functools import lru_cache
from typing import Any, Final, NamedTuple

from aiocache_kit.integrations.http.fields import is_name, members, names, seconds


class ResponseControl(NamedTuple):
    """What a response says. Durations are seconds, None: not said."""

    no_store: bool = False
    private: bool = False
    no_cache: bool = False
    withheld: tuple[str, ...] = ()
    """Fields that ``private="..."`` or ``no-cache="..."`` names: they are not stored."""
    public: bool = False
    must_revalidate: bool = False
    proxy_revalidate: bool = False
    must_understand: bool = False
    max_age: int | None = None
    s_maxage: int | None = None
    stale_while_revalidate: int | None = None
    stale_if_error: int | None = None

    @property
    def is_for_all(self) -> bool:
        """Whether the response itself says that it may be given to whoever asks."""
        return self.public or self.s_maxage is not None

    @property
    def forbids_stale(self) -> bool:
        """Whether a shared cache must not give it once it is stale (4.2.4)."""
        return self.must_revalidate or self.proxy_revalidate or self.no_cache or self.s_maxage is not None


class RequestControl(NamedTuple):
    """What a request says. Durations are seconds, None: not said."""

    no_store: bool = False
    no_cache: bool = False
    only_if_cached: bool = False
    max_age: int | None = None
    min_fresh: int | None = None
    max_stale: float | None = None
    """Infinity: however stale."""
    stale_if_error: int | None = None


NOTHING_SAID: Final = RequestControl()
_FLAGS: Final = {
    "no-store": "no_store",
    "public": "public",
    "must-revalidate": "must_revalidate",
    "proxy-revalidate": "proxy_revalidate",
    "must-understand": "must_understand",
}
_OF_SECONDS: Final = {
    "max-age": "max_age",
    "s-maxage": "s_maxage",
    "stale-while-revalidate": "stale_while_revalidate",
    "stale-if-error": "stale_if_error",
}
_OF_REQUESTS: Final = {"no-store": "no_store", "no-cache": "no_cache", "only-if-cached": "only_if_cached"}
_SECONDS_OF_REQUESTS: Final = {"max-age": "max_age", "min-fresh": "min_fresh", "stale-if-error": "stale_if_error"}


@lru_cache(maxsize=512)
def of_response(text: str) -> ResponseControl:
    """Read the `Cache-Control` of a response, all its lines together."""
    said: dict[str, Any] = {}
    withheld: list[str] = []
    for name, argument in _directives(text):
        if name in _FLAGS:
            said[_FLAGS[name]] = True
        elif name in _OF_SECONDS:
            said.setdefault(_OF_SECONDS[name], seconds(argument) or 0)
        elif name in {"private", "no-cache"}:
            fields = names(argument or "")
            withheld.extend(fields)
            if not fields or not all(map(is_name, fields)):
                said["private" if name == "private" else "no_cache"] = True
    return ResponseControl(**said, withheld=tuple(withheld))


@lru_cache(maxsize=512)
def of_request(text: str) -> RequestControl:
    """Read the `Cache-Control` of a request, all its lines together."""
    said: dict[str, Any] = {}
    for name, argument in _directives(text):
        if name in _OF_REQUESTS:
            said[_OF_REQUESTS[name]] = True
        elif name in _SECONDS_OF_REQUESTS:
            said.setdefault(_SECONDS_OF_REQUESTS[name], seconds(argument) or 0)
        elif name == "max-stale":
            said.setdefault("max_stale", math.inf if argument is None else float(seconds(argument) or 0))
    return RequestControl(**said)


def _directives(text: str) -> list[tuple[str, str | None]]:
    """Give each directive with its argument; one with space around the sign has an argument that is no number."""
    found: list[tuple[str, str | None]] = []
    for member in members(text):
        name, sign, argument = member.partition("=")
        bare = name.rstrip(" \t")
        if not sign:
            found.append((bare.lower(), None))
        elif bare is not name and bare != name:
            found.append((bare.lower(), " " + argument))
        else:
            found.append((bare.lower(), _unquoted(argument)))
    return found


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text.startswith('"') and text.endswith('"')
    return text[1:-1].replace("\\", "") if quoted else text
