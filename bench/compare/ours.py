"""aiocache_kit, as it ships and in the variations whose price somebody may ask for."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from aiocache_kit.provider import Provider
from aiocache_kit.storage.lru import lru_storage
from aiocache_kit.storage.memory import memory_storage
from bench.compare.subject import TTL, VALUE, Subject, load_user
from bench.measure import Loop


class Ours(Subject):
    """A provider over the memory storage with its defaults."""

    name: ClassVar[str] = "aiocache_kit"
    package: ClassVar[str | None] = "aiocache_kit"
    settings: ClassVar[str] = "Provider over the memory storage, all defaults, ttl as an int"

    async def open(self, entries: int) -> None:
        """Make the provider, and open it as its first use would."""
        self.cache = Provider(memory_storage(max_entries=entries))
        await self.cache.ping()

    async def close(self) -> None:
        """Close it."""
        await self.cache.close()

    async def holds(self, key: str) -> bool:
        """Read."""
        return bool(await self.cache.get(key) == VALUE)

    async def get(self, keys: Sequence[str]) -> None:
        """Read."""
        get = self.cache.get
        for key in keys:
            await get(key)

    async def get_or_set(self, keys: Sequence[str]) -> None:
        """Read; there is nothing to load."""
        get_or_set = self.cache.get_or_set

        async def load() -> bytes:
            return VALUE

        for key in keys:
            await get_or_set(key, load, TTL)

    async def get_multi(self, keys: Sequence[str]) -> None:
        """Read a hundred at once."""
        get_multi = self.cache.get_multi
        for start in range(0, len(keys), 100):
            await get_multi(keys[start : start + 100])

    async def set(self, keys: Sequence[str]) -> None:
        """Store."""
        set_ = self.cache.set
        for key in keys:
            await set_(key, VALUE, TTL)

    async def replay(self, keys: Sequence[str]) -> None:
        """Read; store what is missing."""
        get, set_ = self.cache.get, self.cache.set
        for key in keys:
            if await get(key) is None:
                await set_(key, VALUE, TTL)

    async def increment(self, keys: Sequence[str]) -> None:
        """Add one."""
        increment = self.cache.increment
        for key in keys:
            await increment(key)

    def decorated(self) -> Mapping[str, Loop]:
        """Decorate with a template, and with a key of the arguments."""
        try:
            from aiocache_kit.decorators import cached
        except ImportError:
            return {}
        by_template = cached(self.cache, ttl=TTL, key="user:{user_id}")(load_user)
        by_default = cached(self.cache, ttl=TTL)(load_user)

        async def template(keys: Sequence[str]) -> None:
            for key in keys:
                await by_template(key)

        async def default(keys: Sequence[str]) -> None:
            for key in keys:
                await by_default(key)

        return {"template": template, "default": default}


class OursOneByOne(Ours):
    """A call a key where others take many at once."""

    name: ClassVar[str] = "aiocache_kit, one by one"
    settings: ClassVar[str] = "a `get` a key"

    async def get_multi(self, keys: Sequence[str]) -> None:
        """Read them one by one."""
        await self.get(keys)


class OursSpelled(Ours):
    """The method looked up at each call, as most programs are written."""

    name: ClassVar[str] = "aiocache_kit, cache.get spelled out"
    settings: ClassVar[str] = "the method looked up at each call"

    async def get(self, keys: Sequence[str]) -> None:
        """Read."""
        cache = self.cache
        for key in keys:
            await cache.get(key)


class OursNamespace(Ours):
    """A view with a key prefix."""

    name: ClassVar[str] = "aiocache_kit, in a namespace"
    settings: ClassVar[str] = 'provider.namespace("users")'

    async def open(self, entries: int) -> None:
        """Make the provider and a namespace of it."""
        await super().open(entries)
        self.root = self.cache
        self.cache = self.root.namespace("users")
        await self.cache.ping()

    async def close(self) -> None:
        """Close the whole."""
        await self.root.close()


class OursTagged(Ours):
    """Items with a tag, which is looked at when they are read."""

    name: ClassVar[str] = "aiocache_kit, item with a tag"
    settings: ClassVar[str] = "one tag an item, one other tag invalidated before"

    async def set(self, keys: Sequence[str]) -> None:
        """Store with a tag."""
        await self.cache.invalidate_tags("others")
        for key in keys:
            await self.cache.set(key, VALUE, TTL, tags=("users",))


class OursSharded(Ours):
    """Room for a million entries: in shards."""

    name: ClassVar[str] = "aiocache_kit, room for 1M entries"
    settings: ClassVar[str] = "max_entries=1_000_000, which makes 32 shards"

    async def open(self, entries: int) -> None:
        """Make it large."""
        del entries
        await super().open(1_000_000)


class OursLru(Ours):
    """The exact LRU."""

    name: ClassVar[str] = "aiocache_kit, lru storage"
    settings: ClassVar[str] = "the lru storage, which reorders at each hit"

    async def open(self, entries: int) -> None:
        """Make the provider over an lru storage."""
        self.cache = Provider(lru_storage(max_entries=entries))
        await self.cache.ping()
