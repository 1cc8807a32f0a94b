import asyncio

from aiocache_kit.provider import LoadContext, Provider
from aiocache_kit.storage.memory import memory_storage


async def test_tags_that_only_the_loader_knows() -> None:
    """Who asks after an invalidation gets a load of his own also where the load under way was tagged by its loader."""
    loads = 0
    go_on = asyncio.Event()

    async def load(context: LoadContext) -> int:
        nonlocal loads
        loads += 1
        mine = loads
        context.tags = ["tag"]
        await go_on.wait()
        return mine

    async with Provider(memory_storage()) as cache:
        early = asyncio.create_task(cache.get_or_set("key", load))
        await asyncio.sleep(0)
        await cache.invalidate_tags("other")
        meanwhile = asyncio.create_task(cache.get_or_set("key", load))
        await asyncio.sleep(0)
        await cache.invalidate_tags("tag")
        late = asyncio.create_task(cache.get_or_set("key", load))
        await asyncio.sleep(0)
        go_on.set()

        assert [await early, await meanwhile, await late] == [1, 1, 2]
        assert await cache.get("key") == 2
