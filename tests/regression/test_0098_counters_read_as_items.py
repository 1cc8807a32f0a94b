"""Reading many counters from Redis as items, as layers do, took a round trip for each of them."""

import asyncio
from typing import Any

import pytest

from aiocache_kit.storage.redis.wire import Wire
from tests.integration.redis.caches import cache_at, storage_of
from tests.servers.fixtures import StartServer
from tests.servers.server import Server

pytestmark = pytest.mark.blocking  # redis-py looks up its own version on the disk when it connects

KEYS = [f"n{each}" for each in range(100)]


async def test_they_are_asked_for_together(
    redis_server: Server, fresh_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values and lives take two round trips."""
    async with cache_at(redis_server.port, fresh_prefix) as cache:
        await asyncio.gather(*[cache.increment(key, ttl=60 if key == "n1" else None) for key in KEYS])
        await cache.set("text", "t")
        asked: list[str] = []

        def counted(name: str) -> Any:  # noqa: ANN401  - a method
            method = getattr(Wire, name)

            def ask(*given: Any) -> Any:  # noqa: ANN401  - what the method takes and gives
                asked.append(name)
                return method(*given)

            return ask

        for name in ("send", "send_many"):
            monkeypatch.setattr(Wire, name, counted(name))
        found = await storage_of(cache).read_multi([*KEYS, "text", "no such key"])

        assert asked == ["send", "send_many"]
        assert {key: item.value for key, item in found.items()} == dict.fromkeys(KEYS, 1) | {"text": "t"}
        assert found["n0"].ttl is None
        ttl = found["n1"].ttl
        assert ttl is not None
        assert 0 < ttl <= 60


async def test_one_whose_life_nobody_told(start_server: StartServer, fresh_prefix: str) -> None:
    """Where Redis goes away before it tells how long a counter lives, it is a miss for who wants misses then."""
    server = start_server()
    async with cache_at(server.port, fresh_prefix, on_unavailable="miss", breaker_failures=None) as cache:
        await cache.increment("n")
        await asyncio.to_thread(server.freeze)
        try:
            assert await storage_of(cache)._reader.living("n", b"1") is None
        finally:
            await asyncio.to_thread(server.thaw)
        assert (await cache.stats()).errors == 1
