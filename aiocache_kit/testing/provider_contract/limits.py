"""Checks of a provider: how often it, and what stands behind it, may be called."""

import asyncio

from aiocache_kit.errors import RateLimitedError, UnsupportedError
from aiocache_kit.provider import RateLimiter
from aiocache_kit.testing.contract import raises
from aiocache_kit.testing.provider_contract.case import ProviderCase

MANY = 200


class Limits(ProviderCase):
    """Rate limits, among all who share the storage where others do."""

    async def test_a_limit_lets_as_many_pass_as_it_has(self) -> None:
        """Of many at once so many pass, each of whom knows what is left; other callers and other limits are apart."""
        its = self.cache.capabilities
        if its.shared and not its.rates:
            with raises(UnsupportedError):
                self.cache.rate_limiter("limit", 5)
            return
        limiter = self.cache.rate_limiter("limit", 5, per=3600)
        made = await asyncio.gather(*(limiter.try_acquire("caller") for _ in range(MANY)))

        assert sorted(each.remaining for each in made if each.allowed) == [0, 1, 2, 3, 4]
        assert all(0 < each.retry_after <= 720 for each in made if not each.allowed)
        with raises(RateLimitedError):
            await limiter.acquire("caller")
        assert (await limiter.acquire("other", 5)).remaining == 0
        assert (await self.cache.rate_limiter("another", 5, per=3600).acquire("caller")).remaining == 4
        assert (await self.cache.namespace("n").rate_limiter("limit", 5, per=3600).acquire("caller")).remaining == 4

    async def test_a_limited_view_takes_a_token_for_each_call(self) -> None:
        """A view does what the provider does until its tokens are spent, and nothing from then on."""
        caller = self.cache.limited(RateLimiter(3, per=3600), "caller")
        await caller.set("k", "v")
        stored = await self.cache.get("k")
        assert await caller.get("k") == stored
        assert await caller.get_or_set("k", lambda: "v") == "v"

        with raises(RateLimitedError):
            await caller.delete("k")
        with raises(RateLimitedError):
            await caller.namespace("n").set("k", "v")
        assert await self.cache.get("k") == stored
