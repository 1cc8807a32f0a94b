"""Freshness: how long a value may be served, and when to ask its source again.

The terms are HTTP's (RFC 5861): ``stale_while_revalidate`` and ``stale_if_error`` are seconds *beyond* the ttl. Within
the first, an old value is given at once while a new one is loaded; within the second, it is given where its source
fails.

Rule 1: all here is decided from values that are handed in: the item, the time, what chance has drawn.
Rule 2: what somebody has ended by hand (`Provider.expire`) is never given as if time alone had done it: it is a
fall-back for a failing source, and nothing else. Such an item has a ttl of zero.
Rule 3: a window of zero seconds holds nothing, not even the instant at which the ttl is over.
"""

import math
from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias, TypedDict, cast

from aiocache_kit.errors import (
    InvalidArgumentError,
    InvalidTTLError,
    LoadFailedError,
    LoadTimeoutError,
    OverloadedError,
    RateLimitedError,
)
from aiocache_kit.item import Item
from aiocache_kit.management.expiration import TTL, life_of

_REMEMBERED: Final = 256
"""Policies that need not be checked again."""

Failing: TypeAlias = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]
"""Which errors of a loader mean that its source fails."""


class FreshnessOptions(TypedDict, total=False):
    """What may be said of freshness at a call, a decorator and in a configuration; the nearest counts."""

    jitter: float
    """The share of the ttl by which it is shortened at random, from 0 up and below 1."""
    stale_while_revalidate: TTL
    """Seconds beyond the ttl in which the old value is given at once, and loaded anew in the background; 0: none."""
    stale_if_error: TTL
    """Seconds beyond the ttl in which the old value is given where the loader fails; 0: none, None: for ever."""
    stale_on: Failing
    """Which errors mean that the source fails: classes, or a function that decides; by default every `Exception`.

    `LoadFailedError` (`LoadContext.fail`), `LoadTimeoutError`, `OverloadedError` and `RateLimitedError` mean that in
    any case.
    """
    throttle: TTL
    """Seconds for which a source that failed is not asked again while there is an old value to give; 0: always ask."""
    refresh_ahead: float | None
    """The share of the ttl after which a hit starts a load in the background, above 0 and below 1; None: never."""
    early_beta: float | None
    """How eagerly to load ahead, by chance and by how long loads take (XFetch); 1 is usual, 0 and None: not at all."""
    timeout: TTL
    """Seconds after which a load is ended with `LoadTimeoutError`; None: never."""
    stale_timeout: TTL
    """Seconds that a load may keep callers waiting who could have an old value: they get that, and it goes on.

    Which old value, `stale_if_error` says; None: they wait for as long as it takes.
    """
    negative_ttl: TTL
    """Seconds for which an error of the loader is remembered and raised again without a load; 0: not at all."""
    cache_none: bool
    """Whether None is a value like any other; if not, it is given to those who wait, and not stored."""


class Freshness(NamedTuple):
    """The same, checked; durations are seconds, infinity for ever."""

    jitter: float = 0.0
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    stale_on: Failing = Exception
    throttle: float = 30.0
    refresh_ahead: float | None = None
    early_beta: float = 0.0
    timeout: float = math.inf
    stale_timeout: float = math.inf
    negative_ttl: float = 0.0
    cache_none: bool = True

    @property
    def stale_for(self) -> float:
        """Give the seconds beyond its ttl for which a value is to be kept."""
        return max(self.stale_while_revalidate, self.stale_if_error)

    @property
    def looks_ahead(self) -> bool:
        """Whether a fresh value may have to be loaded anew."""
        return self.refresh_ahead is not None or bool(self.early_beta)

    @property
    def keeps_old(self) -> bool:
        """Whether an old value may be of use: while a new one is loaded, or where that fails."""
        return self.looks_ahead or bool(self.stale_for)

    def is_failure(self, error: Exception) -> bool:
        """Whether an error of a loader means that its source fails."""
        if isinstance(error, LoadFailedError | LoadTimeoutError | OverloadedError | RateLimitedError):
            return True
        stale_on: Failing = self.stale_on
        if isinstance(stale_on, type) or isinstance(stale_on, tuple):  # noqa: SIM101  - pyright tells them apart
            return isinstance(error, stale_on)
        return stale_on(error)

    def spread(self, life: float, draw: float) -> float:
        """Give the ttl of one value, `draw` being a number from 0 up and below 1 that chance gave."""
        return life if not self.jitter or life == math.inf else life * (1.0 - self.jitter * draw)


