"""What may be stored, for how long, and in which form (RFC 9111, 3 and 4.2; RFC 5861).

Rule 1: everything is decided from the request, status and headers of the response, the options and two instants.
Rule 2: a refusal has a name, which `Cache-Status` tells.
Rule 3: what is stored may be given to whoever asks the same; so a response to somebody who says who he is is stored
only if it says that it is for all, or varies by what he said. One that sets a cookie never is.
"""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from aiocache_kit.integrations.http import stored as form
from aiocache_kit.integrations.http.asked import Asked
from aiocache_kit.integrations.http.directives import ResponseControl, of_response
from aiocache_kit.integrations.http.fields import (
    HOP_BY_HOP,
    Header,
    Headers,
    instant,
    members,
    names,
    seconds,
    value,
    values,
)
from aiocache_kit.integrations.http.options import ResponseCacheOptions
from aiocache_kit.integrations.http.vary import MOST_NAMES
from aiocache_kit.keys import MAX_TAGS

TAGS: Final = b"cache-tag"
_UNDERSTOOD: Final = frozenset({200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501})
_HEURISTIC: Final = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})
"""Statuses that may be stored without being told so (RFC 9110, 15.1)."""
_LONGEST_GUESS: Final = 86_400.0
_NOT_KEPT: Final = HOP_BY_HOP | {b"set-cookie", b"set-cookie2", b"age", TAGS}


class Refusal(NamedTuple):
    """A response is not stored."""

    reason: str
    """A token."""


class Plan(NamedTuple):
    """How a response is to be stored, once all of it is there."""

    headers: list[Header]
    """What is kept of its headers."""
    born: float
    lifetime: float
    revalidate_for: float
    stand_in_for: float
    keep: float
    """Seconds from now after which nobody has a use for it."""
    flags: int
    vary: tuple[str, ...]
    tags: tuple[str, ...]

    def stored(self, status: int, body: bytes, *, leaves: bool) -> form.Stored | None:
        """Make what is stored; None where a header cannot be."""
        block = form.block_of(self.headers)
        if block is None:
            return None
        encoding, text = form.text_of(body, leaves=leaves)
        dates = (self.born, self.lifetime, self.revalidate_for, self.stand_in_for)
        return form.Stored(status, block, encoding, text, *dates, self.flags, list(self.tags))


class Dates(NamedTuple):
    """When a request was passed on, and when its response began to arrive; seconds since the epoch."""

    asked_at: float
    answered_at: float


def plan(
    asked: Asked,
    status: int,
    headers: Headers,
    options: ResponseCacheOptions,
    dates: Dates,
    *,
    more_tags: Iterable[str] = (),
) -> Plan | Refusal:
    """Decide about the response to a GET; `more_tags` are those that the application gave by other ways."""
    control = of_response(value(headers, b"cache-control") or "")
    vary = names(value(headers, b"vary") or "")
    reason = _refusal(asked, status, headers, control, vary=vary, allowed=options.statuses)
    if reason is not None:
        return Refusal(reason)
    lifetime = lifetime_of(status, headers, control, options, dates.answered_at)
    if lifetime is None:
        return Refusal("no-freshness")
    born = dates.answered_at - age_of(headers, dates)
    revalidate_for, stand_in_for = _stale_windows(control, options)
    asks_again = options.life("keep_stale") if has_validator(headers) else 0.0
    left = lifetime - (dates.answered_at - born)
    keep = max(left, 0.0 if control.no_cache else left + max(revalidate_for, stand_in_for), left + asks_again)
    if keep <= 0 or (control.no_cache and not asks_again):
        return Refusal("no-freshness")
    tags = tuple(dict.fromkeys([*members(value(headers, TAGS) or ""), *more_tags]))
    if len(tags) > MAX_TAGS:
        return Refusal("tags")
    kept = _kept(headers, control)
    return Plan(kept, born, lifetime, revalidate_for, stand_in_for, keep, _flags(control), vary, tags)


