import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aiocache_kit.errors import ProviderClosedError, ValueTooLargeError, WrongTypeError
from aiocache_kit.item import Validators
from aiocache_kit.management.eviction.fifo import Fifo
from aiocache_kit.management.eviction.lru import Lru
from aiocache_kit.management.eviction.policy import NIL, Columns, EvictionPolicy
from aiocache_kit.management.invalidation import TagMarks
from aiocache_kit.sentinels import MISSING
from aiocache_kit.storage.base import ALWAYS, IF_ABSENT, IF_PRESENT, if_version
from aiocache_kit.storage.table import ASK, Table
from aiocache_kit.testing import FakeClock

T0 = 1000.0
"""What a `FakeClock` begins with."""


def table_of(
    max_entries: int | None = 100,
    max_bytes: int | None = None,
    *,
    policy: Callable[[int, Columns], EvictionPolicy] = Lru,
    clock: FakeClock | None = None,
) -> Table:
    """Make a table whose values weigh what they say (ints), or one."""
    return Table(
        make=lambda columns: policy(max_bytes or max_entries or 1, columns),
        max_entries=max_entries,
        max_bytes=max_bytes,
        sizer=lambda _, value: value if isinstance(value, int) else 1,
        clock=FakeClock() if clock is None else clock,
    )


def sweep(table: Table, now: float) -> int:
    """Sweep all that is due and count the steps."""
    steps = 0
    while table.sweep_one(now):
        steps += 1
    return steps


def consistent(table: Table) -> None:
    """Check that all columns run in step, and that nothing is kept of free slots."""
    slots = table.slots()
    columns: list[list[Any]] = [table.values, table.fresh, table.lives, table.hits, table.columns.keys]
    assert {len(column) for column in columns} == {slots}
    held = set(table.index.values())
    assert len(held) == len(table.index)
    assert all(table.columns.keys[slot] == key for key, slot in table.index.items())
    free = set(range(slots)) - held
    assert free == set(table._free)
    assert len(table._free) == len(free)
    assert all(table.values[slot] is None and table.columns.keys[slot] == "" for slot in free)
    assert (set(table.extras) | set(table.versions)) <= held
    assert set(table.validators) <= set(table.extras)
    assert all(slot in table.extras for slot in held if table.fresh[slot] == ASK)
    if table.weights is not None:
        assert table.bytes == sum(table.weights[slot] for slot in held)


# --- reading and writing ----------------------------------------------------------------------------------------------


def test_put_and_look_up() -> None:
    """A value is there from its writing until its end, at whose very instant it is gone."""
    table = table_of()
    table.put("k", None, 5.0, T0)

    assert table.lookup("k", T0) is None
    assert table.lookup("k", math.nextafter(T0 + 5.0, 0.0)) is None
    assert table.lookup("k", T0 + 5.0) is MISSING
    assert table.lookup("other", T0) is MISSING
    assert len(table) == 1


def test_slots_are_used_again() -> None:
    """An entry that leaves gives its slot to the next one, which begins without anything of it."""
    table = table_of()
    for number in range(10):
        table.put(str(number), number, 5.0, T0, tags=("t",), cost=3)
        table.version(table.index[str(number)])
    for number in range(10):
        assert table.drop(str(number), T0)
    consistent(table)
    for number in range(10):
        table.put(f"new {number}", number, math.inf, T0)

    consistent(table)
    assert table.slots() == 10
    assert not table.extras
    assert not table.versions
    assert all(table.live_slot(f"new {number}", 1e9) != NIL for number in range(10))


def test_an_item_tells_all() -> None:
    """What was written comes back, with dates by the wall clock."""
    clock = FakeClock()
    table = table_of(clock=clock)
    table.put("k", "v", 10.0, T0, stale_for=5.0, tags=("a", "b"), cost=7, created=123.0)
    item = table.item("k", T0)

    assert item is not None
    assert (item.key, item.value, item.ttl, item.tags, item.cost) == ("k", "v", 10.0, ("a", "b"), 7)
    assert (item.expiration, item.stale_until) == (clock.time() + 10.0, clock.time() + 15.0)
    assert (item.created_at, item.is_stale) == (123.0, False)


