"""aiocache: `SimpleMemoryCache`, with its timeout and without."""

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import ClassVar

from aiocache import SimpleMemoryCache, cached, cached_stampede

from bench.compare.subject import TTL, VALUE, Call, Subject, load_user
from bench.measure import Loop


class Aiocache(Subject):
    """As fast as it gets: no time limit, which is a `wait_for` around each operation otherwise."""

    name: ClassVar[str] = "aiocache"
    package: ClassVar[str] = "aiocache"
    settings: ClassVar[str] = "SimpleMemoryCache(timeout=None); it has no bound of entries"
    timeout: ClassVar[float | None] = None

    async def open(self, entries: int) -> None:
        """Make it; it cannot be bounded."""
        del entries
        self.cache = SimpleMemoryCache(timeout=self.timeout)

    async def close(self) -> None:
        """Take its timers from the event loop, one after the other."""
        for key in list(self.cache._cache):  # noqa: SLF001  - `clear` leaves the timers, and they would fire in other runs
            await self.cache.delete(key)

    async def holds(self, key: str) -> bool:
        """Read."""
        return bool(await self.cache.get(key) == VALUE)

    async def get(self, keys: Sequence[str]) -> None:
        """Read."""
        get = self.cache.get
        for key in keys:
            await get(key)

    async def get_multi(self, keys: Sequence[str]) -> None:
        """Read a hundred at once."""
        multi_get = self.cache.multi_get
        for start in range(0, len(keys), 100):
            await multi_get(keys[start : start + 100])

    async def set(self, keys: Sequence[str]) -> None:
        """Store."""
        set_ = self.cache.set
        for key in keys:
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

    async def clear(self) -> None:
        """Clear the whole; the timers stay."""
        await self.cache.clear()

    async def drop_prefix(self, prefix: str) -> None:
        """Clear a namespace, which is a prefix."""
        await self.cache.clear(namespace=prefix)

    async def count(self) -> int:
        """Look into it."""
        return len(self.cache._cache)  # noqa: SLF001  - it has no call for it

    def loading(self, load: Call) -> Mapping[str, Call]:
        """Load by both decorators."""

        async def loaded(key: str) -> object:
            return await load(key)

        return {
            "cached": cached(ttl=TTL, timeout=self.timeout)(loaded),
            "cached_stampede": cached_stampede(ttl=TTL, timeout=self.timeout)(loaded),
        }

    def decorated(self) -> Mapping[str, Loop]:
        """Decorate with a function that makes the key, and with a key of the arguments."""

        def user_key(function: object, user_id: str) -> str:
            del function
            return f"user:{user_id}"

        by_template = cached(ttl=TTL, key_builder=user_key, timeout=self.timeout)(load_user)
        by_default = cached(ttl=TTL, timeout=self.timeout)(load_user)

        async def template(keys: Sequence[str]) -> None:
            for key in keys:
                await by_template(key)

        async def default(keys: Sequence[str]) -> None:
            for key in keys:
                await by_default(key)

        return {"template": template, "default": default}


class AiocacheDefault(Aiocache):
    """As it comes."""

    name: ClassVar[str] = "aiocache, as it comes"
    settings: ClassVar[str] = "SimpleMemoryCache(), whose timeout is 5 seconds"
    timeout: ClassVar[float | None] = 5
