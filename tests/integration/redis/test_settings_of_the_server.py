"""Servers that forget, that are full, and that are told to forget: nothing wrong is given, and all goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import redis.asyncio

from aiocache_kit import MISSING, Provider, StorageError
from tests.concurrency.quiet import works
from tests.integration.redis.caches import cache_at
from tests.servers.fixtures import StartServer
from tests.servers.server import Server

KEYS = [
    "*",
    "?",
    "[a-z]",
    "a\\b",
    "^x",
    "\x00",
    "a\x00b\r\n$5\r\n",
    "\ud800",
    "ä\U0001f600",
    "{tag}",
    "@:t:t",
    "@n:k",
    "k" * 10_000,
    " ",
    "\xad",
    "-",
    "0",
]


@pytest.fixture
async def cache(redis_server: Server, fresh_prefix: str) -> AsyncIterator[Provider]:
    """Give a provider at the shared server."""
    async with cache_at(redis_server.port, fresh_prefix) as cache:
        yield cache


async def all_keys(cache: Provider, prefix: str = "") -> set[str]:
    """Go over the keys."""
    return {key async for key in cache.keys(prefix)}


async def test_strange_keys(cache: Provider) -> None:
    """Any text is a key, and means itself: each call finds its own item and nobody else's."""
    view = cache.namespace("n")
    for at, key in enumerate(KEYS):
        await cache.set(key, at, tags=[key])
        await view.set(key, -at)
    assert await cache.get_multi(KEYS) == {key: at for at, key in enumerate(KEYS)}
    assert await all_keys(cache) == await all_keys(view) == set(KEYS)
    for at, key in enumerate(KEYS):
        assert key in await all_keys(cache, key)
        assert await cache.get(key) == at
        assert await cache.increment(key) == at + 1
        assert await cache.get_or_set(key, lambda: -1) == at + 1
        async with cache.lock(key, timeout=1):
            assert await cache.touch(key, 100)
    for at, key in enumerate(KEYS):
        await cache.invalidate_tags(key)
        assert await cache.get(key) is None
        await cache.invalidate_prefix(key)
        assert await view.get(key) == -at
    for at, key in enumerate(KEYS):
        assert await view.pop(key) == -at
    assert await all_keys(view) == set()


async def test_prefix_that_is_a_pattern(redis_server: Server, fresh_prefix: str) -> None:
    """A prefix with glob characters holds its own keys, and clearing it takes no others."""
    prefixes = [f"{fresh_prefix}{each}" for each in ("*", "?", "[ab]", "a", "b", "x\\", "", "^")]
    caches = [cache_at(redis_server.port, prefix) for prefix in prefixes]
    for at, cache in enumerate(caches[:-2]):
        await cache.set("k", at)
    for at, cache in enumerate(caches[:-2]):
        await cache.clear()
        found = [await each.get("k") for each in caches[:-2]]
        assert found == [None] * (at + 1) + list(range(at + 1, len(caches) - 2))
    for cache in caches:
        await cache.close()


@pytest.mark.parametrize("command", [("SCRIPT", "FLUSH"), ("FLUSHALL",)])
async def test_server_that_is_told_to_forget(start_server: StartServer, fresh_prefix: str, command: Any) -> None:  # noqa: ANN401  - words
    """All goes on after the scripts, or everything, was forgotten."""
    server = start_server()
    async with cache_at(server.port, fresh_prefix) as cache:
        for _ in range(3):
            await works(cache)
            server.ask(*command)


async def test_everything_is_forgotten_during_a_load(start_server: StartServer, fresh_prefix: str) -> None:
    """A load whose lease was flushed away gives its value, and does not store it."""
    server = start_server()
    async with cache_at(server.port, fresh_prefix) as cache:

        async def load() -> str:
            await asyncio.to_thread(server.ask, "FLUSHALL")
            return "old"

        assert await cache.get_or_set("k", load, tags=["t"]) == "old"
        assert await cache.get("k") is None