def test_created_at_of_what_has_no_tags() -> None:
    """The instant of writing is known also of entries that keep none: from their end, or where they have none."""
    clock = FakeClock()
    table = table_of(clock=clock)
    table.put("mortal", 1, 10.0, T0)
    table.put("immortal", 1, math.inf, T0)
    written = clock.time()
    clock.leap(4.0)

    for key in ("mortal", "immortal"):
        item = table.item(key, T0 + 4.0)
        assert item is not None
        assert item.created_at == written
    assert table.item("k", T0) is None


def test_a_stale_item_is_shown_and_is_no_hit() -> None:
    """Between its end and its death an item is stale: `item` gives it, `lookup` and conditions do not see it."""
    table = table_of()
    table.put("k", "v", 10.0, T0, stale_for=5.0)
    item = table.item("k", T0 + 10.0)

    assert item is not None
    assert item.is_stale
    assert table.lookup("k", T0 + 10.0) is MISSING
    assert table.allows(IF_ABSENT, "k", T0 + 10.0)
    assert table.item("k", T0 + 15.0) is None


def test_writing_again_takes_everything_away() -> None:
    """Ttl, tags, cost and staleness of before are gone."""
    table = table_of()
    table.put("k", 1, 10.0, T0, stale_for=50.0, tags=("t",), cost=5)
    table.put("k", 2, 3.0, T0)

    consistent(table)
    assert table.extras == {}
    assert table.item("k", T0 + 3.0) is None


# --- versions ---------------------------------------------------------------------------------------------------------


def test_versions_are_given_when_asked_for() -> None:
    """Nobody asks: no version is kept. Somebody asks: it stays until the next write, and the next one is larger."""
    table = table_of()
    table.put("a", 1, 10.0, T0)
    assert table.versions == {}
    first = table.version(table.index["a"])
    assert table.version(table.index["a"]) == first > 0
    table.put("b", 1, 10.0, T0)
    second = table.version(table.index["b"])
    table.put("a", 1, 10.0, T0)
    third = table.version(table.index["a"])

    assert first < second < third


def test_a_version_nobody_gave_never_holds() -> None:
    """Neither zero, which stands for "not stored yet", nor a number guessed, nor one of another entry."""
    table = table_of()
    table.put("a", 1, 10.0, T0)
    table.put("b", 1, 10.0, T0)
    given_to_b = table.version(table.index["b"])

    assert not any(table.allows(if_version(version), "a", T0) for version in (0, 1, 2, given_to_b))


@pytest.mark.parametrize("how", ["put", "drop and put", "increment", "clear and put"])
def test_every_write_takes_the_version_away(how: str) -> None:
    """Whoever remembers a version notices the write; the next version is another one, also in the same slot."""
    table = table_of()
    table.put("k", 1, 10.0, T0)
    version = table.version(table.index["k"])
    if how == "increment":
        table.increment("k", 1, T0)
    else:
        if how == "drop and put":
            table.drop("k", T0)
        elif how == "clear and put":
            list(table.start_again())
        table.put("k", 1, 10.0, T0)

    assert not table.allows(if_version(version), "k", T0)
    assert table.version(table.index["k"]) > version


def test_what_is_no_write_keeps_the_version() -> None:
    """Another end, told by `touch`, is no other value; an entry that is over has no version to compare with."""
    table = table_of()
    table.put("k", 1, 10.0, T0)
    version = table.version(table.index["k"])
    table.touch_entry("k", 20.0, 0.0, T0)

    assert table.allows(if_version(version), "k", T0 + 15.0)
    assert not table.allows(if_version(version), "k", T0 + 20.0)


def test_conditions() -> None:
    """A condition is decided for live entries alone."""
    table = table_of()
    assert [table.allows(each, "k", T0) for each in (ALWAYS, IF_ABSENT, IF_PRESENT)] == [True, True, False]
    table.put("k", 1, 10.0, T0)

    assert [table.allows(each, "k", T0 + 9.0) for each in (ALWAYS, IF_ABSENT, IF_PRESENT)] == [True, False, True]
    assert [table.allows(each, "k", T0 + 10.0) for each in (ALWAYS, IF_ABSENT, IF_PRESENT)] == [True, True, False]


