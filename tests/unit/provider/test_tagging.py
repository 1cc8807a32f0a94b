import math

import pytest

from aiocache_kit.item import Item
from aiocache_kit.provider.tagging import LATENESS, Tagging
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.null import NullStorage
from aiocache_kit.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tagging(clock: FakeClock) -> Tagging:
    """Give the tags of a storage that heeds no marks by itself."""
    return Tagging(NullStorage(), clock)


def item(tagging: Tagging, *tags: str) -> Item[object]:
    return Item(key="k", value=1, tags=tags, created_at=tagging.stamp())


def test_what_was_written_before_is_killed(tagging: Tagging) -> None:
    """Rule 1: though the clock stands still, writes before are killed, and writes after are not."""
    before, untagged = item(tagging, "t"), item(tagging)
    tagging.invalidate(["t"])
    after = item(tagging, "t")

    assert [tagging.has_killed(each) for each in (before, untagged, after)] == [True, False, False]
    tagging.invalidate(["t"])
    assert tagging.has_killed(after)
    assert not tagging.has_killed(item(tagging, "t"))


@pytest.mark.parametrize("jump", [-1e6, -0.001, 1e6])
def test_whatever_happens_to_the_wall_clock(tagging: Tagging, clock: FakeClock, jump: float) -> None:
    """Rule 1: setting the clock between writes and invalidations changes nothing of their order."""
    before = item(tagging, "t")
    clock.set_time(clock.time() + jump)
    tagging.invalidate(["t"])
    assert tagging.has_killed(before)
    clock.set_time(clock.time() - jump)

    assert not tagging.has_killed(item(tagging, "t"))


def test_there_is_nothing_to_ask_without_marks(tagging: Tagging) -> None:
    """Only once something was invalidated must what the storage takes for live be looked at."""
    assert not tagging.must_ask
    tagging.invalidate(["t"])

    assert tagging.must_ask


def test_marks_go_when_the_last_item_has_died(tagging: Tagging, clock: FakeClock) -> None:
    """Rule 2: no sooner, since a late write counts its ttl from when it arrives, and not at all before that."""
    tagging.note(10.0)
    tagging.note(5.0)
    tagging.invalidate(["t"])
    clock.leap(10.0 + LATENESS - 0.5)
    tagging.tidy()
    assert tagging.must_ask
    clock.leap(0.5)
    tagging.tidy()

    assert not tagging.must_ask


def test_each_mark_has_its_own_time(tagging: Tagging, clock: FakeClock) -> None:
    """A mark set later waits for items written later; one for items that never die stays."""
    tagging.note(10.0)
    tagging.invalidate(["a"])
    clock.leap(5.0)
    tagging.note(10.0)
    tagging.invalidate(["b"])
    clock.leap(LATENESS + 6.0)
    tagging.tidy()
    assert len(tagging.marks) == 1
    tagging.note(math.inf)
    tagging.invalidate(["c"])
    clock.leap(1e9)
    tagging.tidy()

    assert len(tagging.marks) == 1
    assert tagging.must_ask


def test_many_invalidations_between_writes_take_little_room(tagging: Tagging) -> None:
    """What waits for the same item to die waits as one."""
    tagging.note(10.0)
    for number in range(100):
        tagging.invalidate([str(number % 5)])

    assert len(tagging._until) == 1
    assert len(tagging.marks) == 5


def test_nothing_tagged_was_written(tagging: Tagging) -> None:
    """A mark that kills nothing goes with the next round."""
    tagging.invalidate(["t"])
    tagging.tidy()

    assert not tagging.must_ask


async def test_tables_heed_the_marks_themselves(clock: FakeClock) -> None:
    """On tables of this process nothing must be asked, and what was killed is not given."""
    storage = memory_storage(clock=clock, shard_count=2)
    tagging = Tagging(storage, clock)
    storage.put("k", 1, 10.0, tags=("t",))
    tagging.invalidate(["t"])

    assert not tagging.must_ask
    assert not storage.holds("k")
    storage.put("k", 2, 10.0, tags=("t",))
    assert storage.holds("k")
    await storage.tidy()
    assert len(tagging.marks) == 0
