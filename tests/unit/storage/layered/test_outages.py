"""The lowest layer is away: what is answered meanwhile, what waits, and who wins when it is back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aiocache_kit import Item, Provider, StorageUnavailableError, ValueTooLargeError
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.base import IF_ABSENT, Storage, if_version
from aiocache_kit.storage.file import file_storage
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage
from tests.contract.test_own_storage import DictStorage


class World:
    """One process with copies over a store that may be away."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  - of any type
        """Begin."""
        self.clock = FakeClock()
        self.store = memory_storage(clock=self.clock)
        self.lowest = FaultyStorage(self.store)
        near: Storage = FaultyStorage(memory_storage())
        layers = [Layer(near, "near", options.pop("ttl", 30.0)), Layer(self.lowest, "lowest")]
        self.storage = LayeredStorage(layers, failures=1, probe_after=0.2, **options)
        self.storage.clock = self.clock

    def item(self, key: str, value: object, ttl: float | None = None, **more: Any) -> Item[Any]:  # noqa: ANN401  - of any type
        """Make an item of now."""
        now = self.clock.time()
        expiration = None if ttl is None else now + ttl
        item = Item(key=key, value=value, ttl=ttl, expiration=expiration, created_at=now)
        return replace(item, **more)

    async def write(self, key: str, value: object, ttl: float | None = None) -> None:
        """Write by way of the layers."""
        await self.storage.write(self.item(key, value, ttl))

    async def value(self, key: str) -> object:
        """Read by way of the layers."""
        item = await self.storage.read(key)
        return None if item is None else item.value

    async def stored(self, key: str) -> object:
        """Look at the store itself."""
        item = await self.store.read(key)
        return None if item is None else item.value

    async def go(self) -> None:
        """Let the lowest layer go away, and some time pass: of two changes at one instant none is the later one."""
        self.lowest.fail(times=None)
        await self.clock.advance(0.125)

    async def come(self, seconds: float = 6.0) -> None:
        """Let it come back, and time pass in which it is found."""
        self.lowest.heal()
        await self.clock.advance(seconds)

    async def missed(self) -> tuple[int, float]:
        """Give how many changes were queued, and the health of the lowest layer."""
        stats = (await self.storage.layers())["lowest"]
        return stats.missed, stats.health


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., Awaitable[World]]]:
    """Give a function that makes worlds, and end them."""
    worlds: list[World] = []

    async def new(**options: Any) -> World:  # noqa: ANN401  - of any type
        worlds.append(World(**options))
        await worlds[-1].storage.open()
        return worlds[-1]

    yield new
    for world in worlds:
        world.lowest.heal()
        await world.storage.close()


async def test_writes_and_removals_wait(make: Callable[..., Awaitable[World]]) -> None:
    """What was written or removed while the lowest layer was away is there, or gone, when it is back."""
    world = await make()
    await world.write("old", 1)
    await world.write("gone", 1)
    await world.go()
    await world.write("old", 2)
    assert await world.storage.remove("gone") is True
    await world.storage.write_multi([world.item("a", 1), world.item("b", 2)])
    assert await world.storage.remove_multi(["b", "none"]) == 1
    assert [await world.value(key) for key in ("old", "gone", "a", "b")] == [2, None, 1, None]
    assert (await world.missed())[0] == 6
    await world.come()

    assert [await world.stored(key) for key in ("old", "gone", "a", "b")] == [2, None, 1, None]
    assert (await world.missed())[1] == 1.0


async def test_what_waits_is_answered_before_it_is_made_up_for(make: Callable[..., Awaitable[World]]) -> None:
    """The lowest layer is back and does not know yet: nobody gets what it holds under keys that have changed."""
    world = await make(ttl=0.01)
    await world.storage.write_multi([world.item("written", "old"), world.item("removed", "old")])
    await world.go()
    await world.write("written", "new")
    await world.storage.remove("removed")
    world.lowest.heal()
    gate = world.lowest.hold(of=["read_multi"])
    await world.clock.advance(1.0)
    await gate.reached.wait()
    found = [await world.value(key) for key in ("written", "removed")]
    gate.open()
    await world.clock.advance(1.0)

    assert found == ["new", None]
    assert [await world.stored(key) for key in ("written", "removed")] == ["new", None]