# --- ends -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tags", [(), ("t",)])
def test_touch_moves_the_end(tags: tuple[str, ...]) -> None:
    """A touched entry lives for its new life from that moment, keeps its tags, and says when it was written."""
    clock = FakeClock()
    table = table_of(clock=clock)
    table.put("k", 1, 10.0, T0, tags=tags, created=clock.time())
    clock.leap(5.0)
    assert table.touch_entry("k", 10.0, 0.0, T0 + 5.0)
    item = table.item("k", T0 + 14.0)

    assert item is not None
    assert (item.ttl, item.tags) == (15.0, tags)
    assert item.created_at == clock.time() - 5.0 + (0.0 if tags else -9.0)
    assert table.lookup("k", T0 + 15.0) is MISSING
    assert not table.touch_entry("k", 10.0, 0.0, T0 + 15.0)
    assert not table.touch_entry("other", 10.0, 0.0, T0)


def test_touch_for_ever_and_back() -> None:
    """An entry may be told to live for ever, and to end after all; it is swept when its last end has come."""
    table = table_of()
    table.put("k", 1, 10.0, T0)
    table.touch_entry("k", math.inf, 0.0, T0)
    assert sweep(table, T0 + 1e6) == 1
    assert table.lookup("k", T0 + 1e6) == 1
    table.touch_entry("k", 5.0, 0.0, T0 + 1e6)
    sweep(table, T0 + 1e6 + 6.0)

    assert len(table) == 0
    assert table.expired == 1


@pytest.mark.parametrize("life", [10.0, math.inf])
@pytest.mark.parametrize("tags", [(), ("t",)])
def test_expire_keeps_the_item_stale(life: float, tags: tuple[str, ...]) -> None:
    """An expired entry is stale at once, dies when it would have died, and is swept then, not before."""
    table = table_of()
    table.put("k", 1, life, T0, tags=tags)
    assert table.expire_entry("k", T0 + 1.0)
    item = table.item("k", T0 + 1.0)

    assert item is not None
    assert (item.is_stale, item.tags) == (True, tags)
    assert table.lookup("k", T0 + 1.0) is MISSING
    assert not table.expire_entry("k", T0 + 1.0)
    assert not table.touch_entry("k", 5.0, 0.0, T0 + 1.0)
    sweep(table, T0 + 9.0)
    assert len(table) == 1
    sweep(table, T0 + 11.5)
    assert len(table) == (1 if life == math.inf else 0)
    consistent(table)


def test_expire_a_stale_keeping_entry() -> None:
    """`expire` does not shorten how long the entry is kept as a fall-back."""
    table = table_of()
    table.put("k", 1, 10.0, T0, stale_for=20.0)
    table.expire_entry("k", T0 + 1.0)

    assert table.item("k", T0 + 29.0) is not None
    assert table.item("k", T0 + 30.0) is None


def test_a_new_value_over_a_stale_one() -> None:
    """What was told to expire can be written anew, and is live and not marked then."""
    table = table_of()
    table.put("k", 1, 10.0, T0)
    table.expire_entry("k", T0)
    table.put("k", 2, 10.0, T0)

    assert table.lookup("k", T0 + 9.0) == 2
    assert table.extras == {}


def test_a_sweep_frees_what_is_dead_alone() -> None:
    """Each step frees one entry whose time is over, and counts it; the live ones stay."""
    table = table_of()
    for number in range(10):
        table.put(str(number), number, float(number + 1), T0)
    steps = sweep(table, T0 + 5.0)

    assert sorted(table.index) == ["4", "5", "6", "7", "8", "9"]  # the fifth is over, its second is not
    assert (table.expired, steps) == (4, 4)
    assert table.evictions == 0
    consistent(table)


def test_a_sweep_of_what_lives_longer_now() -> None:
    """An entry found early, because its end has moved away, waits for its new end."""
    table = table_of()
    table.put("k", 1, 5.0, T0)
    table.put("k", 1, 50.0, T0)

    assert sweep(table, T0 + 20.0) == 1
    assert sweep(table, T0 + 20.0) == 0
    assert len(table) == 1
    assert sweep(table, T0 + 51.5) == 1
    assert len(table) == 0


# --- counters ---------------------------------------------------------------------------------------------------------


