from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.errors import ValueTooLargeError
from aiocache_kit.provider import Provider
from aiocache_kit.storage.lru import lru_storage
from aiocache_kit.testing import FakeClock

KEYS = st.sampled_from("abcdef")


@given(st.lists(st.tuples(st.sampled_from(["get", "set", "exists", "delete", "increment", "touch", "many"]), KEYS)))
async def test_the_order_is_that_of_use(steps: list[tuple[str, str]]) -> None:
    """Getting, setting and counting are uses; looking whether a key is there, or giving it another end, is none."""
    model: OrderedDict[str, None] = OrderedDict()
    async with Provider(lru_storage(max_entries=3, clock=FakeClock())) as cache:
        for name, key in steps:
            if name == "set":
                await cache.set(key, 1)
                model[key] = None
                model.move_to_end(key)
            elif name == "increment":
                await cache.increment(key)
                model[key] = None
                model.move_to_end(key)
            elif name == "delete":
                await cache.delete(key)
                model.pop(key, None)
            elif name == "many":
                await cache.get_multi([key, "other"])
            elif name == "touch":
                await cache.touch(key, 5)
            else:
                await getattr(cache, name)(key)
            if key in model and name in {"get", "many"}:
                model.move_to_end(key)
            while len(model) > 3:
                model.popitem(last=False)
            assert {key async for key in cache.keys()} == set(model)  # noqa: SIM118  - no dict
            await cache.stats()


async def test_one_table_whatever_the_bound() -> None:
    """An exact order needs a single table, also for very many entries."""
    assert len(lru_storage(max_entries=10**7).tables) == 1
    assert lru_storage().name == "lru"
    assert lru_storage().tables[0]._max_entries == 1000


async def test_a_bound_of_bytes() -> None:
    """As many of the most recently used as fit are kept."""
    clock = FakeClock()
    storage = lru_storage(max_entries=None, max_size=100, sizer=lambda _, value: int(str(value)), clock=clock)
    for key, size in (("a", 40), ("b", 40), ("c", 20)):
        storage.put(key, size, 5.0)
    storage.lookup("a", clock.monotonic())
    storage.put("d", 30, 5.0)

    assert [key for key in "abcd" if storage.holds(key)] == ["a", "c", "d"]
    try:
        storage.put("e", 101, 5.0)
    except ValueTooLargeError:
        assert (await storage.size()).bytes == 90
    else:
        raise AssertionError
