"""Locks by name among all processes that share a storage.

Rule 1: whoever waits in one process is served in the order of asking (`Locks`), so that one of them at a time asks the
storage; between processes, who asks first after the lock is free gets it.
Rule 2: a lease is extended while its holder runs. It is lost when the storage says so, or when its time is over before
the storage could be asked; the holder is told by `Lease.lost`, and at the end of its block by `LockLostError`.
Rule 3: a lock is given back even if its holder is cancelled again while that is done; nobody waits for that then.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Final

from aiocache_kit.clock import Clock
from aiocache_kit.errors import LockLostError, LockTimeoutError, ProviderClosedError, StorageError
from aiocache_kit.provider.locks import Lease, Locks
from aiocache_kit.storage.agreements import SharedLocks

_FIRST_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 0.1
"""Seconds between two times that the storage is asked for a lock that somebody else holds."""


class LocksBetweenProcesses:
    """The locks that one provider takes in its storage."""

    __slots__ = ("_clock", "_closed", "_local", "_open", "_pauses", "_random", "_releasing", "_shared")

    def __init__(
        self, shared: SharedLocks, clock: Clock, random: Random, open_storage: Callable[[], Awaitable[None]]
    ) -> None:
        """Take them in `shared`, after `open_storage`: a lock may be the first thing that is asked for.

        `random` spreads the pauses of those who ask for the same one.
        """
        self._open = open_storage
        self._shared = shared
        self._clock = clock
        self._random = random
        self._local = Locks(clock)
        self._releasing: set[asyncio.Task[bool]] = set()
        self._pauses: set[asyncio.Task[None]] = set()
        """Of those who wait to ask again."""
        self._closed = False

    def __len__(self) -> int:
        return len(self._local)

    @asynccontextmanager
    async def hold(self, key: str, ttl: float, timeout: float) -> AsyncGenerator[Lease]:
        """Hold the lock `key`, as `Locks.hold` does; raises `StorageError` as well."""
        await self._open()
        deadline = self._clock.monotonic() + timeout
        async with self._local.hold(key, ttl, timeout) as local:
            lease = await self._acquire(key, ttl, deadline, local)
            keepers = [asyncio.create_task(each) for each in (self._keep(key, lease, ttl), self._watch(lease))]
            try:
                yield lease
            except BaseException:
                await self._release(key, lease)
                raise
            else:
                if not await self._release(key, lease):
                    lease.lost.set()
                if lease.lost.is_set():
                    msg = "the lease ended before its holder was done: somebody else may have held the lock meanwhile"
                    raise LockLostError(msg)
            finally:
                for keeper in keepers:
                    keeper.cancel()
                await asyncio.wait(keepers)

    async def close(self) -> None:
        """Send away who waits, with `ProviderClosedError`; what is held stays held until its blocks end."""
        self._closed = True
        for pause in self._pauses:
            pause.cancel()
        await self._local.close()
        while self._releasing:
            await asyncio.wait(set(self._releasing))

    async def _acquire(self, key: str, ttl: float, deadline: float, local: Lease) -> Lease:
        pause = _FIRST_PAUSE
        while True:
            now = self._clock.monotonic()
            try:
                fencing = await self._shared.acquire(key, local.token, ttl)
            except BaseException:
                _ = self._release_soon(key, local.token)  # nobody knows whether it was taken
                raise
            if fencing is not None:
                return Lease(fencing, now + ttl, token=local.token)
            if self._clock.monotonic() >= deadline:
                msg = "the lock is held by somebody else, and the time to wait for it is over"
                raise LockTimeoutError(msg)
            left = deadline - self._clock.monotonic()
            await self._pause(min(pause * self._random.uniform(0.5, 1.0), left))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _pause(self, seconds: float) -> None:
        """Wait before asking again; raise `ProviderClosedError` as soon as there is nobody to ask."""
        if not self._closed:
            pause = asyncio.create_task(self._clock.sleep(seconds))  # ends in this call
            self._pauses.add(pause)
            try:
                await asyncio.wait([pause])
            finally:
                self._pauses.discard(pause)
                pause.cancel()
        if self._closed:
            raise ProviderClosedError

    async def _keep(self, key: str, lease: Lease, ttl: float) -> None:
        """Extend the lease until it is lost."""
        while not lease.lost.is_set() and ttl < math.inf:
            await self._clock.sleep(ttl / 3)
            now = self._clock.monotonic()
            try:
                if await self._shared.extend(key, lease.token, ttl):
                    lease.expires_at = now + ttl
                else:
                    lease.lost.set()
            except StorageError:
                continue  # it may answer before the lease is over

    async def _watch(self, lease: Lease) -> None:
        """Say that the lease is lost when its time is over, whether or not the storage has answered by then."""
        while (left := lease.expires_at - self._clock.monotonic()) > 0:
            if left == math.inf:
                return
            await self._clock.sleep(left)
        lease.lost.set()

    async def _release(self, key: str, lease: Lease) -> bool:
        """Give the lock back; say whether it was still held. Where the storage fails, it ends by itself."""
        task = self._release_soon(key, lease.token)
        await asyncio.wait([task])
        return task.result()

    def _release_soon(self, key: str, token: str) -> "asyncio.Task[bool]":
        task = asyncio.get_running_loop().create_task(self._give_back(key, token), name="aiocache_kit releases a lock")
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)
        return task

    async def _give_back(self, key: str, token: str) -> bool:
        try:
            return await self._shared.release(key, token)
        except StorageError:
            return False