async def test_the_newer_one_wins(make: Callable[..., Awaitable[World]]) -> None:
    """What another process has written since stays, and no copy of one's own older one is given any more."""
    world = await make()
    await world.storage.write_multi([world.item("written", "old"), world.item("removed", "old")])
    await world.go()
    await world.write("written", "mine")
    await world.storage.remove("removed")
    await world.clock.advance(0.1)
    for key in ("written", "removed"):
        await world.store.write(world.item(key, "theirs", tags=("t",)))
    await world.come()

    assert [await world.stored(key) for key in ("written", "removed")] == ["theirs", "theirs"]
    assert [await world.value(key) for key in ("written", "removed")] == ["theirs", "theirs"]


async def test_what_has_died_is_not_resurrected(make: Callable[..., Awaitable[World]]) -> None:
    """An item whose time was over before the lowest layer came back is not written, and hides what was there."""
    world = await make()
    await world.write("k", "old")
    await world.go()
    await world.write("k", "short", 2.0)
    await world.clock.advance(3.0)
    await world.come()

    assert await world.stored("k") is None
    assert await world.value("k") is None


async def test_what_was_invalidated_while_it_waited_is_not_given(tmp_path: Path) -> None:
    """A write that waits is dead once one of its tags is invalidated, while the lowest layer is away and after that."""
    clock = FakeClock()
    lowest = FaultyStorage(file_storage(str(tmp_path), Codec(JsonSerializer()), clock=clock))
    storage = LayeredStorage([Layer(memory_storage(), "near"), Layer(lowest, "lowest")], failures=1, probe_after=0.2)
    storage.clock = clock
    await storage.open()
    assert storage.tags is not None
    lowest.fail(times=None)
    for key, tag in (("dead", "t"), ("alive", "other")):
        await storage.write(Item(key=key, value=key, tags=(tag,), created_at=clock.time()))
    await storage.tags.invalidate(["t"])

    assert await storage.read("dead") is None
    assert (await storage.read("alive")) is not None
    lowest.heal()
    await storage.close()


async def test_an_item_keeps_the_time_it_has_left(make: Callable[..., Awaitable[World]]) -> None:
    """An item that waited lives no longer for that."""
    world = await make()
    await world.go()
    await world.write("k", "v", 100.0)
    await world.clock.advance(40.0)
    await world.come(6.0)
    item = await world.store.read("k")

    assert item is not None
    assert item.expiration is not None
    assert abs(item.expiration - world.clock.time() - 54.0) < 0.01


async def test_an_integer_of_unknown_age_is_not_believed(make: Callable[..., Awaitable[World]]) -> None:
    """Where nobody can tell which of two is newer, neither is kept."""
    world = await make()
    await world.go()
    await world.write("k", 5)
    world.lowest.heal()
    await world.store.write(world.item("k", 7))
    seen = world.store.read_multi

    async def ageless(keys: Any) -> dict[str, Item[object]]:  # noqa: ANN401  - of any type
        return {key: replace(item, created_at=0.0) for key, item in (await seen(keys)).items()}

    world.store.read_multi = ageless  # type: ignore[method-assign]  # no fault of `FaultyStorage` takes dates away
    await world.clock.advance(6.0)

    assert await world.stored("k") is None


async def test_what_is_decided_below_is_raised(make: Callable[..., Awaitable[World]]) -> None:
    """Counters, conditions and the like are never queued; no copy is left of what they may have changed."""
    world = await make()
    await world.write("k", 1)
    version = (await world.storage.read("k") or world.item("k", 0)).version
    await world.go()
    storage, item = world.storage, world.item("k", 2)
    calls: list[Callable[[], Any]] = [
        lambda: storage.write(item, IF_ABSENT),
        lambda: storage.write(item, if_version(version)),
        lambda: storage.remove("k", if_version(version)),
        lambda: storage.increment(item, 1),
        lambda: storage.touch(item),
        lambda: storage.expire("k"),
        lambda: anext(storage.scan()),
    ]
    for call in calls:
        with pytest.raises(StorageUnavailableError):
            await call()
    assert (await world.missed())[0] == 0
    await world.come()

    assert await world.value("k") == 1


