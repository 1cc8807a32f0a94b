from aiocache_kit.item import Item
from aiocache_kit.storage.base import ALWAYS, IF_ABSENT, IF_PRESENT, Size, if_version
from aiocache_kit.storage.null import NullStorage


async def test_everything_is_taken_and_nothing_kept() -> None:
    """Each write happens as if nothing had been there, and is forgotten."""
    storage = NullStorage()
    item: Item[object] = Item(key="k", value=1)
    conditions = (ALWAYS, IF_ABSENT, IF_PRESENT, if_version(0))

    assert [await storage.write(item, each) for each in conditions] == [True, True, False, False]
    assert await storage.read("k") is None
    assert await storage.read_multi(["k"]) == {}
    assert not await storage.remove("k")
    assert await storage.remove_multi(["k"]) == 0
    assert not await storage.expire("k")
    assert not await storage.touch(Item(key="k", value=None))
    assert [key async for key in storage.scan()] == []
    await storage.clear()
    assert await storage.size() == Size()


async def test_every_counter_is_born_now() -> None:
    """A counter has no past."""
    storage = NullStorage()

    assert [await storage.increment(Item(key="k", value=10), 5) for _ in range(2)] == [15, 15]


def test_what_it_can_do() -> None:
    """It says that it stores nothing."""
    assert not NullStorage().capabilities.stores
    assert NullStorage().name == "null"
