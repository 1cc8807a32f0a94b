"""aiocache_kit, as it ships and in the variations whose price somebody may ask for."""

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, ClassVar

from aiocache_kit import Config, Layer, cached, new_layered, new_provider
from bench.compare.subject import TTL, VALUE, Call, Subject, load_user
from bench.measure import Loop


class Ours(Subject):
    """A provider over the memory storage with its defaults."""

    name: ClassVar[str] = "aiocache_kit"
    package: ClassVar[str] = "aiocache_kit"
    settings: ClassVar[str] = 'Config(provider="memory"), all defaults but the number of entries; the ttl as an int'
    config: ClassVar[Mapping[str, Any]] = {"provider": "memory"}

    async def open(self, entries: int) -> None:
        """Make the provider, and open it as its first use would."""
        self.cache = new_provider(Config(max_entries=entries, **self.config))
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

    async def set_until(self, keys: Sequence[str], end: float) -> None:
        """Store with what is left until then as the ttl."""
        set_ = self.cache.set
        for key in keys:
            await set_(key, VALUE, end - monotonic())

    async def set_tagged(self, keys: Sequence[str]) -> None:
        """Store with a tag."""
        set_ = self.cache.set
        for key in keys:
            await set_(key, VALUE, TTL, tags=("users",))

    async def clear(self) -> None:
        """Clear the whole."""
        await self.cache.clear()

    async def drop_prefix(self, prefix: str) -> None:
        """Invalidate the prefix."""
        await self.cache.invalidate_prefix(prefix)

    async def drop_tag(self) -> None:
        """Invalidate the tag."""
        await self.cache.invalidate_tags("users")

    async def count(self) -> int:
        """Ask the statistics."""
        return (await self.cache.stats()).items

    def loading(self, load: Call) -> Mapping[str, Call]:
        """Load by `get_or_set`, and by the decorator."""

        async def get_or_set(key: str) -> object:
            async def loaded() -> object:
                return await load(key)

            return await self.cache.get_or_set(key, loaded, TTL)

        async def loaded(key: str) -> object:
            return await load(key)

        return {"get_or_set": get_or_set, "decorator": cached(self.cache, ttl=TTL)(loaded)}

    def decorated(self) -> Mapping[str, Loop]:
        """Decorate with a template, and with a key of the arguments."""
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
        await self.set_tagged(keys)


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
    settings: ClassVar[str] = 'Config(provider="lru"), which reorders at each hit'
    config: ClassVar[Mapping[str, Any]] = {"provider": "lru"}


class OursLayered(Ours):
    """A hit in the nearest of two layers."""

    name: ClassVar[str] = "aiocache_kit, nearest of two layers"
    settings: ClassVar[str] = 'new_layered(Layer("memory://", ttl=None), memory), a hit in the first'

    async def open(self, entries: int) -> None:
        """Make the layers."""
        near, lowest = Config(max_entries=entries), Config(max_entries=entries)
        self.cache = new_layered(Layer(near, "near", None), Layer(lowest, "lowest"))
        await self.cache.ping()
