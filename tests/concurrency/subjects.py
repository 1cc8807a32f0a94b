"""The storages over which calls are interrupted, and the calls; another one of either is one line more."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from secrets import token_hex
from typing import Any, Final, TypeAlias

import pytest

from aiocache_kit import MISSING, NotFoundError, Provider, RateLimiter
from aiocache_kit.clock import Clock, SystemClock
from aiocache_kit.errors import UnsupportedError
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.distributed import DistributedStorage, Node
from aiocache_kit.storage.file import file_storage
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.lru import lru_storage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.null import NullStorage
from aiocache_kit.testing import FakeClock, FaultyStorage
from tests.concurrency.quiet import stores
from tests.contract.redis_case import INSTALLATIONS
from tests.contract.test_own_storage import DictStorage

Make: TypeAlias = Callable[[], Storage]
Call: TypeAlias = Callable[[Provider], Awaitable[object]]


def over_redis(name: str, **fields: Any) -> Callable[[pytest.FixtureRequest], Make]:  # noqa: ANN401  - of RedisConfig
    """Make storages over an installation, each with a prefix of its own."""

    def find(request: pytest.FixtureRequest) -> Make:
        found = INSTALLATIONS[name](request)
        installation = replace(found, config=replace(found.config, **fields))
        return lambda: installation.storage(f"{token_hex(6)}:", None)

    return find


def nodes_over_redis(request: pytest.FixtureRequest) -> Make:
    """Make storages of three nodes, each key on two of them; one server stands for them all."""
    make = over_redis("multiplexed")(request)
    return lambda: DistributedStorage([Node(name, make()) for name in "abc"], replicas=2, timeout=10.0)


def layers_over_redis(request: pytest.FixtureRequest) -> Make:
    """Make memory in front of Redis."""
    make = over_redis("multiplexed")(request)
    return lambda: LayeredStorage([Layer(memory_storage(), "near"), Layer(make(), "lowest")])


def files(request: pytest.FixtureRequest, **options: Any) -> Make:  # noqa: ANN401  - of `file_storage`
    """Make storages in directories of their own."""
    place = request.getfixturevalue("tmp_path")
    return lambda: file_storage(f"{place}/{token_hex(6)}", Codec(JsonSerializer()), **options)


FAR: Final[dict[str, Callable[[pytest.FixtureRequest], Make]]] = {
    "redis": over_redis("multiplexed"),
    "redis, client cache": over_redis("multiplexed", client_cache="1MB"),
    "redis, pooled": over_redis("pooled"),
    "redis cluster": over_redis("cluster"),
}
"""Those that wait for a network by themselves."""

STORAGES: Final[dict[str, Callable[[pytest.FixtureRequest], Make]]] = {
    "memory": lambda _: memory_storage,
    "lru": lambda _: lru_storage,
    "null": lambda _: NullStorage,
    "dict": lambda _: DictStorage,
    "layered": lambda _: lambda: LayeredStorage([Layer(memory_storage(), "near"), Layer(memory_storage(), "lowest")]),
    **FAR,
}
"""What makes an empty storage, by name; it may ask for the fixtures that it needs, such as servers."""

MADE_OF_OTHERS: Final[dict[str, Callable[[pytest.FixtureRequest], Make]]] = {
    "three nodes, two copies": lambda _: (
        lambda: DistributedStorage(
            [Node(name, FaultyStorage(memory_storage(), turns=True)) for name in "abc"], replicas=2
        )
    ),
    "redis, three nodes": nodes_over_redis,
    "memory before redis": layers_over_redis,
    "files": files,
    "files, shared": partial(files, shared=True),
}
"""Those that pass calls on: to nodes, to layers, to a thread; what they are made of is interrupted everywhere."""


async def load() -> str:
    """Load, with some waiting."""
    for _ in range(3):
        await asyncio.sleep(0)
    return "new"


async def load_many(keys: list[str]) -> dict[str, str]:
    """Load several, with some waiting."""
    return dict.fromkeys(keys, await load())


async def replaced(old: object) -> str:
    """Make a new value, with some waiting."""
    del old
    return await load()


async def locked(cache: Provider) -> None:
    """Hold a lock for a while."""
    async with cache.lock("k", 0.5):
        await asyncio.sleep(0)


async def limited(cache: Provider) -> object:
    """Load by a view that takes a token first, in a namespace."""
    limiter = RateLimiter(1_000_000)
    return await cache.limited(limiter, "caller").namespace("n").get_or_set("k", load)


async def acquired(cache: Provider) -> object:
    """Take a token, which cannot be where a storage is shared and does not count."""
    try:
        return await cache.rate_limiter("limit", 1_000_000).acquire("caller")
    except UnsupportedError:
        return None


async def in_a_namespace(cache: Provider) -> None:
    """Write, invalidate and clear where nobody else is."""
    inner = cache.namespace("n")
    await inner.set("k", 1, tags=["t"])
    await inner.invalidate_tags("t")
    await inner.clear()


async def keys_of(cache: Provider) -> list[str]:
    """Go over all keys."""
    return [key async for key in cache.keys()]  # noqa: SIM118  - a provider is no dict


async def got(cache: Provider) -> object:
    """Get an item, which nobody keeps where nothing is stored."""
    try:
        return await cache.get_item("k")
    except NotFoundError:
        return None


async def compared(cache: Provider) -> bool:
    """Write over what was read."""
    try:
        return await cache.compare_and_set("k", "new", (await cache.get_item("k")).version)
    except NotFoundError:
        return False


async def nested(cache: Provider) -> object:
    """Load a key that needs another one."""
    return await cache.get_or_set("outer", lambda: cache.get_or_set("inner", load))


async def loaded_together(cache: Provider) -> object:
    """Load several keys, one of which somebody else is loading."""
    other = asyncio.create_task(cache.get_or_set("a", load))
    await asyncio.sleep(0)
    try:
        return await cache.get_or_set_multi(["a", "k", "b"], load_many)
    finally:
        other.cancel()
        await asyncio.wait([other])


READS: Final[dict[str, Call]] = {
    "get": lambda cache: cache.get("k"),
    "get_item": got,
    "exists": lambda cache: cache.exists("k"),
    "get_multi": lambda cache: cache.get_multi(["k", "missing"]),
    "keys": keys_of,
    "touch": lambda cache: cache.touch("k", 5),
    "lock": locked,
    "rate_limiter": acquired,
    "ping": lambda cache: cache.ping(),
    "stats": lambda cache: cache.stats(),
    "get_or_set": lambda cache: cache.get_or_set("missing", load),
    "get_or_set, nested": nested,
    "add": lambda cache: cache.add("missing", "new"),
    "increment, born": lambda cache: cache.increment("missing"),
    "namespace": in_a_namespace,
    "namespace, limited": limited,
}
"""Calls that change none of the values that are there."""

WRITES: Final[dict[str, Call]] = {
    "set": lambda cache: cache.set("k", "new", tags=["t"]),
    "replace": lambda cache: cache.replace("k", "new"),
    "compare_and_set": compared,
    "update": lambda cache: cache.update("k", replaced, default="nothing"),
    "set_multi": lambda cache: cache.set_multi({"k": "new", "l": "new"}),
    "increment": lambda cache: cache.increment("counter"),
    "decrement": lambda cache: cache.decrement("counter", -1),
    "get_or_set, there": lambda cache: cache.get_or_set("k", load),
    "get_or_set_multi": lambda cache: cache.get_or_set_multi(["k", "a", "b"], load_many),
    "get_or_set_multi, joined": loaded_together,
    "refresh": lambda cache: cache.refresh("k", load),
    "refresh_multi": lambda cache: cache.refresh_multi(["k", "l"], load_many),
}
"""Calls after which each value is the old one or the new one."""

REMOVALS: Final[dict[str, Call]] = {
    "delete": lambda cache: cache.delete("k"),
    "pop": lambda cache: cache.pop("k"),
    "expire": lambda cache: cache.expire("k"),
    "delete_multi": lambda cache: cache.delete_multi(["k", "l"]),
    "invalidate_tags": lambda cache: cache.invalidate_tags("t"),
    "invalidate_prefix": lambda cache: cache.invalidate_prefix("k"),
    "clear": lambda cache: cache.clear(),
}
"""Calls after which each value is the old one or gone."""

CALLS: Final[dict[str, Call]] = READS | WRITES | REMOVALS


def clock_of(storage: Storage) -> Clock:
    """Give a clock turned by hand; the real one where a server has a clock of its own."""
    return SystemClock() if storage.capabilities.shared else FakeClock()


@asynccontextmanager
async def provider(storage: Storage, clock: Clock) -> AsyncGenerator[Provider]:
    """Give a provider that has "k" and "l", with the tag "t", and "counter"."""
    async with Provider(storage, clock=clock) as cache:
        await cache.set_multi({"k": "old", "l": "old"}, tags=["t"])
        await cache.set("counter", 1)
        yield cache


def as_they_are(call: str, allowed: list[object]) -> list[object]:
    """Allow nothing more after `call`."""
    del call
    return allowed


async def is_old_new_or_gone(
    cache: Provider, call: str, more: Callable[[str, list[object]], list[object]] = as_they_are
) -> None:
    """Assert that each value is what it was, or what the call may have made of it; `more` gives what else it may be.

    Then its tag is invalidated, and what the call has not written without that is gone.
    """
    for key, old, new in (("k", "old", "new"), ("l", "old", "new"), ("counter", 1, 2)):
        allowed: list[object] = [old] if stores(cache) else [MISSING]
        allowed += [new] if call in WRITES else []
        allowed += [MISSING] if call in REMOVALS else []
        assert await cache.get(key, MISSING) in more(call, allowed)
    await cache.invalidate_tags("t")
    for key in ("k", "l"):
        assert await cache.get(key, MISSING) in ([MISSING, "new"] if call in WRITES else [MISSING])
        await cache.delete(key)


over_calls = pytest.mark.parametrize("call", CALLS)
over_storages = pytest.mark.parametrize("make", STORAGES, indirect=True)
over_storages_made_of_others = pytest.mark.parametrize("make", MADE_OF_OTHERS, indirect=True)
over_slow_storages = pytest.mark.parametrize(
    "make", [*STORAGES, *(f"slow {name}" for name in STORAGES if name not in FAR)], indirect=True
)
"""Those, and each of them that is near with a wait before and after each call, as over a network."""
