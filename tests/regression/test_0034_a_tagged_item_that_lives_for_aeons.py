"""An item that was to live for longer than Redis can count could be stored without tags, and with tags was an error."""

from tests.integration.redis.caches import cache_at
from tests.servers.server import Server


async def test_a_life_that_redis_has_no_number_for(redis_server: Server, fresh_prefix: str) -> None:
    """An item with tags may live for as long as one without."""
    async with cache_at(redis_server.port, fresh_prefix) as cache:
        await cache.set("k", 1, 1e17)
        await cache.set("l", 2, 1e17, tags=["t"])
        assert await cache.get_multi(["k", "l"]) == {"k": 1, "l": 2}
        await cache.invalidate_tags("t")
        assert await cache.get("l") is None
