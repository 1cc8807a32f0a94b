"""Any sequence of calls of a provider, on any storage of this process, agrees with a dict and a clock turned by hand.

Where a storage is bounded so tightly that it must evict, a value may be missing; it is never another one, what was just
stored is there, and no bound is exceeded after a call.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, TypeAlias, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from aiocache_kit import DEFAULT, MISSING, NotFoundError, Provider, WrongTypeError
from aiocache_kit.management.eviction import POLICIES
from aiocache_kit.management.expiration import TTL, life_of
from aiocache_kit.sentinels import DefaultType
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.lru import lru_storage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.null import NullStorage
from aiocache_kit.storage.tables import TableStorage
from aiocache_kit.testing import FakeClock, FaultyStorage
from tests.contract.test_own_storage import DictStorage
from tests.property.table_invariants import check_invariants

T = TypeVar("T")
Space: TypeAlias = tuple[str, ...]
"""The names of a namespace and of those around it."""

SPACES: tuple[Space, ...] = ((), ("a",), ("a", "@"))
KEYS = ("a", "a:b", "@a:b", "*", "c")
TAGS = ("t", "u", "@a:t")

spaces = st.sampled_from((*SPACES, (), ()))
keys = st.sampled_from(KEYS)
several = st.lists(keys, max_size=5)
values = st.one_of(
    st.none(),
    st.integers(-2, 2),
    st.sampled_from(["", "x", True, 1.5]),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
)
seconds = st.sampled_from([0.0, 0.125, 0.125, 0.25, 0.25, 0.5, 1.0, 2.75, 15.0, 700.0])
prefixes = st.sampled_from(["", "a", "a:", "@", "*", "z"])


@dataclass(frozen=True)
class Writing:
    """What is written, for how long and with which tags."""

    value: object
    ttl: TTL | DefaultType
    tags: tuple[str, ...]

    @property
    def life(self) -> float:
        """The ttl in seconds."""
        return 600.0 if self.ttl is DEFAULT else life_of(self.ttl)


writings = st.builds(
    Writing,
    values,
    st.sampled_from([DEFAULT, None, 0.25, 1, 3, "10s", 1000]),
    st.lists(st.sampled_from(TAGS), max_size=2, unique=True).map(tuple),
)


@dataclass
class Entry:
    """What the model knows of a value."""

    value: Any
    until: float
    tags: frozenset[tuple[Space, str]]
    versions: set[int]
    """Versions that were read of this very value, as far as they must still hold."""


@dataclass(frozen=True)
class Shape:
    """A storage to check, and what may be missing."""

    make: Callable[[], Storage]
    evicts: bool = False


def small(policy: str, *, in_bytes: bool) -> Storage:
    """Make a storage that must evict all the time."""
    lots = Random(1)  # noqa: S311  - chooses victims
    if in_bytes:
        return memory_storage(max_entries=5, max_size=600, sizer=size, eviction_policy=policy, random=lots)
    return memory_storage(max_entries=4, eviction_policy=policy, random=lots)


def size(key: str, value: object) -> int:
    """Weigh an entry, so that a few fill the storage."""
    return 50 + 10 * len(key) + min(10 * len(repr(value)), 150)


SHAPES: dict[str, Shape] = {
    "memory": Shape(lambda: memory_storage(max_entries=None)),
    "memory in 4 shards": Shape(lambda: memory_storage(shard_count=4)),
    "memory with copies": Shape(lambda: memory_storage(copies=True)),
    "memory bounded in bytes": Shape(lambda: memory_storage(max_entries=None, max_size=1_000_000)),
    "lru": Shape(lru_storage),
    "null": Shape(NullStorage),
    "a dict": Shape(DictStorage),
    "memory under a slow storage": Shape(lambda: FaultyStorage(memory_storage(), turns=True)),
    "lru, 3 entries": Shape(lambda: lru_storage(max_entries=3), evicts=True),
    "lru, 600 bytes": Shape(lambda: lru_storage(max_entries=None, max_size=600, sizer=size), evicts=True),
    "memory in 2 shards, 4 entries": Shape(lambda: memory_storage(max_entries=4, shard_count=2), evicts=True),
    **{f"{name}, 4 entries": Shape(functools.partial(small, name, in_bytes=False), evicts=True) for name in POLICIES},
    **{f"{name}, 600 bytes": Shape(functools.partial(small, name, in_bytes=True), evicts=True) for name in POLICIES},
}


class Calls(RuleBasedStateMachine):
    """Calls a provider and a model in turn."""

    shape: ClassVar[Shape]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.clock = FakeClock()
        self.storage = self.shape.make()
        self.stores = self.storage.capabilities.stores
        self.model: dict[tuple[Space, str], Entry] = {}
        self.uncertain: set[int] = set()
        """Versions of values that were touched since they were read: a storage may keep them or not."""
        self.steps = 0
        self.cache = Provider(self.storage, clock=self.clock)
        self.caches: dict[Space, Provider] = {
            (): self.cache,
            ("a",): self.cache.namespace("a"),
            ("a", "@"): self.cache.namespace("a").namespace("@"),
        }

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """Run one call to its end."""
        return self.runner.run(call)

    def teardown(self) -> None:
        """Close, and see that nothing goes on."""

        async def close() -> None:
            await self.cache.close()
            await self.clock.settle()
            assert asyncio.all_tasks() == {asyncio.current_task()}

        self.run(close())
        self.runner.close()

    @initialize(new=writings, chosen=several)
    def begin(self, new: Writing, chosen: list[str]) -> None:
        """Begin with something to work on."""
        for space in SPACES:
            self.set_multi(space, chosen, new)

    # --- the model ---------------------------------------------------------------------------------------------------

    def live(self, space: Space, key: str) -> Entry | None:
        """Give what must be there."""
        entry = self.model.get((space, key))
        return entry if entry is not None and self.clock.monotonic() < entry.until else None

    def put(self, space: Space, key: str, writing: Writing) -> None:
        """Store in the model."""
        if self.stores:
            marked = frozenset((space, tag) for tag in writing.tags)
            self.model[space, key] = Entry(writing.value, self.clock.monotonic() + writing.life, marked, set())

    def drop(self, space: Space, key: str) -> None:
        """Remove from the model."""
        self.model.pop((space, key), None)

    def value(self, space: Space, key: str, default: object = MISSING) -> object:
        """Give the value that must be there."""
        entry = self.live(space, key)
        return default if entry is None else entry.value

    # --- what holds after every step ---------------------------------------------------------------------------------

    @invariant()
    def tables_are_in_order(self) -> None:
        """The columns of each table agree, and no bound is exceeded; what was evicted is forgotten by the model."""
        self.steps += 1
        storage = self.storage.inner if isinstance(self.storage, FaultyStorage) else self.storage
        if not isinstance(storage, TableStorage):
            return
        for table in storage.tables:
            check_invariants(table, self.clock.monotonic(), policy=self.steps % 4 == 0)
        if self.shape.evicts:
            there = {key for table in storage.tables for key in table.index}
            for space, key in list(self.model):
                if self.caches[space]._names.key(key) not in there:
                    self.drop(space, key)

    @invariant()
    def nothing_is_left_of_any_call(self) -> None:
        """No load, lock, turn or mark of a store is left, and one task."""
        core = self.cache._core
        flights = core.flights
        assert not flights.flights
        assert not flights._all
        assert not flights._storing
        assert not flights._changing
        assert not flights._clearing
        assert len(core.locks) == len(core.turns) == 0
        assert self.clock.sleepers <= 1

    # --- reading -----------------------------------------------------------------------------------------------------

    @rule(space=spaces, key=keys)
    def get(self, space: Space, key: str) -> None:
        """A read gives what must be there."""
        expected = self.value(space, key)
        found = self.run(self.caches[space].get(key, MISSING))
        assert (type(found), found) == (type(expected), expected)

    @rule(space=spaces, key=keys)
    def exists(self, space: Space, key: str) -> None:
        """It is there, or not."""
        assert self.run(self.caches[space].exists(key)) is (self.live(space, key) is not None)

    @rule(space=spaces, key=keys)
    def get_item(self, space: Space, key: str) -> None:
        """An item tells what is known, and its version is remembered."""
        entry = self.live(space, key)
        try:
            item = self.run(self.caches[space].get_item(key))
        except NotFoundError:
            assert entry is None
            return
        assert entry is not None
        assert (item.key, item.value, item.is_stale) == (key, entry.value, False)
        assert {(space, tag) for tag in item.tags} == entry.tags
        left = float("inf") if item.expiration is None else item.expiration - self.clock.time()
        assert left == entry.until - self.clock.monotonic() or abs(left - entry.until + self.clock.monotonic()) < 1e-3
        for other in self.model.values():
            other.versions.discard(item.version)
        entry.versions.add(item.version)

    @rule(space=spaces, wanted=several)
    def get_multi(self, space: Space, wanted: list[str]) -> None:
        """Several reads give what must be there."""
        expected = {key: self.value(space, key) for key in wanted if self.live(space, key) is not None}
        assert self.run(self.caches[space].get_multi(wanted)) == expected

    @rule(space=spaces, prefix=prefixes)
    def go_over_keys(self, space: Space, prefix: str) -> None:
        """All live keys are given, each once."""

        async def found() -> list[str]:
            return [key async for key in self.caches[space].keys(prefix)]

        expected = [key for at, key in self.model if at == space and key.startswith(prefix) and self.live(space, key)]
        assert sorted(self.run(found())) == sorted(expected)

    # --- writing -----------------------------------------------------------------------------------------------------

    @rule(space=spaces, key=keys, new=writings)
    def set(self, space: Space, key: str, new: Writing) -> None:
        """What was set is there at once, however tight the bounds are."""
        self.run(self.caches[space].set(key, new.value, new.ttl, tags=new.tags))
        self.put(space, key, new)
        assert self.run(self.caches[space].get(key, MISSING)) == self.value(space, key)

    @rule(space=spaces, chosen=several, new=writings)
    def set_multi(self, space: Space, chosen: list[str], new: Writing) -> None:
        """Several at once."""
        self.run(self.caches[space].set_multi(dict.fromkeys(chosen, new.value), new.ttl, tags=new.tags))
        for key in chosen:
            self.put(space, key, new)

    @rule(space=spaces, key=keys, new=writings)
    def add(self, space: Space, key: str, new: Writing) -> None:
        """An add needs absence."""
        expected = self.live(space, key) is None
        assert self.run(self.caches[space].add(key, new.value, new.ttl, tags=new.tags)) is expected
        if expected:
            self.put(space, key, new)

    @rule(space=spaces, key=keys, new=writings)
    def replace(self, space: Space, key: str, new: Writing) -> None:
        """A replace needs presence."""
        expected = self.live(space, key) is not None
        assert self.run(self.caches[space].replace(key, new.value, new.ttl, tags=new.tags)) is expected
        if expected:
            self.put(space, key, new)

    @rule(space=spaces, key=keys, new=writings, data=st.data())
    def compare_and_set(self, space: Space, key: str, new: Writing, data: st.DataObject) -> None:
        """It is done over the version that was read of this very value, and over no other."""
        known = sorted(
            {version for entry in self.model.values() for version in entry.versions} | {0, -1} - self.uncertain
        )
        version = data.draw(st.sampled_from(known))
        entry = self.live(space, key)
        expected = entry is not None and version in entry.versions
        call = self.caches[space].compare_and_set(key, new.value, version, new.ttl, tags=new.tags)
        assert self.run(call) is expected
        if expected:
            self.put(space, key, new)

    @rule(space=spaces, key=keys, new=writings, default=st.sampled_from([MISSING, 0]), waits=st.booleans())
    def update(self, space: Space, key: str, new: Writing, *, default: object, waits: bool) -> None:
        """The new value is made of the old one, whose tags it keeps."""

        async def later(old: object) -> list[object]:
            await asyncio.sleep(0)
            return [old]

        old, entry = self.value(space, key, default), self.live(space, key)
        marks = () if entry is None else tuple(tag for _, tag in entry.tags)
        update = self.caches[space].update(key, later if waits else lambda value: [value], new.ttl, default=default)
        if old is MISSING:
            with pytest.raises(NotFoundError):
                self.run(update)
        else:
            assert self.run(update) == [old]
            self.put(space, key, Writing([old], new.ttl, marks))

    @rule(space=spaces, key=keys, delta=st.integers(-3, 3), new=writings)
    def increment(self, space: Space, key: str, delta: int, new: Writing) -> None:
        """An int is added to, what is none is refused, and what is missing is born."""
        entry = self.live(space, key)
        call = self.caches[space].increment(key, delta, initial=10, ttl=new.ttl)
        if entry is None:
            assert self.run(call) == 10 + delta
            self.put(space, key, Writing(10 + delta, new.ttl, ()))
        elif type(entry.value) is not int:
            with pytest.raises(WrongTypeError):
                self.run(call)
        else:
            entry.value += delta
            entry.versions.clear()
            assert self.run(call) == entry.value

    @rule(space=spaces, key=keys, new=writings)
    def touch(self, space: Space, key: str, new: Writing) -> None:
        """The end moves, and whether the version does is left open."""
        entry = self.live(space, key)
        assert self.run(self.caches[space].touch(key, new.ttl)) is (entry is not None)
        if entry is not None:
            entry.until = self.clock.monotonic() + new.life
            self.uncertain |= entry.versions
            entry.versions.clear()

    # --- removing ----------------------------------------------------------------------------------------------------

    @rule(space=spaces, key=keys)
    def expire(self, space: Space, key: str) -> None:
        """What is told to expire is a miss."""
        assert self.run(self.caches[space].expire(key)) is (self.live(space, key) is not None)
        self.drop(space, key)

    @rule(space=spaces, key=keys)
    def delete(self, space: Space, key: str) -> None:
        """What is deleted is a miss."""
        assert self.run(self.caches[space].delete(key)) is (self.live(space, key) is not None)
        self.drop(space, key)

    @rule(space=spaces, chosen=several)
    def delete_multi(self, space: Space, chosen: list[str]) -> None:
        """Several at once are counted."""
        expected = len({key for key in chosen if self.live(space, key) is not None})
        assert self.run(self.caches[space].delete_multi(chosen)) == expected
        for key in chosen:
            self.drop(space, key)

    @rule(space=spaces, key=keys)
    def pop(self, space: Space, key: str) -> None:
        """What is popped is given and gone."""
        expected = self.value(space, key)
        assert self.run(self.caches[space].pop(key, MISSING)) == expected
        self.drop(space, key)

    @rule(space=spaces, tags=st.lists(st.sampled_from(TAGS), max_size=2))
    def invalidate_tags(self, space: Space, tags: list[str]) -> None:
        """What has one of the tags is a miss."""
        self.run(self.caches[space].invalidate_tags(*tags))
        gone = {(space, tag) for tag in tags}
        self.model = {at: entry for at, entry in self.model.items() if not gone & entry.tags}

    @rule(space=spaces, prefix=prefixes)
    def invalidate_prefix(self, space: Space, prefix: str) -> None:
        """What begins with the prefix is a miss; without one the namespace is empty, and so are those inside of it."""
        if prefix:
            self.run(self.caches[space].invalidate_prefix(prefix))
            gone = {at for at in self.model if at[0] == space and at[1].startswith(prefix)}
        else:
            self.run(self.caches[space].clear())
            gone = {at for at in self.model if at[0][: len(space)] == space}
        self.model = {at: entry for at, entry in self.model.items() if at not in gone}

    # --- loading -----------------------------------------------------------------------------------------------------

    @rule(space=spaces, key=keys, new=writings, waits=st.booleans())
    def get_or_set(self, space: Space, key: str, new: Writing, *, waits: bool) -> None:
        """What is there is given; what is not is loaded."""
        loads = 0

        async def load() -> object:
            nonlocal loads
            loads += 1
            if waits:
                await asyncio.sleep(0)
            return new.value

        entry = self.live(space, key)
        expected = new.value if entry is None else entry.value
        found = self.run(self.caches[space].get_or_set(key, load, new.ttl, tags=new.tags))
        assert (type(found), found) == (type(expected), expected)
        assert loads == (entry is None)
        if entry is None:
            self.put(space, key, new)

    @rule(space=spaces, chosen=several, new=writings, without=keys)
    def get_or_set_multi(self, space: Space, chosen: list[str], new: Writing, without: str) -> None:
        """What is missing is asked for once, and what the loader does not find is left out."""
        asked: list[str] = []

        async def load(missing: list[str]) -> dict[str, object]:
            asked.extend(missing)
            await asyncio.sleep(0)
            return {key: new.value for key in missing if key != without}

        missing = [key for key in dict.fromkeys(chosen) if self.live(space, key) is None]
        expected = {key: self.value(space, key, new.value) for key in chosen if key not in missing or key != without}
        assert self.run(self.caches[space].get_or_set_multi(chosen, load, new.ttl, tags=new.tags)) == expected
        assert asked == missing
        for key in missing:
            if key != without:
                self.put(space, key, new)

    # --- time --------------------------------------------------------------------------------------------------------

    @rule(seconds=seconds)
    def advance(self, seconds: float) -> None:
        """Time passes, and what is done in the background is done."""
        self.run(self.clock.advance(seconds))

    @rule(seconds=seconds)
    def leap(self, seconds: float) -> None:
        """Time passes while the process stands still."""
        self.clock.leap(seconds)

    @rule(jump=st.sampled_from([-7200.0, 3600.0, 86_400.0]))
    def set_the_wall_clock(self, jump: float) -> None:
        """Somebody sets the clock of the machine."""
        self.clock.set_time(self.clock.time() + jump)


@pytest.mark.parametrize("name", SHAPES)
def test_any_sequence_of_calls_agrees_with_a_dict(name: str) -> None:
    """Whatever is called in whatever order, what is given is what a dict with ends and tags would give."""

    class Shaped(Calls):
        shape = SHAPES[name]

    run_state_machine_as_test(Shaped, settings=settings(max_examples=examples(evicts=Shaped.shape.evicts)))


def examples(*, evicts: bool) -> int:
    """Give the number of runs that the profile asks for, or a part of it for each of the many policies."""
    all_of_them = int(settings().max_examples)
    return all_of_them // 5 if evicts else all_of_them
