"""What can be chosen about the cache of responses."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final, cast

from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.integrations.http.fields import is_name
from aiocache_kit.integrations.http.keys import host_of
from aiocache_kit.integrations.http.status import is_token
from aiocache_kit.management.expiration import TTL, life_of

BY_DEFAULT: Final = frozenset({200, 203, 204, 300, 301, 302, 303, 307, 308})
"""No errors: one that a hostile request has provoked would be served to everybody."""

_STATUSES: Final = range(200, 600)
_NOT_IN_NAMES: Final = frozenset("&=# ")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseCacheOptions:
    """What may be stored, for how long, and whom it is given to. Durations are ttls; 0 and None mean "none".

    Raises `InvalidArgumentError` or `InvalidTTLError` for what is not allowed.
    """

    default_ttl: TTL = None
    """How long a response is fresh that does not say so itself; None: such a one is not stored."""
    heuristic_ratio: float = 0.0
    """The share of its time since `Last-Modified` for which such a response is fresh, a day at most; 0: not at all."""
    stale_while_revalidate: TTL = None
    """How long a stale response is given while a new one is made, where the response itself does not say."""
    stale_if_error: TTL = None
    """How long a stale response is given where the application fails, where the response itself does not say."""
    keep_stale: TTL = "10m"
    """How long a stale response is kept which the application can be asked about: one with its own validator."""
    max_body: int = 1024 * 1024
    """Bytes of a body and its headers; larger responses pass through."""
    max_variants: int = 32
    """Responses of one address that are kept for different request headers (`Vary`)."""
    statuses: Collection[int] = BY_DEFAULT
    """What may be stored; errors are among them only if you say so."""
    personal_headers: Collection[str] = ("authorization", "cookie")
    """Headers that tell who asks: a request with one shares only what says that it is for all, or varies by it."""
    allowed_hosts: Collection[str] | None = None
    """Hosts whose requests are cached, with their ports where those are unusual; None: any."""
    trust_forwarded: bool = False
    """Whether `X-Forwarded-Host` and `X-Forwarded-Proto` are the address, because a proxy of yours sets both."""
    sort_query: bool = False
    """Whether the order of query parameters of different names means nothing to the application."""
    ignore_query: Collection[str] = ()
    """Names of query parameters that the application does not look at."""
    client_control: bool = True
    """Whether a request's `Cache-Control` and `Pragma` count; False: no client can make the application work."""
    etag: bool = True
    """Whether stored responses without an `ETag` are given one."""
    cache_status: str | None = "aiocache_kit"
    """The name of this cache in the `Cache-Status` header (RFC 9211), a token; None: no such header."""
    x_cache: bool = False
    """Whether responses tell ``X-Cache: HIT`` or ``MISS`` as well."""
    expose_tags: bool = False
    """Whether the `Cache-Tag` header of the application reaches clients."""
    wait_timeout: TTL = 5
    """How long a request waits for the response to another one like it before it asks the application itself."""
    remember_unshared: TTL = 120
    """For how long requests do not wait for one another where the response turned out not to be for all."""
    max_background: int = 32
    """Stale responses that are made anew behind their readers' backs, at a time."""
    personal: frozenset[bytes] = field(init=False, repr=False, default=frozenset())
    ignored: frozenset[str] = field(init=False, repr=False, default=frozenset())
    hosts: frozenset[str] | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        """Check everything, and bring it into the form that requests are compared with."""
        for name in ("default_ttl", "stale_while_revalidate", "stale_if_error", "keep_stale"):
            _set(self, name, seconds(getattr(self, name)))
        for name in ("wait_timeout", "remember_unshared"):
            _set(self, name, seconds(getattr(self, name)))
        for name in ("max_body", "max_variants", "max_background"):
            _check_count(name, getattr(self, name))
        for name in ("trust_forwarded", "sort_query", "client_control", "etag", "x_cache", "expose_tags"):
            _check_flag(name, getattr(self, name))
        _check_share("heuristic_ratio", self.heuristic_ratio)
        _check_token("cache_status", self.cache_status)
        _set(self, "statuses", _statuses(self.statuses) - {206, 304})
        personal = _texts("personal_headers", self.personal_headers, is_name, "names of headers")
        _set(self, "personal", frozenset(name.lower().encode("latin-1") for name in personal))
        query = "names of query parameters as they stand in addresses"
        _set(self, "ignored", frozenset(_texts("ignore_query", self.ignore_query, _is_parameter, query)))
        if self.allowed_hosts is not None:
            hosts = _texts("allowed_hosts", self.allowed_hosts, _is_host, "hosts such as example.org")
            _set(self, "hosts", frozenset(host_of(host, "") for host in hosts))

    def life(self, name: str) -> float:
        """Give a duration among the options in seconds, 0.0 for none."""
        return getattr(self, name)  # type: ignore[no-any-return]  # __post_init__ has made it a float


def seconds(ttl: TTL) -> float:
    """Give the seconds of a duration of which 0 and None mean "none"."""
    return 0.0 if ttl is None or (ttl == 0 and not isinstance(ttl, bool)) else life_of(ttl)


def _set(options: ResponseCacheOptions, name: str, value: object) -> None:
    object.__setattr__(options, name, value)  # a frozen class offers no other way


def _check_count(name: str, count: object) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InvalidArgumentError(f"{name} must be an int from 1 up")


def _check_flag(name: str, flag: object) -> None:
    if not isinstance(flag, bool):
        raise InvalidArgumentError(f"{name} must be True or False, not {flag!r:.40}")


def _check_share(name: str, share: object) -> None:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise InvalidArgumentError(f"{name} must be a number from 0 to 1")


def _check_token(name: str, token: object) -> None:
    if token is not None and (not isinstance(token, str) or not is_token(token)):
        raise InvalidArgumentError(f"{name} must be a token that begins with a letter, or None")


def _entries(name: str, given: object, what: str) -> Collection[object]:
    """Refuse a bare text, which would be taken for a collection of its letters."""
    if isinstance(given, str | bytes | bytearray) or not isinstance(given, Collection):
        hint = ": put it into a list" if isinstance(given, str) else ""
        raise InvalidArgumentError(f"{name} must be a collection of {what}, not {type(given).__name__}{hint}")
    return cast("Collection[object]", given)


def _texts(name: str, given: object, is_right: Callable[[str], bool], what: str) -> Collection[str]:
    entries = _entries(name, given, what)
    for entry in entries:
        if not isinstance(entry, str) or not is_right(entry):
            raise InvalidArgumentError(f"{name} must be a collection of {what}, and {entry!r:.80} is none")
    return cast("Collection[str]", entries)


def _statuses(given: object) -> frozenset[int]:
    entries = _entries("statuses", given, "ints from 200 to 599")
    for entry in entries:
        if isinstance(entry, bool) or not isinstance(entry, int) or entry not in _STATUSES:
            raise InvalidArgumentError(
                f"statuses must be a collection of ints from 200 to 599, and {entry!r:.40} is none"
            )
    return frozenset(cast("Collection[int]", entries))


def _is_parameter(text: str) -> bool:
    return text != "" and text.isascii() and text.isprintable() and _NOT_IN_NAMES.isdisjoint(text)


def _is_host(text: str) -> bool:
    return host_of(text, "") is not None
