"""What waited for parts of the lowest layer that were back was not made up for while another part was still away."""

from aiocache_kit import Provider, StorageUnavailableError
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.distributed import DistributedStorage, Node
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage
from tests.unit.storage.layered.processes import Store

KEYS = [f"k{number}" for number in range(20)]


def layered(lowest: Storage) -> LayeredStorage:
    """Put copies in front."""
    return LayeredStorage([Layer(memory_storage(), "near"), Layer(lowest, "lowest")], probe_after=0.2)


async def test_changes_of_the_other_nodes_are_made_up_for() -> None:
    """Of three nodes that were away one stays away: what belongs to the others is there."""
    clock, stores = FakeClock(), [memory_storage() for _ in range(3)]
    ways = [FaultyStorage(store) for store in stores]
    ring = DistributedStorage([Node(name, way) for name, way in zip("abc", ways, strict=True)])
    async with Provider(layered(ring), clock=clock) as cache:
        await cache.get_multi(KEYS)
        for way in ways:
            way.fail(StorageUnavailableError, times=None)
        for key in KEYS:
            await cache.set(key, "late")
        ways[0].heal()
        ways[1].heal()
        await clock.advance(60.0)
        stored = [[key async for key in store.scan()] for store in stores]
        waiting = (await cache.stats()).layers["lowest"].health
        ways[2].heal()
        await clock.advance(60.0)

        assert stored[0]
        assert stored[1]
        assert not stored[2]
        assert waiting == 0.5
        assert [key async for key in stores[2].scan()]
        assert (await cache.stats()).layers["lowest"].health == 1.0


async def test_one_key_that_fails_keeps_no_other_one_waiting() -> None:
    """The writing of the first one fails again and again: the second one is there."""
    clock, store = FakeClock(), Store()
    way = FaultyStorage(store)
    async with Provider(layered(way), clock=clock) as cache:
        way.fail(of=["write"], times=2)
        await cache.set("first", 1)
        await cache.set("second", 2)
        way.fail(of=["write"], at=1)
        await clock.advance(0.125)

        assert list(store.kept) == ["second"]
        await clock.advance(1.0)
        assert list(store.kept) == ["second", "first"]


async def test_close_tries_a_layer_that_was_never_open() -> None:
    """A program that began while the lowest layer was away, and ends soon, leaves what it wrote there all the same."""
    store = Store()
    way = FaultyStorage(store)
    way.fail(of=["open"], times=2)
    cache = Provider(layered(way), clock=FakeClock())
    await cache.set("k", 1)
    assert not store.kept
    await cache.close()

    assert list(store.kept) == ["k"]
