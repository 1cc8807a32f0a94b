"""Checks of a provider: its locks."""

import asyncio
from typing import Any

from aiocache_kit.errors import InvalidArgumentError, InvalidTTLError, LockLostError, LockTimeoutError, UnsupportedError
from aiocache_kit.management.expiration import TTL
from aiocache_kit.provider import Lease
from aiocache_kit.testing.contract import outcomes, raises, together
from aiocache_kit.testing.provider_contract.case import ProviderCase


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