def test_increment() -> None:
    """The sum replaces the value; end, tags and cost stay; what is over or not there is not counted on."""
    table = table_of()
    table.put("k", 5, 10.0, T0, tags=("t",), cost=1)

    assert table.increment("k", -7, T0 + 9.0) == -2
    item = table.item("k", T0 + 9.0)
    assert item is not None
    assert (item.value, item.tags, item.cost, item.ttl) == (-2, ("t",), 1, 10.0)
    assert table.increment("k", 1, T0 + 10.0) is None
    assert table.increment("other", 1, T0) is None


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_increment_of_something_else(value: object) -> None:
    """Only whole numbers can be counted on; the value stays, with its version."""
    table = table_of()
    table.put("k", value, 10.0, T0)
    version = table.version(table.index["k"])
    with pytest.raises(WrongTypeError, match=f"the stored value is of type {type(value).__name__}"):
        table.increment("k", 1, T0)

    assert table.lookup("k", T0) is value
    assert table.allows(if_version(version), "k", T0)


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_a_bound_of_entries() -> None:
    """The bound holds when `put` returns, and the newest is not the one that goes."""
    table = table_of(3, policy=Fifo)
    for number in range(10):
        table.put(str(number), number, 5.0, T0)
        assert len(table) <= 3
        assert table.lookup(str(number), T0) == number

    assert table.evictions == 7
    assert sorted(table.index) == ["7", "8", "9"]


def test_what_makes_room_and_was_over_has_expired() -> None:
    """An entry that was dead when it gave up its place counts as expired, not as evicted."""
    table = table_of(2, policy=Fifo)
    table.put("a", 1, 1.0, T0)
    table.put("b", 1, 9.0, T0)
    table.put("c", 1, 9.0, T0 + 1.0)
    table.put("d", 1, 9.0, T0 + 1.0)

    assert (table.expired, table.evictions) == (1, 1)


def test_a_bound_of_bytes() -> None:
    """Weights are those of the sizer, or the cost given; a growing value makes others go, never itself."""
    table = table_of(None, 100)
    for key in "abcd":
        table.put(key, 25, 5.0, T0)
    assert table.bytes == 100
    table.put("a", 60, 5.0, T0)
    assert sorted(table.index) == ["a", "d"]
    table.put("e", 1000, 5.0, T0, cost=40)
    assert sorted(table.index) == ["a", "e"]
    table.put("a", 10, 5.0, T0)

    assert table.bytes == 50
    consistent(table)


@pytest.mark.parametrize(("value", "cost"), [(101, None), (1, 101)])
def test_what_is_too_large_leaves_the_old_value(value: int, cost: int | None) -> None:
    """A value over the whole bound is refused; what was there stays with its dates, and nothing is evicted."""
    table = table_of(None, 100)
    table.put("a", 50, 5.0, T0, tags=("t",))
    table.put("b", 50, 5.0, T0)
    version = table.version(table.index["a"])
    for key in ("a", "new"):
        with pytest.raises(ValueTooLargeError, match="the value counts 101 bytes, and this storage takes at most 100"):
            table.put(key, value, 50.0, T0, cost=cost)

    assert [table.lookup(key, T0 + 4.0) for key in "ab"] == [50, 50]
    assert table.allows(if_version(version), "a", T0)
    assert (table.bytes, table.evictions) == (100, 0)
    consistent(table)


def test_hits_move_the_least_recently_used() -> None:
    """Reading and counting are uses, and so is writing; looking at conditions or items is none."""
    table = table_of(4)
    for key in "abcd":
        table.put(key, 1, 5.0, T0)
    table.lookup("a", T0)
    table.increment("b", 1, T0)
    table.item("c", T0)
    table.allows(IF_PRESENT, "c", T0)
    table.live_slot("c", T0)
    table.touch_entry("c", 5.0, 0.0, T0)
    table.put("e", 1, 5.0, T0)

    assert sorted(table.index) == ["a", "b", "d", "e"]


# --- tags -------------------------------------------------------------------------------------------------------------


def test_marks_kill_what_was_written_before() -> None:
    """An entry with a tag that was invalidated after its writing is gone for every kind of look; later ones live."""
    table, marks = table_of(), TagMarks()
    table.heed(marks)
    table.put("old", 1, 10.0, T0, tags=("t", "u"))
    table.put("other", 1, 10.0, T0, tags=("u",))
    marks.mark(["t"], table.last)
    table.put("new", 1, 10.0, T0, tags=("t",))

    assert table.lookup("old", T0) is MISSING
    assert table.item("old", T0) is None
    assert table.live_slot("old", T0) == NIL
    assert table.increment("old", 1, T0) is None
    assert not table.touch_entry("old", 5.0, 0.0, T0)
    assert not table.expire_entry("old", T0)
    assert table.allows(IF_ABSENT, "old", T0)
    assert [table.lookup(key, T0) for key in ("other", "new")] == [1, 1]
    assert not table.drop("old", T0)


