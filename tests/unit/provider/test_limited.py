import inspect

import pytest

from aiocache_kit import Config, Provider, RateLimitConfig, RateLimiter, cached, new_provider
from aiocache_kit.errors import ConfigError, ProviderClosedError, RateLimitedError
from aiocache_kit.provider.limited import CALLS
from aiocache_kit.testing import FakeClock

FREE = {"aclose", "close", "ping", "stats"}
"""The coroutine methods that take no token: those that end things, or tell of them."""


def test_every_call_is_limited_or_free_on_purpose() -> None:
    """No method of a provider that does something is forgotten."""
    calls = {name for name, _ in inspect.getmembers(Provider, inspect.iscoroutinefunction) if name[0] != "_"}
    walks = {name for name, _ in inspect.getmembers(Provider, inspect.isasyncgenfunction) if name[0] != "_"}

    assert calls == set(CALLS) | FREE
    assert walks == {"keys"}


async def test_each_call_takes_one_token() -> None:
    """Calls of all kinds count, one made of others counts once, and what is refused has not happened."""
    async with new_provider(Config(), clock=FakeClock()) as cache:
        caller = cache.limited(RateLimiter(8, clock=FakeClock()), "ann")
        await caller.set("a", 1)
        assert await caller.get("a") == 1
        assert await caller.decrement("n", initial=5) == 4
        assert await caller.get_or_set_multi(["a", "b"], lambda keys: dict.fromkeys(keys, 2)) == {"a": 1, "b": 2}
        assert await caller.get_or_set("c", lambda: 3) == 3
        assert {key async for key in caller.keys("")} == {"a", "b", "c", "n"}
        async with caller.lock("l") as lease:
            assert not lease.lost.is_set()
        assert (await caller.namespace("x").get("a", "none")) == "none"

        for refused in (caller.set("a", 9), caller.namespace("x").get("a"), caller.clear()):
            with pytest.raises(RateLimitedError):
                await refused
        with pytest.raises(RateLimitedError):
            async with caller.lock("l"):
                pass
        with pytest.raises(RateLimitedError):
            assert [key async for key in caller.keys("")]
        assert await cache.get("a") == 1
        assert (await caller.stats()).sets == 2
        assert await caller.ping() >= 0


async def test_callers_have_limits_of_their_own_over_one_cache() -> None:
    """Views share all items, and each has its own bucket; that of a namespace is its caller's."""
    async with new_provider(Config()) as cache:
        limiter = RateLimiter(2, clock=FakeClock())
        ann, bob = cache.limited(limiter, "ann"), cache.limited(limiter, "bob")
        await ann.set("a", 1)
        assert ann.namespace("x") is ann.namespace("x")
        await ann.namespace("x").set("a", 2)
        with pytest.raises(RateLimitedError):
            await ann.get("a")
        assert await bob.get("a") == 1
        assert await bob.namespace("x").get("a") == 2
        async with ann:
            pass
        assert not cache.closed


async def test_limits_add_up() -> None:
    """A view of a limited view takes a token of both."""
    clock = FakeClock()
    async with new_provider(Config(rate_limit=RateLimitConfig(rate=3, per=60)), clock=clock) as cache:
        ann = cache.limited(RateLimiter(2, per=60, clock=clock), "ann")
        await ann.get("a")
        await ann.get("a")
        with pytest.raises(RateLimitedError):
            await ann.get("a")
        await cache.get("a")
        with pytest.raises(RateLimitedError):
            await cache.get("a")


async def test_a_configuration_limits_a_provider() -> None:
    """`Config.rate_limit` is a limit for all who use the provider; ``async with`` closes it as ever."""
    clock = FakeClock()
    cache = new_provider(Config(rate_limit=RateLimitConfig(rate=2, per=1, burst=4)), clock=clock)
    async with cache:
        for number in range(4):
            await cache.set(str(number), number)
        with pytest.raises(RateLimitedError) as caught:
            await cache.get("1")
        assert caught.value.retry_after == 0.5
        await clock.advance(0.5)
        assert await cache.get("1") == 1
    assert cache.closed
    await clock.advance(1)
    with pytest.raises(ProviderClosedError):
        await cache.get("1")


async def test_what_cannot_be_counted_is_refused_by_the_configuration() -> None:
    """A rate that numbers cannot hold is a `ConfigError` that names the field."""
    with pytest.raises(ConfigError, match=r"rate_limit\.rate does not go with per and burst"):
        RateLimitConfig(rate=999_999_937, per="365d")


async def test_a_cached_function_over_a_limited_view_takes_a_token_each_time() -> None:
    """Decorators answer no hit past the limit."""
    async with new_provider(Config()) as cache:
        await cache.get("open it")

        @cached(cache.limited(RateLimiter(2, clock=FakeClock())), key="{number}")
        async def double(number: int) -> int:
            return 2 * number

        assert [await double(1), await double(1)] == [2, 2]
        with pytest.raises(RateLimitedError):
            await double(1)
