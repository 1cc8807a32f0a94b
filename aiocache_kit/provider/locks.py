"""Locks by name within one process: a lease with a token, extended while it is held.

Rule 1: whoever waits is served in the order of asking.
Rule 2: a lease ends when its ttl is over, whether its holder is done or not, so a holder that hangs keeps nobody out
for ever. While the holder runs, the lease is extended at half of its ttl; it is lost only if the event loop stood
still.
Rule 3: each lease has a fencing number, larger than that of every lease of the same process before: who writes to
something outside passes it on, so that a late holder can be refused there (Kleppmann, "How to do distributed locking").
"""

import asyncio
import math
import os
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from aiocache_kit.clock import Clock
from aiocache_kit.errors import LockLostError, LockTimeoutError, ProviderClosedError


class Lease:
    """What the holder of a lock has; given by ``async with provider.lock(key) as lease``."""

    __slots__ = ("expires_at", "fencing", "lost", "token")

    def __init__(self, fencing: int, expires_at: float, *, token: str = "") -> None:
        """Hold the lock until `expires_at`, in seconds of the monotonic clock; for providers, which make these.

        `fencing` is greater than that of any lease of this lock before; `token` "": a new one.
        """
        self.token: Final = token or os.urandom(16).hex()
        """Proves who holds the lock; nobody can guess it."""
        self.fencing: Final = fencing
        """Grows with every lease: hand it to what the lock guards, which then refuses smaller ones."""
        self.expires_at: float = expires_at
        self.lost: Final = asyncio.Event()
        """Set when the lease ended before its holder was done: somebody else may hold the lock."""

    def __repr__(self) -> str:
        return f"<Lease {self.fencing}, {'lost' if self.lost.is_set() else 'held'}>"


class _Lock:
    __slots__ = ("holder", "waiters")

    def __init__(self) -> None:
        self.holder: Lease | None = None
        self.waiters: deque[tuple[asyncio.Future[Lease], float]] = deque()
        """Who waits, first come first, with the ttl of the lease each one asks for."""


class Locks:
    """The locks of one provider; a lock that nobody holds or waits for takes no room."""

    __slots__ = ("_clock", "_closed", "_keepers", "_last_fencing", "_locks")

    def __init__(self, clock: Clock) -> None:
        """Start with no lock held."""
        self._clock = clock
        self._locks: dict[str, _Lock] = {}
        self._last_fencing = 0
        self._keepers: set[asyncio.Task[None]] = set()
        """What extends the leases that are held."""
        self._closed = False

    def __len__(self) -> int:
        return len(self._locks)

    @asynccontextmanager
    async def hold(self, key: str, ttl: float, timeout: float) -> AsyncGenerator[Lease]:
        """Hold the lock `key` with a lease of `ttl` seconds that is extended meanwhile.

        Raises `LockTimeoutError` when it is not free within `timeout` seconds (infinity: waits for ever), and
        `LockLostError` at the end when the lease was lost, unless the body raised something itself.
        """
        lease = await self.acquire(key, ttl, timeout)
        keeper = asyncio.create_task(self._keep(key, lease, ttl))  # owned by this block
        self._keepers.add(keeper)
        try:
            yield lease
        except BaseException:
            with suppress(LockLostError):
                self.release(key, lease)
            raise
        else:
            self.release(key, lease)
        finally:
            self._keepers.discard(keeper)
            keeper.cancel()
            await asyncio.wait([keeper])

    async def close(self) -> None:
        """Send away who waits, with `ProviderClosedError`; blocks that hold a lock go on, and nobody else gets it."""
        self._closed = True
        for lock in self._locks.values():
            while lock.waiters:
                waiter, _ = lock.waiters.popleft()
                if not waiter.done():
                    waiter.set_exception(ProviderClosedError())
        keepers = list(self._keepers)
        for keeper in keepers:
            keeper.cancel()
        if keepers:
            await asyncio.wait(keepers)

    async def acquire(self, key: str, ttl: float, timeout: float) -> Lease:
        """Wait for the lock `key` for at most `timeout` seconds, infinity for ever, and hold it for `ttl` seconds.

        Raises `LockTimeoutError`.
        """
        if self._closed:
            raise ProviderClosedError
        deadline = self._clock.monotonic() + timeout
        lock = self._locks.setdefault(key, _Lock())
        waiter: asyncio.Future[Lease] = asyncio.get_running_loop().create_future()
        place = (waiter, ttl)
        lock.waiters.append(place)
        try:
            self._pass_on(key, lock)
            while not waiter.done():
                now = self._clock.monotonic()
                if now >= deadline:
                    msg = "the lock is held by somebody else, and the time to wait for it is over"
                    raise LockTimeoutError(msg)  # noqa: TRY301  - the way out is the same for every reason
                end = deadline if lock.holder is None else min(deadline, lock.holder.expires_at)
                await self._wait(waiter, end - now)
                self._pass_on(key, lock)
        except BaseException:
            if place in lock.waiters:
                lock.waiters.remove(place)
            elif waiter.exception() is None and lock.holder is waiter.result():
                lock.holder = None
            self._pass_on(key, lock)
            raise
        return waiter.result()

    def extend(self, key: str, lease: Lease, ttl: float) -> None:
        """Let the lease end `ttl` seconds from now; raise `LockLostError` where it has ended already."""
        lock = self._locks.get(key)
        now = self._clock.monotonic()
        if lock is None or lock.holder is not lease or now >= lease.expires_at:
            lease.lost.set()
            msg = "the lease has ended: its ttl was over before it was extended"
            raise LockLostError(msg)
        lease.expires_at = now + ttl

    def release(self, key: str, lease: Lease) -> None:
        """Give the lock back; raise `LockLostError` where the lease has ended: somebody else may have held the lock."""
        lock = self._locks.get(key)
        held = lock is not None and lock.holder is lease
        if not held or self._clock.monotonic() >= lease.expires_at:
            lease.lost.set()
        if lock is not None and held:
            lock.holder = None
            self._pass_on(key, lock)
        if lease.lost.is_set():
            msg = "the lease ended before its holder was done: somebody else may have held the lock meanwhile"
            raise LockLostError(msg)

    async def _wait(self, waiter: "asyncio.Future[Lease]", seconds: float) -> None:
        """Wait for the lock or for `seconds`, whichever is first."""
        if seconds == math.inf:
            await asyncio.wait([waiter])
            return
        timer = asyncio.create_task(self._clock.sleep(seconds))  # ends in this call
        try:
            ends: list[asyncio.Future[Any]] = [waiter, timer]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()

    async def _keep(self, key: str, lease: Lease, ttl: float) -> None:
        with suppress(LockLostError):
            while True:
                await self._clock.sleep(ttl / 2)
                self.extend(key, lease, ttl)

    def _pass_on(self, key: str, lock: _Lock) -> None:
        """Give a lock that is free, or whose lease has ended, to the first who waits."""
        now = self._clock.monotonic()
        if lock.holder is not None and now >= lock.holder.expires_at:
            lock.holder.lost.set()
            lock.holder = None
        if lock.holder is not None:
            return
        if lock.waiters:
            waiter, ttl = lock.waiters.popleft()
            self._last_fencing += 1
            lock.holder = Lease(self._last_fencing, now + ttl)
            waiter.set_result(lock.holder)
        elif self._locks.get(key) is lock:
            del self._locks[key]
