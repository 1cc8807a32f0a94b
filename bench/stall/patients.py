"""What is done to each cache: stored until an instant, expired, cleared, invalidated.

Rule 1: what a library does in the background is left to it, at its own interval; what it does lazily is asked of it once,
as its next write would ask.
Rule 2: a library is put to what it has a call for, and to nothing else.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib import import_module
from time import monotonic
from typing import Final

from aiocache_kit.provider import Provider
from aiocache_kit.storage.memory import memory_storage
from bench.compare.subject import TTL, VALUE


class Patient:
    """A cache that is watched. A call that is not overridden is one that the library does not have."""

    name: str
    package: str | None = None
    settings: str
    can: frozenset[str]
    """The scenarios that it is put to, see `bench.stall.worker`."""

    async def open(self, entries: int) -> None:
        """Make it."""
        raise NotImplementedError

    async def store(self, keys: Sequence[str], end: float) -> None:
        """Store under each key until the instant `end` of the monotonic clock."""
        raise NotImplementedError

    async def store_tagged(self, keys: Sequence[str]) -> None:
        """Store under each key, with the tag ``users``."""
        raise NotImplementedError

    async def expire(self) -> None:
        """Do what is not done in the background about entries whose time is over."""

    async def clear(self) -> None:
        """Remove everything."""
        raise NotImplementedError

    async def drop_prefix(self, prefix: str) -> None:
        """Remove what begins with `prefix`."""
        raise NotImplementedError

    async def drop_tag(self) -> None:
        """Invalidate the tag ``users``."""
        raise NotImplementedError

    async def count(self) -> int:
        """Count what is held, dead or alive."""
        raise NotImplementedError


class Ours(Patient):
    """A provider over the memory storage with its defaults."""

    name = "aiocache_kit"
    package = "aiocache_kit"
    settings = "Provider over the memory storage, all defaults: what has expired is freed every second"
    can = frozenset({"fill", "expire", "clear", "prefix", "tags"})

    async def open(self, entries: int) -> None:
        self.cache = Provider(memory_storage(max_entries=entries))
        await self.cache.ping()

    async def store(self, keys: Sequence[str], end: float) -> None:
        set_ = self.cache.set
        for key in keys:
            await set_(key, VALUE, end - monotonic())

    async def store_tagged(self, keys: Sequence[str]) -> None:
        set_ = self.cache.set
        for key in keys:
            await set_(key, VALUE, TTL, tags=("users",))

    async def clear(self) -> None:
        await self.cache.clear()

    async def drop_prefix(self, prefix: str) -> None:
        await self.cache.invalidate_prefix(prefix)

    async def drop_tag(self) -> None:
        await self.cache.invalidate_tags("users")

    async def count(self) -> int:
        return (await self.cache.stats()).items


class Cashews(Patient):
    """cashews with its sweep."""

    name = "cashews"
    package = "cashews"
    settings = (
        "Cache with mem://, its sweep every second as it comes; tags left out: each write copies the set of their keys"
    )
    can = frozenset({"fill", "expire", "clear", "prefix"})

    async def open(self, entries: int) -> None:
        self.cache = import_module("cashews").Cache()
        self.backend = self.cache.setup("mem://", size=entries)
        await self.cache.init()

    async def store(self, keys: Sequence[str], end: float) -> None:
        set_ = self.cache.set
        for key in keys:
            await set_(key, VALUE, expire=end - monotonic())

    async def clear(self) -> None:
        await self.cache.clear()

    async def drop_prefix(self, prefix: str) -> None:
        await self.cache.delete_match(prefix + "*")

    async def count(self) -> int:
        return len(self.backend.store)


class Aiocache(Patient):
    """aiocache with a timer an entry."""

    name = "aiocache"
    package = "aiocache"
    settings = "SimpleMemoryCache(timeout=None)"
    can = frozenset({"fill", "expire", "clear", "prefix"})

    async def open(self, entries: int) -> None:
        del entries
        self.cache = import_module("aiocache").SimpleMemoryCache(timeout=None)

    async def store(self, keys: Sequence[str], end: float) -> None:
        set_ = self.cache.set
        for key in keys:
            await set_(key, VALUE, ttl=end - monotonic())

    async def clear(self) -> None:
        await self.cache.clear()

    async def drop_prefix(self, prefix: str) -> None:
        await self.cache.clear(namespace=prefix)

    async def count(self) -> int:
        return len(self.cache._cache)


class Cachetools(Patient):
    """cachetools, whose next write removes all that has expired."""

    name = "cachetools"
    package = "cachetools"
    settings = "TTLCache; expired entries go with the next write, which is asked for by expire()"
    can = frozenset({"fill", "expire", "clear"})

    async def open(self, entries: int) -> None:
        self.cache = import_module("cachetools").TTLCache(entries, TTL)

    async def store(self, keys: Sequence[str], end: float) -> None:
        del end
        cache = self.cache
        for key in keys:
            cache[key] = VALUE

    async def expire(self) -> None:
        self.cache.expire(monotonic() + TTL)

    async def clear(self) -> None:
        self.cache.clear()

    async def count(self) -> int:
        return len(self.cache)


class Cachebox(Patient):
    """cachebox with a ttl an entry."""

    name = "cachebox"
    package = "cachebox"
    settings = "VTTLCache; expired entries are removed by expire()"
    can = frozenset({"fill", "expire", "clear"})

    async def open(self, entries: int) -> None:
        self.cache = import_module("cachebox").VTTLCache(entries)

    async def store(self, keys: Sequence[str], end: float) -> None:
        insert = self.cache.insert
        for key in keys:
            insert(key, VALUE, end - monotonic())

    async def expire(self) -> None:
        self.cache.expire()

    async def clear(self) -> None:
        self.cache.clear()

    async def count(self) -> int:
        return len(self.cache)


class Theine(Patient):
    """theine with its maintenance thread."""

    name = "theine"
    package = "theine"
    settings = "nolock=True; expired entries are removed by its thread"
    can = frozenset({"fill", "expire", "clear"})

    async def open(self, entries: int) -> None:
        self.cache = import_module("theine").Cache(entries, nolock=True)

    async def store(self, keys: Sequence[str], end: float) -> None:
        set_ = self.cache.set
        for key in keys:
            set_(key, VALUE, timedelta(seconds=end - monotonic()))

    async def clear(self) -> None:
        self.cache.clear()

    async def count(self) -> int:
        return len(self.cache)


PATIENTS: Final[list[type[Patient]]] = [Ours, Cashews, Aiocache, Cachetools, Cachebox, Theine]