class Verdict(Enum):
    """What to do with what is there."""

    FRESH = "fresh"
    """Give it."""
    AGEING = "ageing"
    """Give it, and load anew in the background."""
    STALE = "stale"
    """The same, though its time is over."""
    FALLBACK = "fallback"
    """Load, and give it only if that fails or takes too long."""
    GONE = "gone"
    """Load: there is nothing to give."""


def judge(policy: Freshness, item: Item[object] | None, now: float, *, load_time: float, draw: float) -> Verdict:
    """Decide what to do with `item` at the time `now` of the wall clock.

    `load_time` is what a load takes, in seconds, and `draw` a number above 0 and at most 1 that chance gave.
    """
    if item is None:
        return Verdict.GONE
    if not item.is_stale:
        return Verdict.AGEING if _is_ageing(policy, item, now, load_time, draw) else Verdict.FRESH
    # Between the look at the item and this one somebody may have set the clock: it is over all the same.
    over = 0.0 if item.expiration is None else max(now - item.expiration, 0.0)
    if item.ttl and over < policy.stale_while_revalidate:
        return Verdict.STALE
    return Verdict.FALLBACK if over < policy.stale_if_error else Verdict.GONE


def _is_ageing(policy: Freshness, item: Item[object], now: float, load_time: float, draw: float) -> bool:
    if item.expiration is None or item.ttl is None:
        return False
    left = item.expiration - now
    if policy.refresh_ahead is not None and left <= (1.0 - policy.refresh_ahead) * item.ttl:
        return True
    # Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention (2015).
    return bool(policy.early_beta) and left <= -load_time * policy.early_beta * math.log(draw)


def checked(options: dict[str, Any], default: Freshness) -> Freshness:
    """Give `default` with what `options` say; raise `InvalidArgumentError` for the first that is wrong."""
    if OF_FRESHNESS.isdisjoint(options):
        return default
    given: list[Any] = []
    for name, each in options.items():
        if name in _PLAIN:
            given += (name, each)
    try:
        policy = _with(default, *given)
    except TypeError:  # what cannot be hashed is no duration and no number, and this says so
        policy = _with.__wrapped__(default, *given)
    # A function may be another one at each call, and what it holds is not to be kept alive here.
    return policy._replace(stale_on=_failing("stale_on", options["stale_on"])) if "stale_on" in options else policy


@lru_cache(maxsize=_REMEMBERED, typed=True)  # the calls of a program have few policies, and checking takes microseconds
def _with(default: Freshness, *given: Any) -> Freshness:  # noqa: ANN401  - names and values, by turns
    names = given[::2]
    return default._replace(**{name: CHECKS[name](name, each) for name, each in zip(names, given[1::2], strict=True)})


def _duration(name: str, value: object) -> float:
    if not isinstance(value, bool) and (value == 0 or value == timedelta()):
        return 0.0
    try:
        return life_of(value)
    except InvalidTTLError:
        raise InvalidArgumentError(
            f'{name} must be seconds from 0 up, a timedelta, text such as "1h30m", or None for ever'
        ) from None


def _share(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < 1.0:
        raise InvalidArgumentError(f"{name} must be a number from 0 up and below 1")
    return float(value)


def _ahead(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < 1.0:
        raise InvalidArgumentError(f"{name} must be a number above 0 and below 1, or None for never")
    return float(value)


def _factor(name: str, value: object) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < math.inf:
        raise InvalidArgumentError(f"{name} must be a number from 0 up")
    return float(value)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidArgumentError(f"{name} must be True or False")
    return value


def _failing(name: str, value: object) -> Failing:
    is_function = _is_function(value)
    classes: tuple[object, ...] = (value,) if not isinstance(value, tuple) else cast("tuple[object, ...]", value)
    if not is_function and not all(isinstance(each, type) and issubclass(each, Exception) for each in classes):
        raise InvalidArgumentError(f"{name} must be an exception class, a tuple of them, or a function of an exception")
    return cast("Failing", value)


def _is_function(value: object) -> bool:
    return callable(value) and not isinstance(value, type)


CHECKS: Final[dict[str, Callable[[str, object], Any]]] = {
    "jitter": _share,
    "stale_while_revalidate": _duration,
    "stale_if_error": _duration,
    "stale_on": _failing,
    "throttle": _duration,
    "refresh_ahead": _ahead,
    "early_beta": _factor,
    "timeout": _duration,
    "stale_timeout": _duration,
    "negative_ttl": _duration,
    "cache_none": _flag,
}
"""What gives an option, by its name, its one form; it raises `InvalidArgumentError`."""

OF_FRESHNESS: Final = frozenset(CHECKS)
"""The names of the options."""
_PLAIN: Final = OF_FRESHNESS - {"stale_on"}
