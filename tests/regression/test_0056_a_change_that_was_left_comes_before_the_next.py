"""A change of layers went on when its caller was cancelled, and might be done after what that caller did next."""

import asyncio

from aiocache_kit import Provider
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage


async def test_a_change_waits_for_those_of_its_key_that_were_left() -> None:
    """What was counted by a cancelled call does not come back after the key was deleted; other keys do not wait."""
    lowest, clock = FaultyStorage(memory_storage()), FakeClock()
    layers = LayeredStorage([Layer(memory_storage(), "near"), Layer(lowest, "lowest")])
    async with Provider(layers, clock=clock) as cache:
        await cache.set("k", 1)
        gate = lowest.hold(of=["increment"])
        left = asyncio.create_task(cache.increment("k"))
        await gate.reached.wait()
        left.cancel()
        await asyncio.wait([left])

        deleting = asyncio.create_task(cache.delete("k"))
        await cache.set("other", 1)
        clearing = asyncio.create_task(cache.clear())
        await clock.settle()
        assert not deleting.done()
        assert not clearing.done()
        gate.open()
        assert await deleting
        await clearing

        assert await cache.get("k") is None
        assert [key async for key in cache.keys("")] == []
