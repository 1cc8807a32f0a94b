import asyncio
from typing import Any

import pytest

from aiocache_kit import Config, Provider, RateLimiter, new_provider
from aiocache_kit.errors import (
    InvalidArgumentError,
    RateLimitedError,
    StorageAccessError,
    StorageUnavailableError,
    UnsupportedError,
)
from aiocache_kit.management.rate_limit import MICRO, Buckets, Rate, RateDecision
from aiocache_kit.storage.agreements import SharedRates
from aiocache_kit.storage.base import Capabilities
from aiocache_kit.storage.null import NullStorage
from aiocache_kit.testing import FakeClock


class Shared(SharedRates):
    """Buckets that several limiters share, and that can be away."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.buckets: dict[Rate, Buckets] = {}
        self.names: list[str] = []
        self.error: Exception | None = None

    async def take(self, name: str, rate: Rate, tokens: int, patience: int) -> RateDecision:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.names.append(name)
        buckets = self.buckets.setdefault(rate, Buckets(rate, 100))
        return buckets.take(name, int(self.clock.monotonic() * MICRO), tokens, patience)


def provider(clock: FakeClock, shared: Shared) -> Provider:
    storage = NullStorage()
    storage.rates = shared
    return Provider(storage, clock=clock)


async def test_a_thousand_tasks_at_once_get_what_the_limit_has() -> None:
    """Of a thousand at once exactly a full bucket's worth pass; at the edge of the window as many as came back."""
    clock = FakeClock()
    limiter = RateLimiter(100, burst=200, clock=clock)

    async def passed() -> int:
        made = await asyncio.gather(*(limiter.try_acquire("x") for _ in range(1000)))
        return sum(each.allowed for each in made)

    assert await passed() == 200
    await clock.advance(0.999)
    assert await passed() == 99
    await clock.advance(0.001)
    assert await passed() == 1
    await clock.advance(1)
    assert await passed() == 100


async def test_setting_the_wall_clock_changes_nothing() -> None:
    """The limit is counted on the clock that nobody sets."""
    clock = FakeClock()
    limiter = RateLimiter(1, clock=clock)
    await limiter.acquire()
    clock.set_time(0)
    with pytest.raises(RateLimitedError):
        await limiter.acquire()
    clock.set_time(4_000_000_000)
    with pytest.raises(RateLimitedError):
        await limiter.acquire()


async def test_who_comes_too_often_is_told_when_to_come_back() -> None:
    """`RateLimitedError` has the seconds; after them there is room, and other callers had it all the time."""
    clock = FakeClock()
    limiter = RateLimiter(1, per="1m", clock=clock)
    made = await limiter.acquire("ann")
    assert (made.allowed, made.remaining, made.reset_after, made.limit) == (True, 0, 60.0, 1)
    with pytest.raises(RateLimitedError, match=r"come back in 60\.000 seconds") as caught:
        await limiter.acquire("ann")
    assert caught.value.retry_after == 60.0
    await limiter.acquire("bob")
    await clock.advance(60)
    await limiter.acquire("ann")


async def test_who_is_ready_to_wait_waits_in_turn() -> None:
    """With a timeout tokens are waited for in the order of coming, one sleep each; who would wait too long does not."""
    clock = FakeClock()
    limiter = RateLimiter(1, clock=clock)
    came: list[int] = []

    async def come(number: int) -> None:
        await limiter.acquire(timeout=3)
        came.append(number)

    tasks = [asyncio.create_task(come(number)) for number in range(5)]
    await clock.settle()
    assert clock.sleepers == 3
    with pytest.raises(RateLimitedError) as caught:
        await tasks[4]
    assert caught.value.retry_after == 4.0
    for seconds in range(3):
        assert came == list(range(seconds + 1))
        await clock.advance(1)
    assert came == [0, 1, 2, 3]
    task = asyncio.create_task(limiter.acquire(timeout=None))
    await clock.advance(1)
    assert (await task).delay == 1.0


async def test_who_is_cancelled_while_waiting_has_spent_his_tokens() -> None:
    """Those behind keep their times, so that there are never two for one."""
    clock = FakeClock()
    limiter = RateLimiter(1, clock=clock)
    await limiter.acquire()
    first, second = (asyncio.create_task(limiter.acquire(timeout=5)) for _ in range(2))
    await clock.settle()
    first.cancel()
    await clock.advance(1)
    assert not second.done()
    assert not (await limiter.try_acquire()).allowed
    await clock.advance(1)
    assert (await second).delay == 2.0


async def test_refusals_are_counted() -> None:
    """How often tokens were not given, whoever asked and by which call; who waits for them was not refused."""
    clock = FakeClock()
    limiter = RateLimiter(1, clock=clock)
    await limiter.acquire("a")
    assert not (await limiter.try_acquire("a")).allowed
    with pytest.raises(RateLimitedError):
        await limiter.acquire("a", timeout=0.5)
    waiting = asyncio.create_task(limiter.acquire("a", timeout=1))
    await clock.advance(1)
    await waiting

    assert limiter.refused == 2


