"""cachetools: dicts with a bound; nothing about it is asynchronous."""

from collections.abc import Sequence
from typing import ClassVar

from cachetools import TTLCache

from bench.compare.subject import TTL, VALUE, Subject


class Cachetools(Subject):
    """The one with a ttl, the same for all entries."""

    name: ClassVar = "cachetools"
    package: ClassVar = "cachetools"
    settings: ClassVar = "TTLCache, used without a lock"
    plain: ClassVar = True

    async def open(self, entries: int) -> None:
        """Make it."""
        self.cache: TTLCache[str, object] = TTLCache(entries, TTL)

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

    async def replay(self, keys: Sequence[str]) -> None:
        """Read; store what is missing."""
        cache = self.cache
        get = cache.get
        for key in keys:
            if get(key) is None:
                cache[key] = VALUE
