"""cachebox: caches written in Rust; its decorator takes coroutine functions."""

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import ClassVar

from cachebox import TTLCache, VTTLCache, cached

from bench.compare.subject import TTL, VALUE, Call, Subject, load_user
from bench.measure import Loop


class Cachebox(Subject):
    """The one with a ttl for all entries, which is faster than the one with a ttl for each."""

    name: ClassVar[str] = "cachebox"
    package: ClassVar[str] = "cachebox"
    settings: ClassVar[str] = "TTLCache; its decorator with postprocess=None, so that nothing is copied, and its lock"
    plain: ClassVar[bool] = True

    async def open(self, entries: int) -> None:
        """Make it."""
        self.entries = entries
        self.cache = TTLCache(entries, TTL)

    async def close(self) -> None:
        """Forget all."""
        self.cache.clear()

    async def holds(self, key: str) -> bool:
        """Read."""
        return bool(self.cache.get(key) == VALUE)

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

    def loading(self, load: Call) -> Mapping[str, Call]:
        """Load by the decorator, which protects as it comes."""

        async def loaded(key: str) -> object:
            return await load(key)

        return {"cached": cached(TTLCache(self.entries, TTL))(loaded)}

    def decorated(self) -> Mapping[str, Loop]:
        """Decorate with a function that makes the key, and with a key of the arguments."""

        def user_key(user_id: str) -> str:
            return f"user:{user_id}"

        by_template = cached(TTLCache(self.entries, TTL), key_maker=user_key, postprocess=None)(load_user)
        by_default = cached(TTLCache(self.entries, TTL), postprocess=None)(load_user)

        async def template(keys: Sequence[str]) -> None:
            for key in keys:
                await by_template(key)

        async def default(keys: Sequence[str]) -> None:
            for key in keys:
                await by_default(key)

        return {"template": template, "default": default}


class CacheboxVariable(Cachebox):
    """The one with a ttl for each entry."""

    name: ClassVar[str] = "cachebox, a ttl an entry"
    settings: ClassVar[str] = "VTTLCache"

    async def open(self, entries: int) -> None:
        """Make it."""
        self.cache = VTTLCache(entries)

    async def set(self, keys: Sequence[str]) -> None:
        """Store."""
        insert = self.cache.insert
        for key in keys:
            insert(key, VALUE, TTL)

    async def set_until(self, keys: Sequence[str], end: float) -> None:
        """Store with what is left until then as the ttl."""
        insert = self.cache.insert
        for key in keys:
            insert(key, VALUE, end - monotonic())

    async def expire(self) -> None:
        """Remove what has expired."""
        self.cache.expire()

    async def clear(self) -> None:
        """Clear it."""
        self.cache.clear()

    async def count(self) -> int:
        """Ask it."""
        return len(self.cache)

    async def replay(self, keys: Sequence[str]) -> None:
        """Read; store what is missing."""
        get, insert = self.cache.get, self.cache.insert
        for key in keys:
            if get(key) is None:
                insert(key, VALUE, TTL)

    def decorated(self) -> Mapping[str, Loop]:
        """Nothing that the other has not."""
        return {}
