"""What a storage offers for the sake of other processes, with each call handed to somebody who may let it fail."""

from collections.abc import Awaitable, Callable, Collection
from typing import Protocol, TypeVar

from aiocache_kit.management.rate_limit import Rate, RateDecision
from aiocache_kit.storage.agreements import SharedLocks, SharedRates
from aiocache_kit.storage.base import Grant, Leases, SharedTags

T = TypeVar("T")


class Caller(Protocol):
    """Makes a call of the name given, or lets it fail."""

    async def __call__(self, method: str, call: Callable[[], Awaitable[T]], /) -> T:
        """Make it."""
        ...


class FaultyLeases(Leases):
    """The leases `inner`, with faults."""

    def __init__(self, inner: Leases, caller: Caller) -> None:
        """Make each call by way of `caller`."""
        self.ttl = inner.ttl
        self._inner = inner
        self._caller = caller

    async def take(self, keys: Collection[str], tags: tuple[str, ...] = (), *, anew: bool = False) -> dict[str, Grant]:
        """Take from the inner ones."""
        return await self._caller("leases.take", lambda: self._inner.take(keys, tags, anew=anew))

    async def extend(self, key: str, lease: str) -> bool:
        """Extend one of the inner ones."""
        return await self._caller("leases.extend", lambda: self._inner.extend(key, lease))

    async def drop(self, key: str, lease: str) -> None:
        """Drop one of the inner ones."""
        await self._caller("leases.drop", lambda: self._inner.drop(key, lease))


class FaultyTags(SharedTags):
    """The tags `inner`, with faults."""

    def __init__(self, inner: SharedTags, caller: Caller) -> None:
        """Make each call by way of `caller`."""
        self._inner = inner
        self._caller = caller

    async def invalidate(self, tags: Collection[str]) -> None:
        """Invalidate the inner ones."""
        await self._caller("tags.invalidate", lambda: self._inner.invalidate(tags))


class FaultyLocks(SharedLocks):
    """The locks `inner`, with faults."""

    def __init__(self, inner: SharedLocks, caller: Caller) -> None:
        """Make each call by way of `caller`."""
        self._inner = inner
        self._caller = caller

    async def acquire(self, name: str, token: str, ttl: float) -> int | None:
        """Take one of the inner ones."""
        return await self._caller("locks.acquire", lambda: self._inner.acquire(name, token, ttl))

    async def extend(self, name: str, token: str, ttl: float) -> bool:
        """Extend one of the inner ones."""
        return await self._caller("locks.extend", lambda: self._inner.extend(name, token, ttl))

    async def release(self, name: str, token: str) -> bool:
        """Give one of the inner ones back."""
        return await self._caller("locks.release", lambda: self._inner.release(name, token))


class FaultyRates(SharedRates):
    """The rate limits `inner`, with faults."""

    def __init__(self, inner: SharedRates, caller: Caller) -> None:
        """Make each call by way of `caller`."""
        self._inner = inner
        self._caller = caller

    async def take(self, name: str, rate: Rate, tokens: int, patience: int) -> RateDecision:
        """Take tokens from an inner one."""
        return await self._caller("rates.take", lambda: self._inner.take(name, rate, tokens, patience))
