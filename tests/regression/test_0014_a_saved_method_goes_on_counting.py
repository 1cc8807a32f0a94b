import gc

from aiocache_kit.provider import Provider
from aiocache_kit.storage.memory import memory_storage


async def test_a_saved_method_goes_on_counting() -> None:
    """Who keeps nothing of a namespace but its `get` is still counted, in the provider's figures, too."""
    async with Provider(memory_storage()) as cache:
        await cache.namespace("users").set("key", 1)
        get = cache.namespace("users").get
        gc.collect()
        before = await cache.stats()
        assert [await get("key"), await get("key")] == [1, 1]

        assert (await cache.stats() - before).hits == 2
        assert (await cache.namespace("users").stats()).hits == 2
