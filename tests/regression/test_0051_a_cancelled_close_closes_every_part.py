"""A `close` that was cancelled at its first wait left nodes, the lowest layer and the way of news open for good."""

import asyncio
from collections.abc import Callable

import pytest

from aiocache_kit import Provider, StorageUnavailableError
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.distributed import DistributedStorage, Node
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage


def nodes(part: FaultyStorage) -> Storage:
    """Make nodes, of which `part` is one."""
    return DistributedStorage([Node("a", part), Node("b", memory_storage())], replicas=2)


def layers(part: FaultyStorage) -> Storage:
    """Make layers, of which `part` is the lowest."""
    return LayeredStorage([Layer(memory_storage(), "near"), Layer(part, "lowest")])


@pytest.mark.parametrize("make", [nodes, layers])
async def test_what_is_being_made_up_for_keeps_nothing_open(make: Callable[[FaultyStorage], Storage]) -> None:
    """Cancelled while it ends the task that nurses a part, `close` closes that part, and the others."""
    part, clock = FaultyStorage(memory_storage()), FakeClock()
    cache = Provider(make(part), clock=clock)
    await cache.set("k", 1)
    part.fail(StorageUnavailableError, of=["write"], times=None)
    await cache.set("k", 2)
    part.hold(of=["read_multi", "read"], times=None)
    await clock.advance(0.2)

    closing = asyncio.create_task(cache.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    await clock.settle()

    assert closing.cancelled()
    assert part.calls[-1] == "close"
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_node_that_leaves_is_closed_though_nobody_waits_for_it() -> None:
    """Cancelled while a node that was taken out clears itself, or one that was to be added does, the node is closed."""
    part, other = FaultyStorage(memory_storage()), FaultyStorage(memory_storage())
    storage = DistributedStorage([Node("a", part), Node("b", memory_storage())])
    await storage.open()
    for change, held in ((storage.add_node(Node("c", other)), other), (storage.remove_node("a"), part)):
        gate = held.hold(of=["clear"])
        task = asyncio.create_task(change)
        await gate.reached.wait()
        task.cancel()
        await asyncio.wait([task])
        assert held.calls[-1] == "close"
    await storage.close()
