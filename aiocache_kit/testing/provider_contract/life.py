"""Checks of a provider: its locks, its statistics, its beginning and its end."""

import asyncio
from typing import Any

from aiocache_kit.errors import (
    InvalidArgumentError,
    InvalidTTLError,
    LockError,
    LockLostError,
    LockTimeoutError,
    ProviderClosedError,
    UnsupportedError,
)
from aiocache_kit.management.expiration import TTL
from aiocache_kit.provider import Lease
from aiocache_kit.stats import Stats
from aiocache_kit.testing.contract import outcomes, raises, together
from aiocache_kit.testing.provider_contract.case import KEYED, UNKEYED, ProviderCase, Source, one


class OopsError(Exception):
    """What a user's block raises."""


class Locking(ProviderCase):
    """lock."""

    def has_locks(self) -> bool:
        """Whether locks hold among all who share the storage; where they would not, see them refused."""
        its = self.cache.capabilities
        if its.shared and not its.locks:
            with raises(UnsupportedError):
                self.cache.lock("k")
            return False
        return True

    async def test_one_at_a_time_holds_a_lock(self) -> None:
        """Of many who want a lock, one is inside at a time, and all come in."""
        if not self.has_locks():
            return
        inside = 0
        times = 0

        async def enter() -> None:
            nonlocal inside, times
            async with self.cache.lock("k"):
                inside += 1
                assert inside == 1
                await asyncio.sleep(0)
                times += 1
                inside -= 1

        await together(*(enter() for _ in range(50)))

        assert times == 50

    async def test_who_comes_first_is_served_first(self) -> None:
        """Waiters get the lock in the order of asking."""
        if not self.has_locks():
            return
        order: list[int] = []

        async def enter(number: int) -> None:
            async with self.cache.lock("k"):
                order.append(number)
                await asyncio.sleep(0)

        await together(*(enter(number) for number in range(20)))

        assert order == list(range(20))

    async def test_different_locks_do_not_meet(self) -> None:
        """Locks of other names, and of the same name in other namespaces, can be held at the same time."""
        if not self.has_locks():
            return
        async with (
            self.cache.lock("a"),
            self.cache.lock("@a:a"),
            self.cache.namespace("a").lock("a"),
            self.cache.namespace("a").namespace("a").lock("a") as lease,
        ):
            assert not lease.lost.is_set()

    async def test_lock_is_no_item(self) -> None:
        """Holding a lock shows nowhere among the keys, and is no hindrance to using the key."""
        if not self.has_locks():
            return
        async with self.cache.lock("k"):
            assert await self.lacks("k")
            await self.cache.set("k", 1)
            assert await self.holds("k", 1)
            await self.cache.clear()
            waiter = await self.waiting(self.held("k", timeout=1))
            await self.pass_time(2.0)
            with raises(LockTimeoutError):
                await waiter

    async def test_waiting_has_an_end(self) -> None:
        """Who waits longer than its timeout gets a LockTimeoutError, which is a TimeoutError; others wait on."""
        if not self.has_locks():
            return
        async with self.cache.lock("k"):
            hurried = await self.waiting(self.held("k", timeout=1))
            patient = await self.waiting(self.held("k"))
            await self.pass_time(0.5)
            assert not hurried.done()
            await self.pass_time(1.0)
            with raises(LockTimeoutError) as caught:
                await hurried
            assert isinstance(caught.error, TimeoutError)
            assert not patient.done()

        assert not (await patient).lost.is_set()

    async def test_lock_is_not_reentrant(self) -> None:
        """Who holds a lock and asks for it again waits like anybody else."""
        if not self.has_locks():
            return
        async with self.cache.lock("k"):
            again = await self.waiting(self.held("k", timeout="1s"))
            await self.pass_time(2.0)
            with raises(LockTimeoutError):
                await again

    async def test_lock_is_extended_while_it_is_held(self) -> None:
        """A block that takes longer than the ttl keeps its lock, since the lease is extended."""
        if not self.has_locks():
            return
        async with self.cache.lock("k", 10) as lease:
            waiter = await self.waiting(self.held("k"))
            for _ in range(10):
                await self.pass_time(7.0)
            assert not lease.lost.is_set()
            assert not waiter.done()

        assert (await waiter).token != lease.token

    async def test_lost_lock_is_told(self) -> None:
        """Where the process stood still for longer than the ttl, the next one gets the lock and the holder is told."""
        if not self.has_locks():
            return
        with raises(LockLostError):
            async with self.cache.lock("k", 10) as lease:
                waiter = await self.waiting(self.held("k"))
                await self.stand_still(60.0)
                await self.settle()
                assert (await waiter).fencing > lease.fencing
                assert lease.lost.is_set()

    async def test_lost_lock_does_not_hide_an_error(self) -> None:
        """What the block itself raises comes out, also where the lock was lost."""
        if not self.has_locks():
            return
        with raises(OopsError):
            async with self.cache.lock("k", 10):
                waiter = await self.waiting(self.held("k"))
                await self.stand_still(60.0)
                await waiter
                raise OopsError

    async def test_error_in_the_block_gives_the_lock_back(self) -> None:
        """After an error, or a cancellation, the lock is free."""
        if not self.has_locks():
            return
        with raises(OopsError):
            async with self.cache.lock("k"):
                raise OopsError
        holder = await self.waiting(self.held_for_ever("k"))
        holder.cancel()
        await outcomes([holder])

        assert not (await self.held("k", timeout=1)).lost.is_set()

    async def test_waiter_may_leave(self) -> None:
        """A waiter that is cancelled, at any moment, leaves the lock to the others."""
        if not self.has_locks():
            return
        for turns in range(4):
            holder = await self.waiting(self.held_for_ever("k"))
            leaving = await self.waiting(self.held("k"))
            staying = await self.waiting(self.held("k"))
            holder.cancel()
            for _ in range(turns):
                await asyncio.sleep(0)
            leaving.cancel()
            await outcomes([holder, leaving])
            assert not (await staying).lost.is_set()

    async def test_leases_tell_them_apart(self) -> None:
        """Each lease has a token of its own, and a fencing number that only grows."""
        if not self.has_locks():
            return
        leases = [await self.held("k") for _ in range(5)]

        assert len({lease.token for lease in leases}) == 5
        assert [lease.fencing for lease in leases] == sorted({lease.fencing for lease in leases})

    async def test_timeout_zero_is_not_at_all(self) -> None:
        """Who does not want to wait gets the lock where it is free, and a LockTimeoutError where it is not."""
        if not self.has_locks():
            return
        async with self.cache.lock("k", timeout=0):
            with raises(LockTimeoutError):
                await self.held("k", timeout=0)

    async def test_wrong_times_are_refused(self) -> None:
        """The ttl of a lock is one like any other, and its timeout a time from zero up."""
        if not self.has_locks():
            return
        wrong: Any
        for wrong in (-1, True, "soon", float("nan"), b"5"):
            await self.refuses(InvalidTTLError, self.held("k", wrong))
            await self.refuses(InvalidArgumentError, self.held("k", timeout=wrong))
        await self.refuses(InvalidTTLError, self.held("k", 0))

    async def held(self, key: str, ttl: TTL = 30, timeout: TTL = None) -> Lease:
        """Take a lock and give it back."""
        async with self.cache.lock(key, ttl, timeout=timeout) as lease:
            return lease

    async def held_for_ever(self, key: str) -> None:
        """Take a lock and keep it."""
        async with self.cache.lock(key):
            await asyncio.Event().wait()


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
