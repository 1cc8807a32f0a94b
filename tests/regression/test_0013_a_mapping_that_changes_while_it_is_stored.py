import asyncio

from aiocache_kit.provider import Provider
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FaultyStorage


async def test_a_mapping_that_changes_while_it_is_stored() -> None:
    """`set_multi` stores what the mapping held at the call, whatever its owner does to it afterwards."""
    storage = FaultyStorage(memory_storage())
    async with Provider(storage) as cache:
        gate = storage.hold(of=["write_multi"])
        mapping = {"a": 1, "b": 2}
        storing = asyncio.create_task(cache.set_multi(mapping))
        await gate.reached.wait()
        del mapping["a"]
        mapping["b"] = 3
        gate.open()
        await storing

        assert await cache.get_multi(["a", "b"]) == {"a": 1, "b": 2}
