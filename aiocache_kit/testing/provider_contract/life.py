"""Checks of a provider: its statistics, its beginning and its end."""

import asyncio

from aiocache_kit.errors import (
    LockError,
    ProviderClosedError,
)
from aiocache_kit.stats import Stats
from aiocache_kit.testing.contract import outcomes, raises, together
from aiocache_kit.testing.provider_contract.case import KEYED, UNKEYED, ProviderCase, Source, one


class OopsError(Exception):
    """What a user's block raises."""


class Life(ProviderCase):
    """Opening, closing, counting."""

    async def test_first_use_opens(self) -> None:
        """No call must come before others; many first calls at the same time are fine."""
        results = await together(*(self.cache.get_or_set(f"k{number % 3}", one) for number in range(30)))

        assert results == [1] * 30

    async def test_block_closes(self) -> None:
        """After an ``async with`` the provider is closed; a namespace's block leaves it open."""
        async with self.cache as cache:
            assert cache is self.cache
            async with cache.namespace("n") as inner:
                await inner.set("k", 1)
            await cache.set("k", 1)

        if self.is_root():
            with raises(ProviderClosedError):
                await self.cache.get("k")

    async def test_error_in_the_block_comes_out(self) -> None:
        """Closing hides no error."""
        with raises(OopsError):
            async with self.cache:
                raise OopsError

    async def test_closing_twice_is_fine(self) -> None:
        """The second close, by either name, one after the other or at the same time, does nothing."""
        await self.cache.set("k", 1)
        await together(self.cache.close(), self.cache.aclose())
        await self.cache.close()

        assert "closed" in repr(self.cache)

    async def test_closing_without_use_is_fine(self) -> None:
        """A provider that was never used can be closed."""
        await self.cache.close()

    async def test_every_call_after_close_is_told(self) -> None:
        """Each call raises ProviderClosedError, in namespaces as well, whether the key was there or not."""
        inner = self.cache.namespace("n")
        await self.cache.set("there", 1)
        await inner.set("there", 1)
        await self.cache.get("there")
        await self.cache.close()
        for cache in (self.cache, inner):
            for call in UNKEYED.values():
                with raises(ProviderClosedError):
                    await call(cache)
            for key in ("there", "missing"):
                for keyed in KEYED.values():
                    with raises(ProviderClosedError):
                        await keyed(cache, key)

    async def test_methods_taken_before_close_are_told_after_it(self) -> None:
        """A bound method that somebody keeps works before the close and raises after it."""
        await self.cache.set("k", 1)
        get, put, load, many = self.cache.get, self.cache.set, self.cache.get_or_set, self.cache.get_multi
        assert await get("k") == self.kept(1, None)
        await self.cache.close()

        await self.refuses(ProviderClosedError, get("k"), put("k", 2), put("j", 2), load("k", one), many(["k"]))

    async def test_close_ends_loads(self) -> None:
        """A load under way is cancelled, and all who wait for it get a ProviderClosedError."""
        source = Source(held=True)
        tasks = [self.start(self.cache.get_or_set("k", source.load)) for _ in range(10)]
        several = await self.waiting(self.cache.get_or_set_multi(["a", "b"], source.load_all))
        await self.cache.close()

        for result in await outcomes([*tasks, several]):
            assert isinstance(result, ProviderClosedError)
        assert source.cancelled == 2

    async def test_loader_may_close(self) -> None:
        """A loader that closes the provider ends, and nothing hangs."""

        async def load() -> int:
            await self.cache.close()
            return 1

        with raises(ProviderClosedError):
            await self.cache.get_or_set("k", load)

    async def test_close_ends_waiting_for_locks(self) -> None:
        """Who waits for a lock when the provider closes waits no longer."""
        go = asyncio.Event()

        async def hold() -> None:
            async with self.cache.lock("k"):
                await go.wait()

        its = self.cache.capabilities
        if its.shared and not its.locks:
            return
        holder = await self.waiting(hold())
        waiter = await self.waiting(hold())
        await self.cache.close()
        await self.settle()
        assert waiter.done()
        go.set()

        assert all(isinstance(result, CLOSED) for result in await outcomes([holder, waiter]))

    async def test_close_leaves_no_task(self) -> None:
        """Once a close is over nothing of the provider runs any more."""
        before = asyncio.all_tasks()
        await self.cache.set("k", 1, tags=["t"])
        await self.cache.get_or_set("j", one)
        await self.cache.close()

        assert asyncio.all_tasks() <= before

    async def test_ping_gives_seconds(self) -> None:
        """A ping gives the time it took."""
        assert 0.0 <= await self.cache.ping() < 10.0

    async def test_reads_and_writes_are_counted(self) -> None:
        """Hits, misses, sets and deletes are counted as the calls say."""
        before = await self.cache.stats()
        await self.cache.set("a", 1)
        await self.cache.set_multi({"b": 1, "c": 2})
        await self.cache.add("d", 1)
        for key in ("a", "a", "missing"):
            await self.cache.get(key)
        await self.cache.get_multi(["a", "b", "x"])
        await self.cache.exists("a")
        await self.cache.delete("a")
        await self.cache.delete("a")
        await self.cache.pop("b")
        await self.cache.delete_multi(["c", "x"])
        change = await self.cache.stats() - before

        assert (change.hits, change.misses) == self.kept((5, 2), (0, 7))
        assert (change.sets, change.deletes) == self.kept((4, 3), (4, 0))

    async def test_stats_add_up(self) -> None:
        """The statistics of a provider include those of its namespaces, also of ones that nobody holds any more."""
        inner = self.cache.namespace("n")
        for _ in range(3):
            await inner.get("k")
        await inner.namespace("m").get("k")
        own = (await inner.stats()).misses
        await self.cache.get("k")

        assert own == 4
        assert (await self.cache.stats()).misses == 5
        del inner
        assert (await self.cache.stats()).misses == 5

    async def test_stats_are_plain(self) -> None:
        """Statistics are a frozen value of numbers, rates and means included, fit for JSON."""
        await self.cache.set("k", 1)
        await self.cache.get("k")
        stats = await self.cache.stats()

        assert isinstance(stats, Stats)
        assert 0.0 <= stats.hit_rate <= 1.0
        assert min(stats.items, stats.size, stats.evictions, stats.expired, stats.errors) == 0 or stats.size > 0
        assert stats.average_get_time >= 0.0
        assert all(isinstance(value, int | float | dict) for value in stats.as_dict().values())
        assert (stats - stats).hits == 0

    async def test_background_work_goes_on(self) -> None:
        """Hours of idling, in small steps and in one, leave what lives where it is."""
        await self.cache.set("short", 1, 5)
        await self.cache.set("long", 2, 100_000)
        await self.pass_time(60.0)
        await self.stand_still(7200.0)
        await self.settle()

        assert await self.lacks("short") or not self.counts_alone
        assert await self.holds("long", 2)

    def is_root(self) -> bool:
        """Whether this is no namespace, whose block leaves the provider open."""
        return "a namespace" not in repr(self.cache)


CLOSED = (ProviderClosedError, LockError, type(None))
