"""One connection that was cut opened the circuit before a server that was well, if five increments were on their way.

All reads that lost it too failed with that, though they may be tried again.
"""

import asyncio

import pytest

from aiocache_kit import StorageUnavailableError
from tests.integration.redis.caches import cache_at, wire_of
from tests.servers.server import Server

pytestmark = pytest.mark.blocking  # redis-py looks up its own version on the disk when it connects


async def test_reads_are_tried_again_whatever_else_was_lost(redis_server: Server, fresh_prefix: str) -> None:
    """Increments fail, as nobody knows whether they were done; reads go on, and so do calls that come later."""
    async with cache_at(redis_server.port, fresh_prefix, breaker_failures=5, read_timeout=10) as cache:
        await cache.set("k", 1)
        await cache.increment("n")
        wire = wire_of(cache)
        assert wire is not None
        await asyncio.to_thread(redis_server.freeze)
        try:
            increments = [asyncio.create_task(cache.increment("n")) for _ in range(20)]
            reads = [asyncio.create_task(cache.get("k")) for _ in range(20)]
            for _ in range(10):
                await asyncio.sleep(0)  # all of them have left by then
            assert wire.under_way == len(increments) + len(reads)
            wire.end()
        finally:
            await asyncio.to_thread(redis_server.thaw)

        assert await asyncio.gather(*reads) == [1] * len(reads)
        for increment in increments:
            with pytest.raises(StorageUnavailableError, match="closed the connection"):
                await increment
        assert await cache.get("k") == 1
