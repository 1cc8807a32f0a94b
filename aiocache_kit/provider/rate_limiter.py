"""`RateLimiter`: so many per second, for each caller, in this process or among all who share a storage.

Rule 1: what decides is one step: in the process nothing is awaited between the look at a bucket and taking from it, and
in Redis it is one script, by the server's clock.
Rule 2: a caller that is cancelled while it waits has taken its tokens all the same (`management.rate_limit`).
Rule 3: what happens while the storage cannot be reached is said, not chanced upon (`OnUnavailable`).
"""

import math
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, final, get_args

from aiocache_kit.clock import Clock, SystemClock
from aiocache_kit.errors import (
    InvalidArgumentError,
    InvalidTTLError,
    RateLimitedError,
    StorageAccessError,
    StorageError,
)
from aiocache_kit.management.expiration import TTL, life_of
from aiocache_kit.management.rate_limit import (
    MICRO,
    Buckets,
    OnUnavailable,
    Rate,
    RateDecision,
    check_whole,
    decision,
    rate_of,
)

SharedTake: TypeAlias = Callable[[str, Rate, int, int], Awaitable[RateDecision]]
"""Takes tokens for a caller, at a rate, within so many microseconds, from a bucket that is shared."""
MOST_KEYS: Final = 10_000


@final
class RateLimiter:
    """A limit of `rate` in the time `per` for each key, of which `burst` may come at once.

    A key stands for a caller: a user, an address, ``""`` for all together. Buckets of at most `max_keys` callers are
    kept; the one that was away for longest is forgotten first.
    """

    def __init__(
        self,
        rate: int,
        *,
        per: TTL = 1.0,
        burst: int | None = None,
        max_keys: int = MOST_KEYS,
        on_unavailable: OnUnavailable = "local",
        shared: SharedTake | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Limit within this process; `Provider.rate_limiter` gives one that several share, by way of `shared`.

        `burst` None is as many as `rate`; `clock` None is that of this machine. `on_unavailable` is for `shared` alone.
        Raises `InvalidTTLError` for a `per` that is no time, and `InvalidArgumentError` for what else is wrong.
        """
        self._rate = rate_of(rate, per, burst)
        check_whole("max_keys", max_keys)
        if on_unavailable not in get_args(OnUnavailable):
            raise InvalidArgumentError(f"on_unavailable must be local, allow or raise, not {on_unavailable!r:.40}")
        self._buckets = Buckets(self._rate, max_keys)
        self._on_unavailable = on_unavailable
        self._shared = shared
        self._clock: Clock = SystemClock() if clock is None else clock
        self.degraded: int = 0
        """How often it was decided without the shared storage, because that was away."""
        self.refused: int = 0
        """How often tokens were asked for here, and not given."""

    def __repr__(self) -> str:
        of = "of this process" if self._shared is None else "shared"
        return f"<RateLimiter {of}: {self._rate.burst} in {self.window:g} s, {len(self._buckets)} callers kept>"

    @property
    def limit(self) -> int:
        """How many may come at once: the `burst`, or the rate where none was given."""
        return self._rate.burst

    @property
    def window(self) -> float:
        """The seconds in which so many may come again."""
        return self._rate.fill_time / MICRO

    @property
    def forgotten(self) -> int:
        """How many callers were forgotten before their buckets were full again, because there were too many."""
        return self._buckets.forgotten

    async def acquire(self, key: str = "", cost: int = 1, *, timeout: TTL = 0) -> RateDecision:
        """Take `cost` tokens for `key`, waiting for them for `timeout` at most: 0 for not at all, None for ever.

        Raises `RateLimitedError`, which says when to come back, where they would not be there in that time; nothing was
        taken then, and nothing waited for. Who waits does so in the order of coming, and has spent his tokens if he is
        cancelled. Raises `InvalidArgumentError` for a `cost` that is no `int` from 1 to `limit`, a key that is no `str`
        and a `timeout` that is no time, and `StorageError` where the storage is away, if `on_unavailable` says so.
        """
        made = await self._decide(key, cost, _patience(timeout))
        if not made.allowed:
            raise RateLimitedError(made.retry_after)
        if made.delay:
            await self._clock.sleep(made.delay)
        return made

    async def try_acquire(self, key: str = "", cost: int = 1) -> RateDecision:
        """Take `cost` tokens for `key` if they are there, and say so; nothing is waited for.

        Otherwise as `acquire`, without `RateLimitedError`.
        """
        return await self._decide(key, cost, 0)

    async def _decide(self, key: str, cost: int, patience: int) -> RateDecision:
        if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance]  - callers without types
            raise InvalidArgumentError(f"key must be a str, not {type(key).__name__}")
        check_whole("cost", cost)
        if cost > self._rate.burst:
            raise InvalidArgumentError(f"cost must be at most {self._rate.burst}, so many as may come at once")
        made = await self._made(key, cost, patience)
        self.refused += not made.allowed
        return made

    async def _made(self, key: str, cost: int, patience: int) -> RateDecision:
        if self._shared is not None:
            try:
                return await self._shared(key, self._rate, cost, patience)
            except StorageError as error:
                if self._on_unavailable == "raise" or isinstance(error, StorageAccessError):
                    raise
            self.degraded += 1
            if self._on_unavailable == "allow":
                return decision(self._rate, self._rate.burst, 0, 0, allowed=True)
        return self._buckets.take(key, int(self._clock.monotonic() * MICRO), cost, patience)


def _patience(timeout: object) -> int:
    if timeout == 0 and not isinstance(timeout, bool):
        return 0
    try:
        seconds = life_of(timeout)
    except InvalidTTLError:
        raise InvalidArgumentError("timeout must be seconds from 0 up, a timedelta, text, or None for ever") from None
    return 2**62 if seconds == math.inf else round(seconds * MICRO)
