"""Names and generations of tags that are no text, put into Redis by others, were errors of Python for callers.

One name under the prefix was enough to keep `clear` and `keys` from working, and one generation all reads with its tag.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio

from aiocache_kit import Config, RedisConfig, new_provider
from tests.integration.redis.caches import cache_at
from tests.servers.server import Server

FOREIGN = (b"\xff\xfe", b"", b"1", b"f" * 24, b"g" * 24, b"0" * 16 + b"\xff" * 8, b"0" * 25)


@pytest.fixture
async def admin(redis_server: Server) -> AsyncIterator[Any]:
    """Talk to the server past the cache."""
    client: Any = redis.asyncio.Redis(port=redis_server.port)
    yield client
    await client.aclose()


async def test_a_name_that_is_no_text(redis_server: Server, admin: Any, fresh_prefix: str) -> None:  # noqa: ANN401  - a client
    """What has a name that no key has is no item: it is neither listed nor removed, and in nobody's way."""
    foreign = fresh_prefix.encode() + b"\xff\xfe"
    await admin.set(foreign, b"foreign")
    async with cache_at(redis_server.port, fresh_prefix) as cache:
        await cache.set("k", 1)
        assert [key async for key in cache.keys()] == ["k"]  # noqa: SIM118  - a provider is no dict
        await cache.clear()
        assert await cache.get("k") is None
    assert await admin.get(foreign) == b"foreign"


@pytest.mark.parametrize("generation", FOREIGN)
async def test_a_generation_that_is_none(
    redis_server: Server,
    admin: Any,  # noqa: ANN401  - a client
    fresh_prefix: str,
    generation: bytes,
) -> None:
    """What stands in the place of a generation kills what is there, and is put right by what is stored next."""
    config = Config(
        provider="redis", redis_config=RedisConfig(addr=f"127.0.0.1:{redis_server.port}", key_prefix=fresh_prefix)
    )
    async with new_provider(config) as cache:
        await cache.set("old", 1, tags=["t"])
        await admin.set(fresh_prefix + "@:t:t", generation)
        assert await cache.get("old") is None

        await cache.set("k", 2, tags=["t"])
        assert await cache.get("k") == 2
        assert (await cache.get_item("k")).tags == ("t",)
        await admin.set(fresh_prefix + "@:t:t", generation)
        assert await cache.get_or_set("l", _load, tags=["t"]) == 3
        assert await cache.get("l") == 3
        await cache.invalidate_tags("t")
        assert await cache.get("l") is None


async def _load() -> int:
    return 3
