"""cashews: a front with middlewares over its `mem://` backend."""

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, ClassVar

from cashews import Cache

from bench.compare.subject import TTL, VALUE, Call, Subject, load_user
from bench.measure import Loop


class Cashews(Subject):
    """The `Cache` that its documentation shows."""

    name: ClassVar[str] = "cashews"
    package: ClassVar[str] = "cashews"
    settings: ClassVar[str] = (
        "Cache with mem://, opened beforehand; check_interval=0, so that no sweep disturbs (default: 1 s)"
    )
    check_interval: ClassVar[float] = 0

    async def open(self, entries: int) -> None:
        """Set it up."""
        self.cache = Cache()
        self.backend: Any = self.cache.setup("mem://", size=entries, check_interval=self.check_interval)
        await self.cache.init()

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
        get_many = self.cache.get_many
        for start in range(0, len(keys), 100):
            await get_many(*keys[start : start + 100])

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
        incr = self.cache.incr
        for key in keys:
            await incr(key)

    async def set_until(self, keys: Sequence[str], end: float) -> None:
        """Store with what is left until then as the ttl."""
        set_ = self.cache.set
        for key in keys:
            await set_(key, VALUE, end - monotonic())

    async def clear(self) -> None:
        """Clear the whole."""
        await self.cache.clear()

    async def drop_prefix(self, prefix: str) -> None:
        """Delete by a pattern."""
        await self.cache.delete_match(prefix + "*")

    async def count(self) -> int:
        """Look into the backend."""
        return len(self.backend.store)

    def loading(self, load: Call) -> Mapping[str, Call]:
        """Load by `get_or_set`, and by the decorator with its kinds of protection."""

        async def get_or_set(key: str) -> object:
            async def loaded() -> object:
                return await load(key)

            return await self.cache.get_or_set(key, loaded, TTL)

        return {
            "get_or_set": get_or_set,
            "decorator": self.cache(ttl=TTL)(load),
            "decorator, lock=True": self.cache(ttl=TTL, lock=True)(load),
        }

    def decorated(self) -> Mapping[str, Loop]:
        """Decorate with a template, and with a key of the arguments."""
        by_template = self.cache(ttl=TTL, key="user:{user_id}")(load_user)
        by_default = self.cache(ttl=TTL)(load_user)

        async def template(keys: Sequence[str]) -> None:
            for key in keys:
                await by_template(key)

        async def default(keys: Sequence[str]) -> None:
            for key in keys:
                await by_default(key)

        return {"template": template, "default": default}


class CashewsSweeping(Cashews):
    """As it comes: with its sweep."""

    settings: ClassVar[str] = (
        "Cache with mem://, its sweep every second; no tags: each write would copy the set of their keys"
    )
    check_interval: ClassVar[float] = 1
