"""What the checks of a provider share."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias, TypeVar

from aiocache_kit.errors import CacheError, NotFoundError
from aiocache_kit.provider import Provider
from aiocache_kit.sentinels import MISSING
from aiocache_kit.storage.base import Capabilities, Storage
from aiocache_kit.testing.clock import FakeClock
from aiocache_kit.testing.contract import Contract, made
from aiocache_kit.testing.given import Given

T = TypeVar("T")
Call: TypeAlias = Callable[[Provider, Any], Awaitable[object]]


async def _first_key(cache: Provider, prefix: Any) -> object:  # noqa: ANN401  - wrong ones are given, too
    async for key in cache.keys(prefix):
        return key
    return None


async def _hold(cache: Provider, key: Any) -> object:  # noqa: ANN401  - wrong ones are given, too
    async with cache.lock(key) as lease:
        return lease


KEYED: Final[dict[str, Call]] = {
    "get": lambda cache, key: cache.get(key),
    "get_item": lambda cache, key: cache.get_item(key),
    "set": lambda cache, key: cache.set(key, 1),
    "add": lambda cache, key: cache.add(key, 1),
    "replace": lambda cache, key: cache.replace(key, 1),
    "compare_and_set": lambda cache, key: cache.compare_and_set(key, 1, 1),
    "update": lambda cache, key: cache.update(key, lambda _: 1, default=1),
    "delete": lambda cache, key: cache.delete(key),
    "exists": lambda cache, key: cache.exists(key),
    "touch": lambda cache, key: cache.touch(key, 5),
    "expire": lambda cache, key: cache.expire(key),
    "pop": lambda cache, key: cache.pop(key),
    "get_multi": lambda cache, key: cache.get_multi([key]),
    "set_multi": lambda cache, key: cache.set_multi({key: 1}),
    "delete_multi": lambda cache, key: cache.delete_multi([key]),
    "increment": lambda cache, key: cache.increment(key),
    "decrement": lambda cache, key: cache.decrement(key),
    "get_or_set": lambda cache, key: cache.get_or_set(key, one),
    "refresh": lambda cache, key: cache.refresh(key, one),
    "get_or_set_multi": lambda cache, key: cache.get_or_set_multi([key], nothing),
    "refresh_multi": lambda cache, key: cache.refresh_multi([key], nothing),
    "lock": _hold,
}
"""Every call that takes a key."""

UNKEYED: Final[dict[str, Callable[[Provider], Awaitable[object]]]] = {
    "invalidate_tags": lambda cache: cache.invalidate_tags("t"),
    "invalidate_prefix": lambda cache: cache.invalidate_prefix("p"),
    "clear": lambda cache: cache.clear(),
    "keys": lambda cache: _first_key(cache, ""),
    "stats": lambda cache: cache.stats(),
    "ping": lambda cache: cache.ping(),
    "namespace": lambda cache: cache.namespace("n").get("k"),
    "__aenter__": lambda cache: cache.__aenter__(),
}
"""Every other call."""


async def one() -> int:
    """Load a one."""
    return 1


async def nothing(keys: list[str]) -> dict[str, int]:
    """Find none of the keys."""
    del keys
    return {}


class Source:
    """Where values are loaded from: counts its loads, and holds them up until it is opened."""

    def __init__(self, value: Any = "loaded", *, held: bool = False) -> None:  # noqa: ANN401  - a loader of anything
        """Give `value`, or raise it where it is an error; `held`: not before `open`."""
        self.value = value
        self.loads: int = 0
        self.cancelled: int = 0
        self.started: Final = asyncio.Event()
        self._opened = asyncio.Event()
        if not held:
            self._opened.set()

    def open(self) -> None:
        """Let the loads end."""
        self._opened.set()

    async def load(self) -> Any:  # noqa: ANN401  - a loader of anything
        """Load the value."""
        self.loads += 1
        self.started.set()
        try:
            await self._opened.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value

    async def load_all(self, keys: list[str]) -> Any:  # noqa: ANN401  - as above
        """Load several values at once, which are a mapping."""
        del keys
        return await self.load()


class ProviderCase(Given, Contract):
    """A provider for each check, not opened yet."""

    cache: Provider
    """The provider of this check."""

    def over(self, storage: Storage, clock: FakeClock) -> Provider:
        """Give a provider over `storage` that uses `clock` and has a default ttl of 600 seconds."""
        return Provider(storage, clock=clock)

    async def provider(self, clock: FakeClock) -> Provider:
        """Give a new, empty provider; as `over` does, unless it is overridden."""
        return self.over(await made(self.storage(clock)), clock)

    async def another(self) -> Provider:
        """Give one more provider over the items of the last one; one without items where nothing says otherwise."""
        found = self.again(self.clock)
        if found is not None:
            return self.over(await made(found), self.clock)
        self.must_share_nothing()
        return await made(self.provider(self.clock))

    async def set_up(self) -> None:
        """Make a provider."""
        self.cache = await made(self.provider(self.clock))

    async def tear_down(self) -> None:
        """Close it."""
        await self.cache.close()

    @property
    def able(self) -> Capabilities:
        """What the storage behind it can do."""
        return self.cache.capabilities

    async def holds(self, key: str, value: object) -> bool:
        """Whether `value` is under `key`, or nothing where the storage forgets all."""
        found = await self.cache.get(key, MISSING)
        if not self.stores:
            return found is MISSING
        return found == value and type(found) is type(value)

    async def lacks(self, key: str) -> bool:
        """Whether nothing is live under `key`, by each of the ways to look."""
        found = [
            await self.cache.get(key, MISSING) is not MISSING,
            await self.cache.exists(key),
            bool(await self.cache.get_multi([key])),
            key in await self.found(),
            await self._has_item(key),
        ]
        return not any(found)

    async def _has_item(self, key: str) -> bool:
        try:
            await self.cache.get_item(key)
        except NotFoundError:
            return False
        return True

    async def found(self, prefix: str = "", *, cache: Provider | None = None) -> set[str]:
        """Give all live keys, each of which comes once."""
        keys = [key async for key in (cache or self.cache).keys(prefix)]
        assert len(keys) == len(set(keys))
        return set(keys)

    async def refuses(self, error: type[CacheError], *calls: Awaitable[object]) -> None:
        """Assert that each call raises `error`."""
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(result) for result in results] == [error] * len(calls)

    def start(self, call: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Run a call as a task of its own; the check awaits it."""
        return asyncio.create_task(call)

    async def waiting(self, call: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Start a call and give it as much time as it can use before it waits for something."""
        task = self.start(call)
        await self.settle()
        return task
