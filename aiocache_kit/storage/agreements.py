"""What a storage may offer so that all who share it can agree: on who holds a lock, and on how much is left of a rate.

Rule: neither is an item, so `Storage.clear` leaves them and `Storage.scan` does not give them.
"""

from abc import ABC, abstractmethod

from aiocache_kit.management.rate_limit import Rate, RateDecision


class SharedLocks(ABC):
    """Locks by name among all who share a storage."""

    @abstractmethod
    async def acquire(self, name: str, token: str, ttl: float) -> int | None:
        """Take the lock for `ttl` seconds in the name of `token`; None while another token holds it.

        Gives the fencing number, which is larger than that of every holder before.
        """

    @abstractmethod
    async def extend(self, name: str, token: str, ttl: float) -> bool:
        """Let the lock end `ttl` seconds from now; say whether `token` still held it."""

    @abstractmethod
    async def release(self, name: str, token: str) -> bool:
        """Give the lock back; say whether `token` still held it."""


class SharedRates(ABC):
    """Rate limits among all who share a storage."""

    @abstractmethod
    async def take(self, name: str, rate: Rate, tokens: int, patience: int) -> RateDecision:
        """Take tokens from the bucket `name`, in one step, as `management.rate_limit.take` does."""
