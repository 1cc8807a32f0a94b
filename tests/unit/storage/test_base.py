"""What `Storage` makes of the five methods: by way of a storage that writes no others."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from aiocache_kit.errors import WrongTypeError
from aiocache_kit.item import Item
from aiocache_kit.storage.base import (
    ALWAYS,
    IF_ABSENT,
    IF_PRESENT,
    Capabilities,
    Condition,
    ConditionKind,
    Size,
    Storage,
    if_lease,
    if_version,
    whole_number,
)
from aiocache_kit.testing import FakeClock


class Five(Storage):
    """Writes the five methods over a dict; `meanwhile` is what others do between a read and the write after it."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.items: dict[str, Item[object]] = {}
        self.meanwhile: list[Callable[[], Awaitable[object]]] = []
        self.writes = 0

    def current(self, key: str) -> Item[object] | None:
        """Give what is kept under `key` now."""
        item = self.items.get(key)
        if item is None:
            return None
        now = self.clock.time()
        fresh_until = math.inf if item.expiration is None else item.expiration
        if now >= max(fresh_until, item.stale_until or 0.0):
            return None
        return replace(item, is_stale=now >= fresh_until)

    def end_of(self, key: str) -> float | None:
        return self.items[key].expiration

    async def read(self, key: str) -> Item[object] | None:
        item = self.current(key)
        if self.meanwhile:
            await self.meanwhile.pop()()
        return item

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        self.writes += 1
        if not condition.holds(self.current(item.key)):
            return False
        expiration = None if item.ttl is None else self.clock.time() + item.ttl
        self.items[item.key] = replace(item, version=self.writes, expiration=expiration)
        return True

    async def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        if not condition.holds(self.current(key)):
            return False
        return self.items.pop(key, None) is not None

    async def clear(self, prefix: str = "") -> None:
        self.items = {key: item for key, item in self.items.items() if not key.startswith(prefix)}

    async def scan(self, prefix: str = "") -> AsyncIterator[str]:
        for key in list(self.items):
            if key.startswith(prefix):
                yield key


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def storage(clock: FakeClock) -> Five:
    return Five(clock)


def item(key: str, value: object, ttl: float | None = 10.0, tags: tuple[str, ...] = ()) -> Item[object]:
    return Item(key=key, value=value, ttl=ttl, tags=tags, created_at=5.0)


LIVE: Item[object] = Item(key="k", value=1, version=3)
STALE: Item[object] = Item(key="k", value=1, version=3, is_stale=True)


@pytest.mark.parametrize(
    ("condition", "live", "stale", "absent"),
    [
        (ALWAYS, True, True, True),
        (IF_ABSENT, False, True, True),
        (IF_PRESENT, True, False, False),
        (if_version(3), True, False, False),
        (if_version(4), False, False, False),
        (if_version(0), False, False, False),
    ],
)
def test_conditions_are_about_live_items(condition: Condition, *, live: bool, stale: bool, absent: bool) -> None:
    """Rule 2: a stale item is absent to every condition."""
    assert [condition.holds(each) for each in (LIVE, STALE, None)] == [live, stale, absent]


def test_conditions_are_values() -> None:
    """A condition says what it asks for and can be compared."""
    assert if_version(3) == Condition(ConditionKind.VERSION, version=3)
    assert if_lease("token") == Condition(ConditionKind.LEASE, lease="token")
    assert if_version(3) != if_version(4)


def test_what_a_storage_says_of_itself() -> None:
    """Unless it says otherwise, a storage keeps items, alone, for as long as the process lives, as copies."""
    assert Capabilities() == Capabilities(stores=True)
    assert not any(Capabilities()[1:])
    assert Storage.name == "custom"
    assert Size() == (0, 0, 0, 0, 0, True)


async def test_hooks_that_may_be_left_alone(storage: Five) -> None:
    """A storage without anything to open, tidy, sync or close needs not say so; what it holds, nobody knows."""
    for hook in (storage.open, storage.tidy, storage.sync, storage.ping, storage.close, storage.close):
        await hook()
    assert await storage.size() == Size(counted=False)