async def test_a_counter_waits_for_what_was_written_before(make: Callable[..., Awaitable[World]]) -> None:
    """The first count after an outage counts on what was written during it, not on what was there before."""
    world = await make()
    await world.write("k", 1)
    await world.go()
    await world.write("k", 10)
    world.lowest.heal()
    world.clock.leap(0.3)

    assert await world.storage.increment(world.item("k", 0), 1) == 11


async def test_no_more_waits_than_fits(make: Callable[..., Awaitable[World]]) -> None:
    """Where no more can wait, writes raise; nothing is forgotten that was taken."""
    world = await make(most_pending=3)
    await world.go()
    await world.storage.write_multi([world.item(key, key) for key in "abc"])
    with pytest.raises(StorageUnavailableError):
        await world.write("d", "d")
    with pytest.raises(StorageUnavailableError):
        await world.storage.remove("e")
    await world.write("a", "newer")
    assert await world.value("d") is None
    await world.come()

    assert [await world.stored(key) for key in "abcd"] == ["newer", "b", "c", None]


async def test_raising_may_be_wanted(make: Callable[..., Awaitable[World]]) -> None:
    """A storage that queues nothing raises plain changes, and reads that no copy can answer."""
    world = await make(on_failure="raise")
    await world.write("k", 1)
    await world.value("k")
    await world.go()
    assert await world.value("k") == 1
    for call in (world.storage.remove("k"), world.write("l", 1), world.value("l"), world.storage.clear()):
        with pytest.raises(StorageUnavailableError):
            await call
    assert await world.missed() == (0, 0.0)


async def test_clearing_waits_and_is_in_order(make: Callable[..., Awaitable[World]]) -> None:
    """A clear that was missed is made up for before what was written after it."""
    world = await make()
    await world.storage.write_multi([world.item("a:1", "old"), world.item("a:2", "old"), world.item("b", "old")])
    await world.go()
    await world.write("a:3", "before")
    await world.storage.clear("a:")
    await world.write("a:1", "after")
    assert [await world.value(key) for key in ("a:1", "a:2", "a:3")] == ["after", None, None]
    await world.come()

    assert [await world.stored(key) for key in ("a:1", "a:2", "a:3", "b")] == ["after", None, None, "old"]


async def test_a_stale_copy_is_better_than_none(make: Callable[..., Awaitable[World]]) -> None:
    """While the lowest layer is away a copy that is stale is given, as such."""
    world = await make()
    now = world.clock.time()
    await world.storage.write(world.item("k", "v", 1.0, stale_until=now + 20.0))
    await world.storage.read("k")
    await world.clock.advance(2.0)
    await world.go()
    item = await world.storage.read("k")

    assert item is not None
    assert (item.value, item.is_stale) == ("v", True)


async def test_a_failed_write_leaves_no_copy_of_the_old_value(make: Callable[..., Awaitable[World]]) -> None:
    """Nobody knows whether a write that failed was made: it is asked for below."""
    world = await make()
    await world.write("k", "old")
    await world.value("k")
    world.lowest.fail(ValueTooLargeError, of=["write"])
    with pytest.raises(ValueTooLargeError):
        await world.write("k", "new")
    reads = world.lowest.calls.count("read")

    assert await world.value("k") == "old"
    assert world.lowest.calls.count("read") == reads + 1


async def test_a_cancelled_change_goes_on(make: Callable[..., Awaitable[World]]) -> None:
    """Whoever gives up waiting for a change leaves no copy behind that says otherwise."""
    world = await make()
    await world.write("k", "old")
    await world.value("k")
    gate = world.lowest.hold(of=["remove"])
    task = asyncio.create_task(world.storage.remove("k"))
    await gate.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.open()
    await world.clock.settle()

    assert await world.value("k") is None
    assert await world.stored("k") is None


