"""Checks of a storage: conditions are checked and done in one step."""

from collections.abc import Awaitable, Callable
from itertools import product
from typing import TypeAlias

from aiocache_kit.errors import UnsupportedError, WrongTypeError
from aiocache_kit.item import Item
from aiocache_kit.storage.base import ALWAYS, IF_ABSENT, IF_PRESENT, Condition, if_lease, if_version
from aiocache_kit.testing.contract import raises, together
from aiocache_kit.testing.storage_contract.case import StorageCase

Call: TypeAlias = Callable[[], Awaitable[bool]]

STATES: tuple[str, ...] = ("missing", "live", "stale", "expired", "dead", "removed")


class Conditions(StorageCase):
    """Conditional writes and removals, and the counters made of them."""

    async def bring(self, state: str) -> int:
        """Bring the key into a state, and give the version of what was written."""
        if state == "missing":
            return 12345
        await self.store.write(self.item("k", "old", 1.0, stale_for=100.0 if state in {"stale", "expired"} else 0.0))
        version = await self.version()
        if state in {"stale", "dead"}:
            await self.pass_time(2.0)
        elif state == "expired":
            await self.store.expire("k")
        elif state == "removed":
            await self.store.remove("k")
        return version

    def conditions(self, version: int, *, live: bool) -> list[tuple[Condition, bool]]:
        """Give each condition, and whether it holds over a key in a state."""
        return [
            (ALWAYS, True),
            (IF_ABSENT, not live),
            (IF_PRESENT, live),
            (if_version(version), live),
            (if_version(version + 1), False),
            (if_version(0), False),
        ]

    async def test_write_heeds_its_condition(self) -> None:
        """Each condition holds for live items as its name says; stale, expired and dead ones are absent to it."""
        for state, choice in product(STATES, range(6)):
            await self.store.clear()
            version = await self.bring(state)
            live = state == "live" and self.stores
            condition, holds = self.conditions(version, live=live)[choice]
            before = await self.store.read("k")
            assert await self.store.write(self.item("k", "new"), condition) is holds, (state, condition)
            if holds:
                assert await self.value() == self.kept("new", None), (state, condition)
            else:
                assert await self.store.read("k") == before, (state, condition)

    async def test_remove_heeds_its_condition(self) -> None:
        """The same for removals, which are true only where a live item went away."""
        for state, choice in product(STATES, range(6)):
            await self.store.clear()
            version = await self.bring(state)
            live = state == "live" and self.stores
            condition, holds = self.conditions(version, live=live)[choice]
            before = await self.store.read("k")
            assert await self.store.remove("k", condition) is (holds and live), (state, condition)
            if holds:
                assert await self.store.read("k") is None, (state, condition)
            else:
                assert await self.store.read("k") == before, (state, condition)

    async def test_older_version_never_fits_again(self) -> None:
        """A version of before a removal, or of before another write of the same value, fits no more."""
        await self.write()
        version = await self.version()
        await self.store.remove("k")
        await self.write()

        assert await self.store.write(self.item("k", "new"), if_version(version)) is False
        assert await self.store.remove("k", if_version(version)) is False

    async def test_one_of_many_writes_if_absent_is_done(self) -> None:
        """Of a hundred writes at the same time that want the key to be absent, one is done."""
        done = await together(*(self.store.write(self.item("k", number), IF_ABSENT) for number in range(100)))

        assert sum(done) == self.kept(1, 100)
        assert await self.value() == self.kept(done.index(True), None)

    async def test_one_of_many_writes_if_version_is_done(self) -> None:
        """Of a hundred writes at the same time over one version, one is done."""
        await self.write("k", "old")
        condition = if_version(await self.version())
        done = await together(*(self.store.write(self.item("k", number), condition) for number in range(100)))

        assert sum(done) == self.kept(1, 0)

    async def test_one_of_many_removals_is_done(self) -> None:
        """Of a hundred removals at the same time, conditional or not, one is true."""
        for condition in (ALWAYS, IF_PRESENT):
            await self.write()
            done = await together(*(self.store.remove("k", condition) for _ in range(100)))
            assert sum(done) == self.kept(1, 0)

    async def test_leases_are_honoured_or_refused(self) -> None:
        """A lease that nobody has been given holds for no write and no removal."""
        await self.write("k", "old")
        calls: tuple[Call, ...] = (
            lambda: self.store.write(self.item("k", "new"), if_lease("made up")),
            lambda: self.store.remove("k", if_lease("made up")),
        )
        for call in calls:
            try:
                assert await call() is False
            except UnsupportedError:
                assert not self.store.capabilities.leases

        assert await self.value() == self.kept("old", None)

    # --- counters ----------------------------------------------------------------------------------------------------

    async def test_counter_is_born(self) -> None:
        """Where nothing is live, an increment stores the first value and its ttl."""
        assert await self.store.increment(self.counter(10, ttl=1.0), 5) == 15
        assert await self.value() == self.kept(15, None)
        await self.pass_time(2.0)

        assert await self.store.read("k") is None

    async def test_counter_counts(self) -> None:
        """Increments add up, negative ones and those by zero included."""
        totals = [await self.store.increment(self.counter(0), delta) for delta in (1, 2, -7, 0)]

        assert totals == self.kept([1, 3, -4, -4], [1, 2, -7, 0])

    async def test_counter_keeps_its_end(self) -> None:
        """A later increment does not move the end of a counter."""
        await self.store.increment(self.counter(0, ttl=1.0), 1)
        await self.pass_time(0.75)
        await self.store.increment(self.counter(0, ttl=100.0), 1)
        await self.pass_time(0.5)

        assert await self.store.read("k") is None

    async def test_counter_keeps_its_tags(self) -> None:
        """An increment keeps tags and cost of the item, and changes its version."""
        await self.store.write(self.item("k", 1, tags=("t",), cost=9))
        version = await self.version()
        await self.store.increment(self.counter(0), 1)
        item = await self.store.read("k")

        assert item is None or (item.value, item.tags, item.cost) == (2, ("t",), 9)
        assert item is None or item.version > version

    async def test_counter_is_born_again(self) -> None:
        """A stale, expired or dead counter begins anew, and is fresh then."""
        for state in STATES:
            await self.store.clear()
            await self.bring(state)
            if state == "live":
                continue
            assert await self.store.increment(self.counter(3), 1) == 4
            item = await self.store.read("k")
            assert item is None or not item.is_stale

    async def test_only_whole_numbers_count(self) -> None:
        """What is no int, a bool included, is not incremented and stays as it is."""
        for value in ("1", 1.0, True, None, [1]) if self.stores else ():
            await self.write("k", value)
            with raises(WrongTypeError):
                await self.store.increment(self.counter(0), 1)
            assert await self.value() == value

    async def test_no_increment_is_lost(self) -> None:
        """Of a hundred increments at the same time each gives another total."""
        totals = await together(*(self.store.increment(self.counter(0), 1) for _ in range(100)))

        assert set(totals) == self.kept(set(range(1, 101)), {1})

    def counter(self, initial: int, ttl: float | None = None) -> Item[int]:
        """Make a counter to be born."""
        end = None if ttl is None else self.clock.time() + ttl
        return Item(key="k", value=initial, ttl=ttl, expiration=end, created_at=self.clock.time())