async def test_several_at_once(storage: Five) -> None:
    """Reading, writing and removing of several is that of each."""
    await storage.write_multi(item(key, key) for key in "abc")
    found = await storage.read_multi(["a", "x", "c"])

    assert {key: each.value for key, each in found.items()} == {"a": "a", "c": "c"}
    assert await storage.remove_multi(iter(["a", "x", "b"])) == 2
    assert list(storage.items) == ["c"]


async def test_increment_keeps_the_end(storage: Five, clock: FakeClock) -> None:
    """A counter is born with the item's ttl, which later calls do not move, and keeps its tags."""
    assert await storage.increment(Item(key="k", value=10, ttl=10.0, tags=("t",)), 5) == 15
    await clock.advance(4.0)
    assert await storage.increment(Item(key="k", value=0, ttl=99.0), -1) == 14
    assert storage.end_of("k") == clock.time() + 6.0
    assert storage.items["k"].tags == ("t",)
    await clock.advance(6.0)

    assert await storage.increment(Item(key="k", value=1), 1) == 2
    assert storage.end_of("k") is None
    assert await storage.increment(Item(key="k", value=1), 1) == 3
    assert storage.end_of("k") is None


async def test_increment_of_something_else(storage: Five) -> None:
    """Only a whole number can be counted on; the item stays."""
    await storage.write(item("k", "text"))
    with pytest.raises(WrongTypeError, match="only an int can be incremented, and the stored value is of type str"):
        await storage.increment(Item(key="k", value=0), 1)
    assert storage.writes == 1


async def test_nobody_loses_a_count(storage: Five) -> None:
    """Somebody who counts, removes or writes between the read and the write makes it begin again."""
    await storage.write(item("k", 1))
    storage.meanwhile = [
        lambda: storage.write(item("k", 100)),
        lambda: storage.remove("k"),
        lambda: storage.write(item("k", 10)),
    ]

    assert await storage.increment(Item(key="k", value=0), 1) == 101
    assert await asyncio.gather(*(storage.increment(Item(key="n", value=0), 1) for _ in range(20))) == list(
        range(1, 21)
    )


async def test_touch(storage: Five, clock: FakeClock) -> None:
    """A live item gets the other ttl and keeps all else; what is not there, or stale, is not touched."""
    await storage.write(item("k", "v", 10.0, ("t",)))
    await clock.advance(5.0)
    storage.meanwhile = [lambda: storage.write(item("k", "new", 10.0, ("t",)))]
    assert await storage.touch(Item(key="k", value=None, ttl=20.0, expiration=clock.time() + 20.0))
    touched = storage.items["k"]

    assert (touched.value, touched.tags, touched.created_at) == ("new", ("t",), 5.0)
    assert touched.expiration == clock.time() + 20.0
    await clock.advance(20.0)
    assert not await storage.touch(Item(key="k", value=None, ttl=20.0))
    assert not await storage.touch(Item(key="other", value=None, ttl=20.0))


@pytest.mark.parametrize("ttl", [10.0, None])
async def test_expire(storage: Five, clock: FakeClock, ttl: float | None) -> None:
    """A live item is stale at once and kept until it would have died; a second time there is nothing live."""
    await storage.write(item("k", "v", ttl, ("t",)))
    await clock.advance(4.0)
    storage.meanwhile = [lambda: storage.write(item("k", "v2", ttl, ("t",)))]
    assert await storage.expire("k")
    stale = await storage.read("k")

    assert stale is not None
    assert (stale.is_stale, stale.value, stale.tags) == (True, "v2", ("t",))
    assert not await storage.expire("k")
    assert not await storage.expire("other")
    await clock.advance(10.0)
    assert (await storage.read("k") is None) is (ttl is not None)


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, b"1"])
def test_what_is_no_whole_number(value: object) -> None:
    """A bool is none, nor is anything but an int."""
    with pytest.raises(WrongTypeError, match=type(value).__name__):
        whole_number(value)


def test_whole_numbers() -> None:
    """Any int is, however large."""
    assert [whole_number(value) for value in (0, -1, 10**100)] == [0, -1, 10**100]