async def test_a_read_that_a_removal_overtakes_is_not_copied(make: Callable[..., Awaitable[World]]) -> None:
    """The old value was read below, then the key was removed: the reader gets it, and nobody after him."""
    world = await make()
    await world.store.write(world.item("k", "old"))
    gate = world.lowest.hold(of=["read"], after=True)
    task = asyncio.create_task(world.value("k"))
    await gate.reached.wait()
    await world.storage.remove("k")
    gate.open()

    assert await task == "old"
    assert await world.value("k") is None


@pytest.mark.parametrize("first", [0, 1])
async def test_copies_agree_with_the_truth_after_writes_that_meet(
    make: Callable[..., Awaitable[World]], first: int
) -> None:
    """Two writes of a key are under way at once: whichever ends last, the layers say the same."""
    world = await make()
    gates = [world.lowest.hold(of=["write"], at=1, after=True), world.lowest.hold(of=["write"], at=2, after=True)]
    tasks = [asyncio.create_task(world.write("k", number)) for number in range(2)]
    for gate in gates:
        await gate.reached.wait()
    gates[first].open()
    await world.clock.settle()
    gates[1 - first].open()
    await asyncio.gather(*tasks)

    assert await world.value("k") == await world.stored("k")


async def test_the_wall_clock_changes_no_life() -> None:
    """A copy lives for the time that is left of its item, whatever somebody does to the wall clock meanwhile."""
    clock = FakeClock()
    storage = LayeredStorage([Layer(memory_storage(), "near", None), Layer(memory_storage(), "store")])
    async with Provider(storage, clock=clock) as cache:
        for skew in (3600.0, -3600.0):
            await cache.set("k", "v", 10)
            await cache.get_item("k")
            clock.set_time(clock.time() + skew)
            await clock.advance(9.0)
            assert await cache.get("k") == "v"
            await clock.advance(1.5)
            assert await cache.get("k") is None


async def test_a_near_layer_that_fails_is_left_alone(make: Callable[..., Awaitable[World]]) -> None:
    """Copies that cannot be made, read or removed are nobody's trouble, and never say anything old."""
    world = await make()
    near = world.storage._copies.nears[0].storage
    assert isinstance(near, FaultyStorage)
    await world.write("k", "old")
    await world.value("k")
    near.fail(of=["remove", "write"], times=None)
    await world.write("k", "new")
    assert await world.value("k") == "new"
    await world.storage.remove("k")
    assert await world.value("k") is None
    near.heal()
    await world.clock.advance(1.0)
    assert await world.value("k") is None
    await world.write("k", "newest")
    assert await world.value("k") == "newest"
    assert (await world.storage.layers())["near"].errors > 0


@pytest.mark.parametrize("on_failure", ["queue", "raise"])
async def test_a_lowest_layer_that_cannot_be_opened_is_opened_later(on_failure: Any) -> None:  # noqa: ANN401  - of any type
    """A program may start while the lowest layer is away: at once, or as soon as that is there."""
    clock, lowest = FakeClock(), FaultyStorage(memory_storage())
    layers = [Layer(memory_storage(), "near"), Layer(lowest, "lowest")]
    cache = Provider(LayeredStorage(layers, on_failure=on_failure), clock=clock)
    lowest.fail(of=["open"])
    if on_failure == "raise":
        with pytest.raises(StorageUnavailableError):
            await cache.set("k", 1)
    await cache.set("k", 1)
    await clock.advance(1.0)
    assert (await cache.get_item("k")).value == 1
    await cache.close()


async def test_closing_makes_up_for_what_it_can() -> None:
    """What waits is tried once more at the end."""
    clock, lowest, kept = FakeClock(), FaultyStorage(memory_storage()), DictStorage()
    lowest.inner = kept
    cache = Provider(LayeredStorage([Layer(memory_storage(), "near"), Layer(lowest, "lowest")]), clock=clock)
    await cache.set("k", 1)
    lowest.fail(times=None)
    await cache.set("k", 2)
    lowest.heal()
    await cache.close()
    item = await kept.read("k")

    assert item is not None
    assert item.value == 2
