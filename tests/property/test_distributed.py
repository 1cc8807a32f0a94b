"""Whatever happens to nodes, no value is read that is older than the last change; with copies, none is missing either.

Nodes fail, freeze, lose answers and come back, and are added and removed, in any order, while items are written and
read. The model knows for each key what may be read: after a change that was done, its value; after one that raised, the
value from before as well.
"""

import asyncio
from collections.abc import Awaitable, Generator
from contextlib import contextmanager
from random import Random
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from aiocache_kit.errors import PartialFailureError, StorageError
from aiocache_kit.item import Item
from aiocache_kit.storage.base import IF_ABSENT, IF_PRESENT, if_version
from aiocache_kit.storage.distributed import DistributedStorage, Node
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage

T = TypeVar("T")
GONE = "gone"
KEYS = [f"k{each}" for each in range(6)]
SPARE = ["d", "e"]
CALLS = ("read", "read_multi", "write", "write_multi", "remove", "remove_multi", "increment", "clear", "scan", "ping")

keys = st.sampled_from(KEYS)
several = st.lists(keys, min_size=1, max_size=6, unique=True)
times = st.sampled_from([1, 2, None, None])
places = st.integers(0, 10)


class Machine(RuleBasedStateMachine):
    """Three nodes; any of them may fail at any time."""

    replicas: ClassVar[int] = 1
    options: ClassVar[dict[str, Any]] = {}
    one_at_a_time: ClassVar[bool] = False
    """Whether a node fails only once all others are well and complete again: then nothing may be missing."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = FakeClock()
        self.nodes = {name: FaultyStorage(memory_storage(max_entries=1000)) for name in ("a", "b", "c")}
        self.storage = DistributedStorage(
            [Node(name, storage) for name, storage in self.nodes.items()],
            replicas=self.replicas,
            random=Random(0),  # noqa: S311  - to repeat a run
            **self.options,
        )
        self.storage.clock = self.clock
        self.may_be: dict[str, set[object]] = {key: {GONE} for key in KEYS}
        self.number = 0
        self.is_calm = True
        self.do(self.storage.open())

    def teardown(self) -> None:
        """Heal all nodes, close, and see that no task is left."""
        for node in self.nodes.values():
            node.heal()
        self.do(self.storage.close())
        left = asyncio.all_tasks(self.runner.get_loop())
        self.runner.close()
        assert not left

    def do(self, call: Awaitable[T]) -> T:
        """Run a call to its end, while time passes."""

        async def run() -> T:
            task = asyncio.ensure_future(call)  # noqa: TID251  - awaited below
            await self.clock.settle()
            for _ in range(20):
                if task.done():
                    break
                await self.clock.advance(0.25)
            return await task

        return self.runner.run(run())

    def new(self) -> int:
        """Give a value that nobody has written yet."""
        self.number += 1
        return self.number * 1000

    def item(self, key: str, value: object) -> Item[Any]:
        """Make an item."""
        return Item(key=key, value=value, created_at=self.clock.time())

    def now_is(self, key: str, value: object) -> None:
        """Note that `value` is what is there; it may still get lost where nothing keeps it."""
        self.may_be[key] = {value}
        self.may_be[key] |= set() if self.is_calm or self.one_at_a_time else {GONE}

    @contextmanager
    def change(self, **changes: object) -> Generator[None]:
        """Note what may be there if the block raises: the new values, the old ones, or nothing."""
        try:
            yield
        except StorageError:
            assert not self.is_calm
            for key, value in changes.items():
                self.may_be[key] |= {value} if self.one_at_a_time else {value, GONE}

    # --- faults ------------------------------------------------------------------------------------------------------

    def trouble(self) -> None:
        """Note that something is about to go wrong."""
        if self.one_at_a_time:
            for node in self.nodes.values():
                node.heal()
            for _ in range(3):
                self.runner.run(self.clock.advance(40.0))
        else:
            self.is_calm = False
            for values in self.may_be.values():
                values.add(GONE)
        self.is_calm = False

    @rule(place=places, times=times, after=st.booleans())
    def fail(self, place: int, times: int | None, *, after: bool) -> None:
        """Let a node raise, before or after it has done what it should."""
        self.trouble()
        self.faulty(place).fail(times=times, after=after, of=CALLS)

    @rule(place=places, after=st.booleans(), times=times)
    def freeze(self, place: int, times: int | None, *, after: bool) -> None:
        """Let a node answer no more, before or after it has done what it should."""
        self.trouble()
        self.faulty(place).hold(times=times, after=after, of=CALLS)

    def faulty(self, place: int) -> FaultyStorage:
        """Give one of the nodes."""
        return list(self.nodes.values())[place % len(self.nodes)]

    @rule(place=places)
    def heal(self, place: int) -> None:
        """Let a node work again."""
        self.faulty(place).heal()

    @rule(seconds=st.sampled_from([0.0, 0.25, 1.0, 5.0, 60.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.runner.run(self.clock.advance(seconds))

    # --- changes -----------------------------------------------------------------------------------------------------

    @rule(key=keys)
    def set(self, key: str) -> None:
        """Write without a condition."""
        value = self.new()
        with self.change(**{key: value}):
            assert self.do(self.storage.write(self.item(key, value)))
            self.now_is(key, value)

    @rule(key=keys)
    def delete(self, key: str) -> None:
        """Remove without a condition."""
        with self.change(**{key: GONE}):
            was_there = self.do(self.storage.remove(key))
            assert not self.is_calm or was_there is (GONE not in self.may_be[key])
            self.may_be[key] = {GONE}

    @rule(key=keys)
    def add(self, key: str) -> None:
        """Write where nothing is."""
        value = self.new()
        with self.change(**{key: value}):
            if self.do(self.storage.write(self.item(key, value), IF_ABSENT)):
                assert GONE in self.may_be[key]
                self.now_is(key, value)
            else:
                assert self.may_be[key] != {GONE}

    @rule(key=keys, removes=st.booleans())
    def compare(self, key: str, *, removes: bool) -> None:
        """Write or remove over what was just read."""
        value: object = GONE if removes else self.new()
        with self.change(**{key: value}):
            item = self.do(self.storage.read(key))
            if item is None:
                return
            assert item.value in self.may_be[key]
            condition = if_version(item.version)
            if removes:
                done = self.do(self.storage.remove(key, condition))
            else:
                done = self.do(self.storage.write(self.item(key, value), condition))
            assert done or not self.is_calm
            if done:
                self.now_is(key, value)

    @rule(key=keys)
    def replace(self, key: str) -> None:
        """Write where something is."""
        value = self.new()
        with self.change(**{key: value}):
            if self.do(self.storage.write(self.item(key, value), IF_PRESENT)):
                assert self.may_be[key] != {GONE}
                self.now_is(key, value)
            else:
                assert GONE in self.may_be[key]

    @rule(key=keys, delta=st.integers(1, 3))
    def count(self, key: str, delta: int) -> None:
        """Count on what is there."""
        sums = {(0 if value == GONE else int(str(value))) + delta for value in self.may_be[key]}
        try:
            total = self.do(self.storage.increment(self.item(key, 0), delta))
        except StorageError:
            assert not self.is_calm
            self.may_be[key] |= sums if self.one_at_a_time else {*sums, GONE}
        else:
            assert total in sums
            self.now_is(key, total)

    @rule(chosen=several)
    def set_many(self, chosen: list[str]) -> None:
        """Write many at once."""
        values = {key: self.new() for key in chosen}
        failed: frozenset[str] = frozenset()
        try:
            self.do(self.storage.write_multi([self.item(key, value) for key, value in values.items()]))
        except PartialFailureError as error:
            failed = error.failed
            assert not self.is_calm
        for key, value in values.items():
            if key in failed:
                self.may_be[key] |= {value, GONE}
            else:
                self.now_is(key, value)

    @rule(chosen=several)
    def delete_many(self, chosen: list[str]) -> None:
        """Remove many at once."""
        failed: frozenset[str] = frozenset()
        try:
            count = self.do(self.storage.remove_multi(chosen))
            assert not self.is_calm or count == sum(GONE not in self.may_be[key] for key in chosen)
        except PartialFailureError as error:
            failed = error.failed
            assert not self.is_calm
        for key in chosen:
            self.may_be[key] = self.may_be[key] | {GONE} if key in failed else {GONE}

    @rule()
    def clear(self) -> None:
        """Clear some."""
        gone = dict.fromkeys(KEYS[:3], GONE)
        with self.change(**gone):
            for key in gone:
                self.do(self.storage.clear(key))
            for key in gone:
                self.may_be[key] = {GONE}

    # --- reads -------------------------------------------------------------------------------------------------------

    @rule(key=keys)
    def get(self, key: str) -> None:
        """Read one."""
        try:
            item = self.do(self.storage.read(key))
        except StorageError:
            assert not self.is_calm
            assert not self.one_at_a_time
        else:
            self.saw(key, GONE if item is None else item.value)

    @rule(chosen=several)
    def get_many(self, chosen: list[str]) -> None:
        """Read many."""
        failed: frozenset[str] = frozenset()
        try:
            found: dict[str, Any] = dict(self.do(self.storage.read_multi(chosen)))
        except PartialFailureError as error:
            found, failed = error.found, error.failed
            assert not self.is_calm
            assert not self.one_at_a_time
        assert not set(found) & failed
        for key in set(chosen) - failed:
            self.saw(key, found[key].value if key in found else GONE)

    def saw(self, key: str, value: object) -> None:
        """Check what was read; what was there once does not become what was there before it."""
        assert value in self.may_be[key], (key, value, self.may_be[key])
        if value != GONE:
            self.now_is(key, value)

    # --- nodes -------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.is_calm or not self.one_at_a_time)
    @rule(name=st.sampled_from(SPARE), weight=st.sampled_from([0.5, 1.0, 2.0]))
    def add_node(self, name: str, weight: float) -> None:
        """Add a node, with something old on it."""
        if name in self.nodes:
            return
        storage = FaultyStorage(memory_storage(max_entries=1000))
        self.do(storage.write(self.item("k0", "of another time")))
        self.do(self.storage.add_node(Node(name, storage, weight)))
        self.nodes[name] = storage
        self.moved()

    @precondition(lambda self: self.is_calm or not self.one_at_a_time)
    @rule(place=places)
    def remove_node(self, place: int) -> None:
        """Remove a node."""
        name = list(self.nodes)[place % len(self.nodes)]
        if len(self.nodes) <= self.replicas:
            return
        try:
            self.do(self.storage.remove_node(name))
        except StorageError:
            assert not self.is_calm
        self.nodes.pop(name).heal()
        self.moved()

    @precondition(lambda self: self.is_calm or not self.one_at_a_time)
    @rule(place=places, weight=st.sampled_from([0.5, 1.0, 2.0]))
    def set_weight(self, place: int, weight: float) -> None:
        """Change a weight."""
        self.do(self.storage.set_weight(list(self.nodes)[place % len(self.nodes)], weight))
        self.moved()

    def moved(self) -> None:
        """Note that keys may have moved: with one copy, those are misses."""
        if self.replicas == 1:
            for values in self.may_be.values():
                values.add(GONE)
            self.is_calm = False
        elif self.one_at_a_time:
            self.runner.run(self.clock.advance(5.0))

    @invariant()
    def only_what_is_needed_runs(self) -> None:
        """There is at most one watcher and one nurse for each node."""
        assert len(asyncio.all_tasks(self.runner.get_loop())) <= 2 * len(self.nodes)


class OneCopy(Machine):
    """Each item once."""


class OneCopyKetama(Machine):
    """Each item once, on a ring of ketama."""

    options: ClassVar[dict[str, Any]] = {"ketama": True, "failures": 1}


class TwoCopies(Machine):
    """Each item twice, and anything may fail."""

    replicas: ClassVar[int] = 2


class TwoCopiesOneFault(Machine):
    """Each item twice, and one node fails at a time: nothing gets lost, no read fails."""

    replicas: ClassVar[int] = 2
    one_at_a_time: ClassVar[bool] = True


class TwoCopiesSpread(Machine):
    """Each item twice, reads spread over both."""

    replicas: ClassVar[int] = 2
    options: ClassVar[dict[str, Any]] = {"balance": 1.1}
    one_at_a_time: ClassVar[bool] = True


class ThreeCopies(Machine):
    """Each item three times."""

    replicas: ClassVar[int] = 3
    one_at_a_time: ClassVar[bool] = True


MACHINES: list[type[Machine]] = [
    OneCopy,
    OneCopyKetama,
    TwoCopies,
    TwoCopiesOneFault,
    TwoCopiesSpread,
    ThreeCopies,
]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: str(getattr(machine, "__name__", machine)))
def test_nothing_older_than_the_last_change_is_read(machine: type[Machine]) -> None:
    """Any sequence of calls, faults, returns and moves agrees with the model."""
    run_state_machine_as_test(machine, settings=settings())