def test_stamps_strictly_increase() -> None:
    """Writes at one reading of the clock, or after it went back, still have an order."""
    table = table_of()
    stamps = [table.stamp(now) for now in (5.0, 5.0, 4.0, 5.0, 6.0)]

    assert stamps == sorted(set(stamps))


def test_reaping() -> None:
    """What a mark has killed is freed at its slot; what lives, or is free, stays."""
    table, marks = table_of(), TagMarks()
    table.heed(marks)
    for number in range(6):
        table.put(str(number), number, 10.0, T0, tags=("even" if number % 2 == 0 else "odd",))
    table.put("plain", 1, 10.0, T0)
    marks.mark(["even"], table.last)
    for slot in range(table.slots()):
        table.reap(slot, T0)

    assert sorted(table.index) == ["1", "3", "5", "plain"]
    consistent(table)


# --- many at once -----------------------------------------------------------------------------------------------------


def test_a_frozen_copy_is_of_its_moment() -> None:
    """What is written, dropped, touched or cleared afterwards changes nothing in it."""
    table = table_of()
    for key in "abcd":
        table.put(key, key, 10.0, T0, tags=("t",) if key == "d" else ())
        table.attach(key, Validators(key))
    frozen = table.frozen()
    table.put("a", "new", 10.0, T0)
    table.drop("b", T0)
    table.touch_entry("c", 99.0, 0.0, T0)
    table.put("d", "new", 10.0, T0)
    list(table.start_again())
    items = [frozen.item(key, T0 + 1.0, with_version=False) for key in frozen.index]

    assert [(item.key, item.value, item.ttl, item.tags, item.etag) for item in items if item is not None] == [
        ("a", "a", 10.0, (), "a"),
        ("b", "b", 10.0, (), "b"),
        ("c", "c", 10.0, (), "c"),
        ("d", "d", 10.0, ("t",), "d"),
    ]


@pytest.mark.parametrize("max_bytes", [None, 10_000])
def test_starting_again_frees_little_by_little(max_bytes: int | None) -> None:
    """The table is empty and usable at once; what it held is let go of by the iterator, some hundreds a step."""
    table = table_of(10_000, max_bytes)
    values = [bytearray() for _ in range(1000)]
    for number, value in enumerate(values):
        table.put(str(number), value, 10.0, T0, tags=("t",))
    old_index, old_values, last = table.index, table.values, table.last
    remains = table.start_again()

    assert (len(table), table.bytes, table.slots()) == (0, 0, 0)
    table.put("new", 1, 10.0, T0)
    assert len(old_index) == 1000
    next(remains)
    assert 500 < len(old_index) < 1000
    steps = sum(1 for _ in remains)
    assert (len(old_index), len(old_values)) == (0, 0)
    assert steps > 10
    assert table.last >= last
    assert table.lookup("new", T0) == 1
    consistent(table)


async def test_who_holds_a_table_keeps_writers_out() -> None:
    """`turn` waits until nobody holds `exclusive`; the holders follow one another."""
    table, order = table_of(), list[str]()

    async def hold(name: str) -> None:
        async with table.exclusive():
            order.append(name)
            assert table.busy
            await asyncio.sleep(0)

    async def write() -> None:
        await table.turn()
        assert not table.busy
        order.append("write")

    await asyncio.gather(hold("a"), hold("b"), write())

    assert order == ["a", "b", "write"]
    assert not table.busy


async def test_a_closed_table_is_busy_for_ever() -> None:
    """Who waits for his turn when the table is closed is told, and so is who comes later."""
    table = table_of()
    async with table.exclusive():
        waiting = asyncio.create_task(table.turn())
        await asyncio.sleep(0)
        table.closed = True

    with pytest.raises(ProviderClosedError):
        await waiting
    assert table.busy
    with pytest.raises(ProviderClosedError):
        await table.turn()


async def test_a_cancelled_holder_lets_go() -> None:
    """Whoever is cancelled while he holds the table leaves it free."""
    table = table_of()

    async def hold() -> None:
        async with table.exclusive():
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await table.turn()

    assert not table.busy


# --- against a dict ---------------------------------------------------------------------------------------------------

