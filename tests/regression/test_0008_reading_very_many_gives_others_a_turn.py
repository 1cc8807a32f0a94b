import asyncio

from aiocache_kit.provider import Provider
from aiocache_kit.storage.memory import memory_storage


async def test_reading_very_many_gives_others_a_turn() -> None:
    """A `get_multi` of many thousand keys lets other tasks run before it has read all of them."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with Provider(memory_storage()) as cache:
        await cache.set_multi({str(number): number for number in range(10_000)})
        counting = asyncio.create_task(count())
        found = await cache.get_multi([str(number) for number in range(10_000)])
        counting.cancel()
        await asyncio.wait([counting])

    assert len(found) == 10_000
    assert turns >= 3
