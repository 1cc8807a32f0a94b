"""Rate limits: a bucket of tokens for each caller, decided in whole numbers.

A bucket holds `burst` tokens and is refilled at an even pace; who finds too few in it is told when there will be
enough. Kept is the opposite, what is missing from a full bucket, so that a caller who is unknown has a full one and
costs no memory. Redis does the same arithmetic (`storage.redis.scripts`, TAKE_TOKENS): change it together with `take`.

Rule 1: within any stretch of time at most `burst` tokens are given, and those that it refills. All is counted in whole
numbers that a float can hold exactly, so that no rounding adds up to a token too many.
Rule 2: time is handed in, in microseconds. Where the clock goes back, nothing is refilled until it is again where it
was, but for no longer than a full refill takes.
Rule 3: a bucket may be overdrawn by who is ready to wait. Who comes later waits behind, and what was taken is never
given back, since those behind have their times already.
Rule 4: callers are bounded in number. The one that was away for longest is forgotten first, and begins with a full
bucket when it comes back.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.management.expiration import TTL, life_of

MICRO: Final = 1_000_000
_EXACT: Final = 2**52
"""Half of what a float counts exactly: a full bucket is below that, and so is what it is overdrawn by."""

OnUnavailable: TypeAlias = Literal["local", "allow", "raise"]
"""What to do while the storage is away that a limit is shared by.

``"local"``: each process holds to the limit by itself, so that all together stay below it times their number.
``"allow"``: everybody passes (fail open). ``"raise"``: nobody passes, `StorageError` is raised (fail closed).
"""


class Rate(NamedTuple):
    """A limit, in the unit of its buckets: what all of them count in."""

    burst: int
    """Tokens of a full bucket."""
    token: int
    """Units of one token."""
    refill: int
    """Units that come back in a microsecond."""

    @property
    def room(self) -> int:
        """Units of a full bucket."""
        return self.burst * self.token

    @property
    def fill_time(self) -> int:
        """Microseconds in which an empty bucket is full again."""
        return -(-self.room // self.refill)

    @property
    def longest_wait(self) -> int:
        """Microseconds that somebody may have to wait at most, for counting to stay exact."""
        return _EXACT // self.refill


def rate_of(rate: int, per: TTL, burst: int | None) -> Rate:
    """Give the limit of `rate` tokens in the time `per`, of which `burst` may be taken at once, None for `rate`.

    Raises `InvalidArgumentError` for what is wrong, and `InvalidTTLError` for a time that is none.
    """
    check_whole("rate", rate)
    size = rate if burst is None else burst
    check_whole("burst", size)
    seconds = life_of(per)
    micros = 0 if seconds == math.inf else round(seconds * MICRO)
    if not micros:
        raise InvalidArgumentError("per must be a time from a microsecond up, and not for ever")
    shared = math.gcd(rate, micros)
    limit = Rate(burst=size, token=micros // shared, refill=rate // shared)
    if limit.room > _EXACT or limit.longest_wait < MICRO:
        raise InvalidArgumentError("rate, per and burst are too large to be counted exactly: use rounder numbers")
    return limit


class Level(NamedTuple):
    """The state of a bucket."""

    missing: int
    """Units that are missing from a full one; more than its room where it is overdrawn."""
    at: int
    """When that was so, in microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateDecision:
    """What a limit says to somebody who asks for tokens. Times are seconds."""

    allowed: bool
    """Whether the tokens were given."""
    limit: int
    """How many a full bucket has."""
    remaining: int
    """How many are left now."""
    delay: float = 0.0
    """How long to wait with what they are for; above zero only for who was ready to wait."""
    retry_after: float = 0.0
    """When there will be enough, if nobody else takes them; zero where they were given."""
    reset_after: float = 0.0
    """When the bucket will be full, if nobody takes any."""
    window: float
    """In how long an empty bucket is full."""


def take(rate: Rate, level: Level | None, now: int, tokens: int, patience: int) -> tuple[RateDecision, Level]:
    """Take `tokens`, of which there are no more than `rate.burst`, if they are there in `patience` microseconds.

    `level` None is a full bucket. Gives the decision and the new level.
    """
    missing, at = (0, now) if level is None else level
    at = min(at, now + rate.fill_time)
    if now > at:
        missing, at = max(missing - (now - at) * rate.refill, 0), now
    over = missing + tokens * rate.token - rate.room
    wait = at - now - (-over // rate.refill) if over > 0 else 0
    allowed = wait <= min(patience, rate.longest_wait)
    if allowed:
        missing += tokens * rate.token
    reset = at - now - (-missing // rate.refill) if missing else 0
    return decision(rate, (rate.room - missing) // rate.token, wait, reset, allowed=allowed), Level(missing, at)


def decision(rate: Rate, remaining: int, wait: int, reset: int, *, allowed: bool) -> RateDecision:
    """Say a decision in seconds that was made in microseconds."""
    return RateDecision(
        allowed=allowed,
        limit=rate.burst,
        remaining=max(remaining, 0),
        delay=wait / MICRO if allowed else 0.0,
        retry_after=0.0 if allowed else wait / MICRO,
        reset_after=reset / MICRO,
        window=rate.fill_time / MICRO,
    )


class Buckets:
    """The buckets of the callers of this process."""

    __slots__ = ("_levels", "_most", "_rate", "forgotten")

    def __init__(self, rate: Rate, most: int) -> None:
        """Keep those of `most` callers."""
        self._rate = rate
        self._most = most
        self._levels: dict[str, Level] = {}
        """By caller; the one who came last is the last."""
        self.forgotten = 0
        """How many were forgotten for lack of room before their buckets were full again."""

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, caller: str, now: int, tokens: int, patience: int) -> RateDecision:
        """Decide for `caller`, as the function of that name does."""
        made, level = take(self._rate, self._levels.pop(caller, None), now, tokens, patience)
        self._levels[caller] = level
        if len(self._levels) > self._most:
            oldest = self._levels.pop(next(iter(self._levels)))
            self.forgotten += oldest.missing > (now - oldest.at) * self._rate.refill
        return made


def check_whole(name: str, number: object, *, least: int = 1) -> int:
    """Give `number` if it is an `int` from `least` up; raise `InvalidArgumentError` for the argument `name` if not."""
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise InvalidArgumentError(f"{name} must be a whole number from {least} up, not {number!r:.40}")
    return number