def _refusal(
    asked: Asked,
    status: int,
    headers: Headers,
    control: ResponseControl,
    *,
    vary: tuple[str, ...],
    allowed: Collection[int],
) -> str | None:
    """Give the first reason there is not to store a response."""
    understood = control.must_understand and status in _UNDERSTOOD
    fields = {name for name, _ in headers}
    reasons = (
        ("status", status not in allowed or (control.must_understand and not understood)),
        ("no-store", control.no_store and not understood),
        ("request", asked.control.no_store),
        ("private", control.private),
        ("set-cookie", b"set-cookie" in fields or b"set-cookie2" in fields),
        ("partial", b"content-range" in fields),
        ("vary", "*" in vary or len(vary) > MOST_NAMES),
        ("personal", not is_shared(asked.personal, flags=_flags(control), vary=vary)),
    )
    return next((reason for reason, applies in reasons if applies), None)


def is_shared(personal: Iterable[bytes], *, flags: int, vary: tuple[str, ...]) -> bool:
    """Whether a response may be shared with, or was made for, a request with these personal headers."""
    if flags & form.FOR_ALL:
        return True
    for name in personal:
        if name == b"authorization":
            if not flags & form.REVALIDATED:
                return False
        elif name.decode("latin-1") not in vary:
            return False
    return True


def _flags(control: ResponseControl) -> int:
    return (
        form.FOR_ALL * control.is_for_all
        | form.REVALIDATED * control.must_revalidate
        | form.NO_CACHE * control.no_cache
        | form.NEVER_STALE * control.forbids_stale
    )


def lifetime_of(
    status: int, headers: Headers, control: ResponseControl, options: ResponseCacheOptions, now: float
) -> float | None:
    """Give the seconds that a response is fresh from its birth (4.2.1); None where nothing permits to store it."""
    if control.s_maxage is not None:
        return float(control.s_maxage)
    if control.max_age is not None:
        return float(control.max_age)
    expires = values(headers, b"expires")
    if expires:
        until = instant(expires[0], now)
        return max(until - _date_of(headers, now), 0.0) if until is not None and len(expires) == 1 else 0.0
    if status in _HEURISTIC:
        guess = _guess(headers, options, now)
        if guess is not None:
            return guess
    return 0.0 if control.public or control.no_cache else None


def _guess(headers: Headers, options: ResponseCacheOptions, now: float) -> float | None:
    """Give the freshness of a response that says nothing of it (4.2.2), None where the options have none."""
    default = options.life("default_ttl")
    if options.heuristic_ratio:
        modified = instant(value(headers, b"last-modified"), now)
        since = 0.0 if modified is None else _date_of(headers, now) - modified
        if since > 0:
            return min(since * options.heuristic_ratio, _LONGEST_GUESS)
    return default or None


def _date_of(headers: Headers, now: float) -> float:
    dates = values(headers, b"date")
    date = instant(dates[0], now) if dates else None
    return now if date is None else date


def age_of(headers: Headers, dates: Dates) -> float:
    """Give how old a response is when it arrives (4.2.3): that of an application which itself asks others."""
    now = dates.answered_at
    apparent = float(max(int(now - _date_of(headers, now)), 0))  # dates have whole seconds
    told = members(", ".join(values(headers, b"age")[:1]))
    return max(apparent, (seconds(told[0]) or 0) + (now - dates.asked_at)) if told else apparent


def _stale_windows(control: ResponseControl, options: ResponseCacheOptions) -> tuple[float, float]:
    if control.forbids_stale:
        return 0.0, 0.0
    behind, instead = control.stale_while_revalidate, control.stale_if_error
    return (
        float(behind) if behind is not None else options.life("stale_while_revalidate"),
        float(instead) if instead is not None else options.life("stale_if_error"),
    )


def has_validator(headers: Headers) -> bool:
    """Whether the application can be asked whether a response still holds."""
    return any(name in {b"etag", b"last-modified"} for name, _ in headers)


def _kept(headers: Headers, control: ResponseControl) -> list[Header]:
    """Give what is stored of the headers (3.1)."""
    named = {name.encode("latin-1") for name in (*names(value(headers, b"connection") or ""), *control.withheld)}
    return [(name, said) for name, said in headers if name not in _NOT_KEPT and name not in named]