async def test_tag_that_the_server_forgot(redis_server: Server, cache: Provider, fresh_prefix: str) -> None:
    """An item whose tag's generation is gone is a miss for good; what is stored afterwards is not."""
    await cache.set_multi({"a": 1, "b": 2}, None, tags=["t"])
    for name in redis_server.ask("KEYS", f"{fresh_prefix}@:t:*"):
        redis_server.ask("DEL", name)
    assert await cache.get_multi(["a", "b"]) == {}
    assert await cache.add("a", 3, tags=["t"])
    assert await cache.get_multi(["a", "b"]) == {"a": 3}
    await cache.invalidate_tags("t")
    assert await cache.get_multi(["a", "b"]) == {}


async def test_server_that_evicts(start_server: StartServer, fresh_prefix: str) -> None:
    """Where Redis evicts what it likes, generations of tags included, what is given was stored and not invalidated."""
    server = start_server(maxmemory="4mb", config=["maxmemory-policy allkeys-random"])
    async with cache_at(server.port, fresh_prefix) as cache:
        for part in range(20):
            values: dict[str, object] = {f"{part}-{at}": f"{at}" * 2000 for at in range(100)}
            await cache.set_multi(values, tags=[f"t{part}", "all"])
        assert int(server.info("stats")["evicted_keys"]) > 0
        for part in range(20):
            found = await cache.get_multi(f"{part}-{at}" for at in range(100))
            assert all(value == key.split("-")[1] * 2000 for key, value in found.items())
            await cache.invalidate_tags(f"t{part}")
            assert await cache.get_multi(f"{part}-{at}" for at in range(100)) == {}
        assert await cache.get_or_set("new", lambda: 1) == 1


@pytest.fixture
async def full(start_server: StartServer, fresh_prefix: str) -> AsyncIterator[Provider]:
    """Give a provider over a server that has no room left and evicts nothing."""
    server = start_server(config=["maxmemory-policy noeviction"])
    admin: Any = redis.asyncio.Redis(port=server.port)
    async with cache_at(server.port, fresh_prefix) as cache, admin:
        await cache.set("there", 1)
        await works(cache)
        await cache.set("there", 1, tags=["t"])
        await admin.config_set("maxmemory", 1)
        yield cache
        await admin.config_set("maxmemory", 0)
        await works(cache)


WRITES: dict[str, Callable[[Provider], Any]] = {
    "set": lambda cache: cache.set("k", 1),
    "set_multi": lambda cache: cache.set_multi({"k": 1, "l": 2}),
    "add": lambda cache: cache.add("k", 1),
    "increment": lambda cache: cache.increment("k"),
    "update": lambda cache: cache.update("k", lambda old: old, default=1),
    "lock": lambda cache: cache.lock("l").__aenter__(),
}


async def test_full_server(full: Provider) -> None:
    """A server that is full reads and removes; what cannot be stored is an error; loads are given, and not stored."""
    for name, call in WRITES.items():
        with pytest.raises(StorageError, match="out of memory") as raised:
            await call(full)
        assert type(raised.value) is StorageError, name
    assert await full.get("there") == 1
    for _ in range(2):
        assert await full.get_or_set("k", lambda: "loaded") == "loaded"
        assert await full.get_or_set_multi(["k", "m"], lambda keys: dict.fromkeys(keys, "loaded")) == {
            "k": "loaded",
            "m": "loaded",
        }
        assert await full.refresh("there", lambda: "loaded") == "loaded"
    assert await full.get("k", MISSING) is MISSING
    assert (await full.stats()).errors > 0
    assert await full.delete("there")


async def test_loads_at_a_full_server_are_shared(full: Provider) -> None:
    """In one process a key is loaded once, though no lease can be had."""
    loads = 0

    async def load() -> int:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0)
        return loads

    assert await asyncio.gather(*(full.get_or_set("k", load) for _ in range(50))) == [1] * 50