KEYS = st.sampled_from("abcd")
LIVES = st.sampled_from([1.0, 2.5, 10.0, math.inf, 3.0e9])


class TableAgainstDict(RuleBasedStateMachine):
    """Whatever is written, moved, expired, invalidated, swept and cleared: a dict with the dates says the same."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.marks = table_of(), TagMarks()
        self.table.heed(self.marks)
        self.model: dict[str, tuple[int, float, float, tuple[str, ...]]] = {}
        """By key: the value, until when it is fresh, until when it is kept, and its tags."""
        self.said: dict[str, Validators] = {}
        self.now = T0
        self.written = 0

    def is_live(self, key: str) -> bool:
        return key in self.model and self.now < self.model[key][1]

    @rule(key=KEYS, life=LIVES, stale_for=st.sampled_from([0.0, 4.0]), tags=st.sampled_from([(), ("t",), ("t", "u")]))
    def put(self, key: str, life: float, stale_for: float, tags: tuple[str, ...]) -> None:
        self.written += 1
        self.table.put(key, self.written, life, self.now, stale_for=stale_for, tags=tags)
        self.model[key] = (self.written, self.now + life, self.now + life + stale_for, tags)
        self.said.pop(key, None)

    @rule(key=KEYS)
    def attach(self, key: str) -> None:
        if key in self.table.index:
            self.said[key] = Validators(str(self.written))
            self.table.attach(key, self.said[key])

    @rule(key=KEYS)
    def drop(self, key: str) -> None:
        assert self.table.drop(key, self.now) is self.is_live(key)
        self.model.pop(key, None)
        self.said.pop(key, None)

    @rule(key=KEYS)
    def expire(self, key: str) -> None:
        live = self.is_live(key)
        assert self.table.expire_entry(key, self.now) is live
        if live:
            value, _, dead, tags = self.model[key]
            self.model[key] = (value, self.now, dead, tags)

    @rule(key=KEYS, life=LIVES)
    def touch(self, key: str, life: float) -> None:
        live = self.is_live(key)
        assert self.table.touch_entry(key, life, 0.0, self.now) is live
        if live:
            value, fresh, dead, tags = self.model[key]
            stale_for = 0.0 if fresh == math.inf else dead - fresh  # it is kept for as long as it was to be
            self.model[key] = (value, self.now + life, self.now + life + stale_for, tags)

    @rule(key=KEYS)
    def increment(self, key: str) -> None:
        if self.is_live(key):
            self.said.pop(key, None)
        assert self.table.increment(key, 0, self.now) == (self.model[key][0] if self.is_live(key) else None)

    @rule(key=KEYS)
    def compare(self, key: str) -> None:
        if self.is_live(key):
            version = self.table.version(self.table.index[key])
            assert self.table.allows(if_version(version), key, self.now)

    @rule(tag=st.sampled_from("tu"))
    def invalidate(self, tag: str) -> None:
        self.table.last = max(self.table.last, self.now)
        self.marks.mark([tag], self.table.last)
        self.model = {key: entry for key, entry in self.model.items() if tag not in entry[3]}

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 1e9]))
    def wait(self, seconds: float) -> None:
        self.now = min(self.now + seconds, 2.0e9)  # what ends after 68 years of the clock is not looked for

    @rule()
    def clean(self) -> None:
        """After a sweep a second later, and a reaping, nothing is held that is not kept."""
        self.now += 1.0
        sweep(self.table, self.now)
        for slot in range(self.table.slots()):
            self.table.reap(slot, self.now)
        kept = {key for key, entry in self.model.items() if self.now < max(entry[1:3])}
        recent = {key for key, entry in self.model.items() if self.now < max(entry[1:3]) + 1.0}
        assert kept <= set(self.table.index) <= recent

    @rule()
    def clear(self) -> None:
        list(self.table.start_again())
        self.model.clear()
        self.said.clear()

    @invariant()
    def agrees(self) -> None:
        for key in "abcd":
            item = self.table.item(key, self.now)
            assert self.table.lookup(key, self.now) == (self.model[key][0] if self.is_live(key) else MISSING)
            assert (item is not None) is (key in self.model and self.now < max(self.model[key][1:3]))
            assert item is None or item.is_stale is not self.is_live(key)
            assert item is None or item.validators == self.said.get(key)
        consistent(self.table)


TestTableAgainstDict = TableAgainstDict.TestCase
