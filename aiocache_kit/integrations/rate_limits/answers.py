"""What a client is told of a limit: fields of the response, and the response where it is refused.

The fields are those of the IETF's draft (RateLimit header fields for HTTP, draft-ietf-httpapi-ratelimit-headers-10):
``RateLimit-Policy`` has the size of a bucket (q) and the seconds in which it is filled (w), ``RateLimit`` what is left
(r) and the seconds until it is full again (t). ``Retry-After`` says when one request is possible.

Rule: seconds are whole numbers there, and are rounded up: who waits for as long as he is told does not come too early.
"""

import json
import math
from typing import Final, NamedTuple, TypeAlias, cast

from aiocache_kit.errors import InvalidArgumentError, StorageUnavailableError
from aiocache_kit.integrations.rate_limits.later import LaterLimiter
from aiocache_kit.management.rate_limit import RateDecision
from aiocache_kit.provider import RateLimiter

Limiter: TypeAlias = RateLimiter | LaterLimiter
"""A limiter, or what `AppCache.rate_limiter` gives, which stands for one until the application runs."""
TOO_MANY: Final = 429
UNAVAILABLE: Final = 503
_LONGEST_NAME: Final = 64
_MOST: Final = 999_999_999_999_999
"""The largest whole number that a structured field may have."""


class Refusal(NamedTuple):
    """A response in the place of the application's."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Answers:
    """What is said of one limit."""

    __slots__ = ("_limiter", "_name", "_policy")

    def __init__(self, limiter: Limiter, name: str) -> None:
        """Call the limit `name`; raise `InvalidArgumentError` unless that is 1 to 64 printable characters of ASCII."""
        if not isinstance(cast("object", limiter), RateLimiter | LaterLimiter):
            wanted = "a RateLimiter, or what AppCache.rate_limiter gives"
            raise InvalidArgumentError(f"limiter must be {wanted}, not {type(limiter).__name__}")
        if not (name.isascii() and name.isprintable() and 0 < len(name) <= _LONGEST_NAME):
            raise InvalidArgumentError(f"name must be 1 to {_LONGEST_NAME} printable characters of ASCII")
        self._limiter = limiter
        self._name = name
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        self._policy = f'"{quoted}"'

    async def ask(self, key: str) -> RateDecision | Refusal:
        """Take a token for `key`; give the decision where it was taken, and what to answer otherwise."""
        try:
            limiter = self._limiter() if isinstance(self._limiter, LaterLimiter) else self._limiter
            made = await limiter.try_acquire(key)
        except StorageUnavailableError:
            return _refusal(UNAVAILABLE, "The rate limit cannot be looked at now", [])
        if made.allowed:
            return made
        retry = ("Retry-After", str(_seconds(made.retry_after)))
        type_ = "https://iana.org/assignments/http-problem-types#quota-exceeded"
        return _refusal(
            TOO_MANY, "Too many requests", [retry, *self.fields(made)], type=type_, violated_policies=[self._name]
        )

    def fields(self, made: RateDecision) -> list[tuple[str, str]]:
        """Give the fields that every response has."""
        quota, window = min(made.limit, _MOST), max(_seconds(made.window), 1)
        return [
            ("RateLimit-Policy", f"{self._policy};q={quota};w={window}"),
            ("RateLimit", f"{self._policy};r={min(made.remaining, _MOST)};t={_seconds(made.reset_after)}"),
        ]


def _refusal(status: int, title: str, headers: list[tuple[str, str]], **more: object) -> Refusal:
    """Give a response as RFC 9457 has it, which no cache keeps (RFC 6585)."""
    problem = {"title": title, "status": status, **{name.replace("_", "-"): each for name, each in more.items()}}
    body = json.dumps(problem).encode()
    said = [("Content-Type", "application/problem+json"), ("Cache-Control", "no-store")]
    return Refusal(status, [*said, *headers, ("Content-Length", str(len(body)))], body)


def _seconds(duration: float) -> int:
    return min(math.ceil(duration), _MOST)