async def test_callers_kept_are_bounded() -> None:
    """However many callers there are, so many are kept, and what that has cost is counted."""
    limiter = RateLimiter(5, per="1h", max_keys=10)
    for number in range(100):
        await limiter.acquire(str(number))
    assert limiter.forgotten == 90
    assert repr(limiter) == "<RateLimiter of this process: 5 in 3600 s, 10 callers kept>"
    assert (limiter.limit, limiter.window) == (5, 3600.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"rate": 0}, "rate must be"),
        ({"rate": 1, "max_keys": 0}, "max_keys must be a whole number from 1 up"),
        ({"rate": 1, "on_unavailable": "open"}, "on_unavailable must be local, allow or raise, not 'open'"),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict[str, Any], said: str) -> None:
    """Arguments are checked at once, and named."""
    with pytest.raises(InvalidArgumentError, match=said):
        RateLimiter(**arguments)


async def test_a_question_that_cannot_be_answered_is_refused() -> None:
    """A key is text, and more than a full bucket can never be had."""
    limiter = RateLimiter(5)
    for arguments in ({"key": 5}, {"cost": 0}, {"cost": 6}, {"cost": 1.5}, {"timeout": -1}, {"timeout": "soon"}):
        with pytest.raises(InvalidArgumentError, match=f"{next(iter(arguments))} must be"):
            await limiter.acquire(**arguments)  # pyright: ignore[reportArgumentType]  - what is tested
    assert (await limiter.acquire(cost=5)).remaining == 0


# --- among several processes ---------------------------------------------------------------------------------------


async def test_who_shares_a_storage_shares_a_limit_by_its_name() -> None:
    """Limiters of one name and rate have the same buckets, whatever their bursts; others have their own."""
    clock = FakeClock()
    shared = Shared(clock)
    one, other = provider(clock, shared), provider(clock, shared)
    limits = [each.rate_limiter("api", 1, per=60) for each in (one, other)]
    await limits[0].acquire("ann")
    with pytest.raises(RateLimitedError):
        await limits[1].acquire("ann")
    await limits[1].acquire("bob")
    await one.rate_limiter("web", 1, per=60).acquire("ann")
    await one.rate_limiter("api", 7, per=60).acquire("ann")
    await one.namespace("x").rate_limiter("api", 1, per=60).acquire("ann")
    assert len(set(shared.names)) == 5
    assert repr(limits[0]).startswith("<RateLimiter shared")
    await one.close()
    await other.close()


async def test_names_and_callers_never_run_into_one_another() -> None:
    """A limit's name and a caller's are told apart, whatever signs they have."""
    clock = FakeClock()
    shared = Shared(clock)
    async with provider(clock, shared) as cache:
        for name, key in (("a", "b:1"), ("a:b", "1"), ("a", ""), ("a:", "b:1"), ("1:a", "b")):
            await cache.rate_limiter(name, 1).acquire(key)
        assert len(set(shared.names)) == 5


async def test_while_the_storage_is_away_each_process_holds_to_the_limit() -> None:
    """By default nobody passes above the limit in any one process; that it was so is counted."""
    clock = FakeClock()
    shared = Shared(clock)
    async with provider(clock, shared) as cache:
        limiter = cache.rate_limiter("api", 2, per=60)
        await limiter.acquire()
        shared.error = StorageUnavailableError("away")
        made = [await limiter.try_acquire() for _ in range(3)]
        assert [each.allowed for each in made] == [True, True, False]
        assert limiter.degraded == 3
        shared.error = None
        assert (await limiter.try_acquire()).allowed


async def test_a_limit_may_fail_open_or_closed() -> None:
    """``allow`` lets everybody pass while the storage is away, ``raise`` nobody; a refused user is always an error."""
    clock = FakeClock()
    shared = Shared(clock)
    async with provider(clock, shared) as cache:
        shared.error = StorageUnavailableError("away")
        is_open = cache.rate_limiter("api", 1, on_unavailable="allow")
        assert [(await is_open.acquire()).allowed for _ in range(5)] == [True] * 5
        with pytest.raises(StorageUnavailableError):
            await cache.rate_limiter("api", 1, on_unavailable="raise").acquire()
        shared.error = StorageAccessError("no")
        with pytest.raises(StorageAccessError):
            await is_open.acquire()


async def test_a_storage_that_is_shared_and_cannot_count_is_said_so() -> None:
    """In memory a limit is the process's; where others share the storage, nothing weaker takes its place."""
    async with new_provider(Config()) as cache:
        limiter = cache.rate_limiter("api", 1)
        await limiter.acquire()
        with pytest.raises(RateLimitedError):
            await limiter.acquire()
    storage = NullStorage()
    storage.capabilities = Capabilities(shared=True)
    async with Provider(storage) as cache:
        with pytest.raises(UnsupportedError, match="counts for no rate limits"):
            cache.rate_limiter("api", 1)
