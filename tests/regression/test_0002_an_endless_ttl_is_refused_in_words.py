import pytest

from aiocache_kit.errors import InvalidTTLError
from aiocache_kit.provider import Provider
from aiocache_kit.storage.memory import memory_storage


@pytest.mark.parametrize("ttl", [10**400, 10**5000, -(10**5000)], ids=["400", "5000", "minus 5000"])
async def test_an_endless_ttl_is_refused_in_words(ttl: int) -> None:
    """An int with more digits than Python writes is an `InvalidTTLError` like any other, and nothing has changed."""
    async with Provider(memory_storage()) as cache:
        await cache.set("old", 1)
        for key in ("old", "new"):
            with pytest.raises(InvalidTTLError, match="ttl must be"):
                await cache.set(key, 2, ttl)

        assert await cache.get_multi(["old", "new"]) == {"old": 1}
        assert (await cache.stats()).sets == 1
