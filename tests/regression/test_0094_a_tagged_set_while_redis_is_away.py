"""With `on_unavailable` "miss" a `set` with tags raised while Redis was away, where one without them was forgotten."""

import asyncio

import pytest

from tests.integration.redis.caches import cache_at
from tests.servers.fixtures import StartServer

pytestmark = pytest.mark.blocking  # redis-py looks up its own version on the disk when it connects


async def test_it_is_forgotten_as_others_are(start_server: StartServer, fresh_prefix: str) -> None:
    """It is no error, and what was there is not given."""
    server = start_server()
    async with cache_at(server.port, fresh_prefix, on_unavailable="miss", breaker_failures=None) as cache:
        await cache.set("k", "old")
        await asyncio.to_thread(server.freeze)
        try:
            await cache.set("k", "new", tags=["t"])
        finally:
            await asyncio.to_thread(server.thaw)
        assert await cache.get("k") is None
        assert (await cache.stats()).errors == 1
        await cache.set("k", "newer", tags=["t"])
        assert await cache.get("k") == "newer"
