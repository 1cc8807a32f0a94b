"""cachetools: dicts with a bound; nothing about it is asynchronous."""

from collections.abc import Sequence
from time import monotonic
from typing import ClassVar

from cachetools import TTLCache

from bench.compare.subject import TTL, VALUE, Subject


class Cachetools(Subject):
    """The one with a ttl, the same for all entries."""

    name: ClassVar[str] = "cachetools"
    package: ClassVar[str] = "cachetools"
    settings: ClassVar[str] = "TTLCache, used without a lock"
    plain: ClassVar[bool] = True

    async def open(self, entries: int) -> None:
        """Make it."""
        self.cache: TTLCache[str, object] = TTLCache[str, object](entries, TTL)

    async def close(self) -> None:
        """Forget all."""
        self.cache.clear()

    async def holds(self, key: str) -> bool:
        """Read."""
        return self.cache.get(key) == VALUE

    async def get(self, keys: Sequence[str]) -> None:
        """Read."""
        get = self.cache.get
        for key in keys:
            get(key)

    async def set(self, keys: Sequence[str]) -> None:
        """Store."""
        cache = self.cache
        for key in keys:
            cache[key] = VALUE

    async def set_until(self, keys: Sequence[str], end: float) -> None:
        """Store with the ttl of all."""
        del end
        await self.set(keys)

    async def expire(self) -> None:
        """Remove what has expired, as each write does: as if the time of all were over."""
        self.cache.expire(monotonic() + TTL)

    async def clear(self) -> None:
        """Clear it."""
        self.cache.clear()

    async def count(self) -> int:
        """Ask it."""
        return len(self.cache)

    async def replay(self, keys: Sequence[str]) -> None:
        """Read; store what is missing."""
        cache = self.cache
        get = cache.get
        for key in keys:
            if get(key) is None:
                cache[key] = VALUE
