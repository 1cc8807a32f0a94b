"""A lock for each key that somebody is at: it comes with the first of them and goes with the last.

Rule 1: all who are at a key at the same time meet the same lock, whether they hold it, wait for it or only look at it.
Rule 2: whoever holds several keys takes them in the order of their text, so that no two wait for one another.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Generic, TypeVar


class KeyLock(asyncio.Lock):
    """The lock of one key."""

    users: int = 0
    """How many are at the key."""


L = TypeVar("L", bound=KeyLock)


class KeyLocks(Generic[L]):
    """The locks of the keys that somebody is at; there are none for the others."""

    __slots__ = ("_locks", "_make")

    def __init__(self, make: Callable[[], L]) -> None:
        """Start with nobody at any key; `make` makes the lock of one."""
        self._locks: dict[str, L] = {}
        self._make = make

    def __len__(self) -> int:
        return len(self._locks)

    def join(self, key: str) -> L:
        """Give the lock of `key`, which stays the one of that key until `leave` was called as often as this."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = self._make()
        lock.users += 1
        return lock

    def find(self, key: str) -> L | None:
        """Give the lock of `key`, None where nobody is at it."""
        return self._locks.get(key)

    def leave(self, key: str, lock: L) -> None:
        """Be at `key` no more; whoever holds its lock releases it before."""
        lock.users -= 1
        if not lock.users:
            del self._locks[key]

    @asynccontextmanager
    async def hold(self, keys: Collection[str]) -> AsyncGenerator[None]:
        """Hold all of `keys`, each of them once, from when nobody else does."""
        held: list[tuple[str, L]] = []
        try:
            for key in sorted(set(keys)):
                lock = self.join(key)
                try:
                    await lock.acquire()
                except BaseException:
                    self.leave(key, lock)
                    raise
                held.append((key, lock))
            yield
        finally:
            for key, lock in held:
                lock.release()
                self.leave(key, lock)
