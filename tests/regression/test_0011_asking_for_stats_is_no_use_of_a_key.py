from aiocache_kit.provider import Provider
from aiocache_kit.storage.lru import lru_storage


async def test_asking_for_stats_is_no_use_of_a_key() -> None:
    """`stats` times a look at the table without touching any key that a user may have: the order of use stays."""
    async with Provider(lru_storage(max_entries=2)) as cache:
        await cache.set("a key", 1)
        await cache.set("b", 2)
        await cache.stats()
        await cache.set("c", 3)

        assert await cache.get_multi(["a key", "b", "c"]) == {"b": 2, "c": 3}
