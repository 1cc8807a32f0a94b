"""Readers and writers that go on and on while something happens to the servers, and check every value that they get.

Each writer has keys of its own and counts up under them. What a reader may find under a key is the last number whose
writing was told to have succeeded, or one whose end is not known: it failed, or is under way. Never an older one; and
nothing at all only where the servers may have lost something.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Final

from aiocache_kit import Provider
from aiocache_kit.clock import SystemClock
from aiocache_kit.errors import StorageUnavailableError
from aiocache_kit.sentinels import MISSING

PACE: Final = 0.002
"""Seconds between two calls of a task."""


class Load:
    """What goes on, and what came of it."""

    def __init__(self, cache: Provider, keys: list[str], *, may_lose: bool = False) -> None:
        """Use `keys`; `may_lose`: servers that are killed forget what they had not told their replicas."""
        self.failures: Final[Counter[str]] = Counter()
        """Calls that failed, by key."""
        self.longest = 0.0
        """Seconds that the longest call took."""
        self.calls = 0
        self.wrong: Final[list[str]] = []
        """What was found and must not be."""
        self._cache = cache
        self._keys = keys
        self._may_lose = may_lose
        self._sure: dict[str, int] = dict.fromkeys(keys, 0)
        self._latest: dict[str, int] = dict.fromkeys(keys, 0)
        self._worked_at: dict[tuple[str, str], float] = {}
        """When a key was last written, and read."""
        self._step = asyncio.Event()
        self._clock = SystemClock()
        self._ended = False

    async def _timed(self, key: str, call: Awaitable[object]) -> object:
        start = monotonic()
        try:
            return await call
        except StorageUnavailableError:
            self.failures[key] += 1
            raise
        finally:
            self.calls += 1
            self._step.set()
            self.longest = max(self.longest, monotonic() - start)

    async def write(self, key: str) -> None:
        """Count up under a key."""
        while not self._ended:
            self._latest[key] += 1
            number = self._latest[key]
            with suppress(StorageUnavailableError):
                await self._timed(key, self._cache.set(key, number, None))
                self._sure[key] = number
                self._worked_at["write", key] = monotonic()
            await self._clock.sleep(PACE)

    async def read(self, key: str) -> None:
        """Look what is under a key."""
        while not self._ended:
            sure = self._sure[key]
            with suppress(StorageUnavailableError):
                self._judge(key, sure, await self._timed(key, self._cache.get(key, MISSING)))
                self._worked_at["read", key] = monotonic()
            await self._clock.sleep(PACE)

    async def read_all(self) -> None:
        """Look at all keys at once."""
        while not self._ended:
            sure = dict(self._sure)
            with suppress(StorageUnavailableError):
                found = await self._cache.get_multi(self._keys)
                for key in self._keys:
                    self._judge(key, sure[key], found.get(key, MISSING))
            await self._clock.sleep(PACE * 5)

    def _judge(self, key: str, sure: int, found: object) -> None:
        if found is MISSING:
            if sure and not self._may_lose:
                self.wrong.append(f"{key}: nothing, and {sure} was written")
        elif not isinstance(found, int) or found > self._latest[key] or (found < sure and not self._may_lose):
            self.wrong.append(f"{key}: {found}, and {sure} was written")

    @asynccontextmanager
    async def going(self) -> AsyncGenerator[None, None]:
        """Go on for as long as the block lasts, from a time on at which nothing is under the keys."""
        await self._cache.delete_multi(self._keys)
        async with asyncio.TaskGroup() as tasks:
            for key in self._keys:
                tasks.create_task(self.write(key))
                tasks.create_task(self.read(key))
            tasks.create_task(self.read_all())
            try:
                yield
            finally:
                self._ended = True

    async def makes_calls(self, count: int) -> None:
        """Return after so many more calls."""
        end = self.calls + count
        await self._until(lambda: self.calls >= end)

    async def fails(self, count: int) -> None:
        """Return when so many more calls have failed."""
        end = self.failures.total() + count
        await self._until(lambda: self.failures.total() >= end)

    async def works(self) -> float:
        """Return when every key was written and read anew, and give the seconds that it took."""
        start = monotonic()
        ways = [(way, key) for way in ("write", "read") for key in self._keys]
        await self._until(lambda: all(self._worked_at.get(way, 0.0) > start for way in ways))
        return monotonic() - start

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                self._step.clear()
                await self._step.wait()
