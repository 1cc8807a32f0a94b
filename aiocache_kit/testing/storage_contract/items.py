"""Checks of a storage: what is written is read back, and removed."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from aiocache_kit.item import Item, Validators
from aiocache_kit.testing.contract import NASTY, outcomes
from aiocache_kit.testing.storage_contract.case import StorageCase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FALSY: tuple[object, ...] = (None, False, 0, 0.0, "", b"", [], {})


class Items(StorageCase):
    """Reading, writing, removing."""

    async def test_nothing_is_there_at_first(self) -> None:
        """A key that was never written gives None."""
        assert await self.store.read("k") is None

    async def test_write_says_yes(self) -> None:
        """An unconditional write is always done, over nothing and over something."""
        assert await self.store.write(self.item("k", 1)) is True
        assert await self.store.write(self.item("k", 2)) is True

    async def test_what_is_written_is_read(self) -> None:
        """An item comes back under its key with its value."""
        await self.write("k", {"a": [1, 2.5, "x"]})
        item = await self.store.read("k")

        assert (item is not None) is self.stores
        if item is not None:
            assert (item.key, item.value, item.is_stale) == ("k", {"a": [1, 2.5, "x"]}, False)

    async def test_falsy_values_are_values(self) -> None:
        """What is false in Python, None included, is kept and comes back with its type."""
        for number, value in enumerate(FALSY):
            await self.write(f"k{number}", value)
        for number, value in enumerate(FALSY):
            item = await self.store.read(f"k{number}")
            assert (item is not None) is self.stores
            assert item is None or (item.value == value and type(item.value) is type(value))

    async def test_ttl_comes_back(self) -> None:
        """The ttl of an item is what it was, None included."""
        for ttl in (None, 0.25, 60.0, 1e9):
            await self.write("k", ttl=ttl)
            item = await self.store.read("k")
            assert item is None or item.ttl == ttl

    async def test_expiration_comes_back(self) -> None:
        """The expiration is the instant of writing plus the ttl, by the wall clock; None for ever."""
        for ttl in (None, 0.25, 60.0):
            await self.write("k", ttl=ttl)
            item = await self.store.read("k")
            end = None if ttl is None else self.clock.time() + ttl
            assert item is None or item.expiration == end or abs((item.expiration or 0) - (end or 0)) < 0.01

    async def test_tags_come_back(self) -> None:
        """Tags keep their order."""
        await self.store.write(self.item(tags=("b", "a", "@c", "*")))
        item = await self.store.read("k")

        assert item is None or item.tags == ("b", "a", "@c", "*")

    async def test_creation_of_what_has_tags_comes_back_exactly(self) -> None:
        """Whoever gives tags also gives the instant that invalidations are compared with, and gets it back."""
        item = self.item(tags=("t",))
        await self.pass_time(0.3)
        await self.store.write(item)
        found = await self.store.read("k")

        assert found is None or found.created_at == item.created_at

    async def test_cost_comes_back(self) -> None:
        """A cost that was given is given back, zero and None as well."""
        for cost in (None, 0, 7):
            await self.store.write(self.item(cost=cost))
            item = await self.store.read("k")
            assert item is None or item.cost == cost

    async def test_validators_come_back(self) -> None:
        """What the source calls the state of a value comes back as it was given, alone and beside everything else."""
        said = (Validators(etag='"v1"'), Validators(last_modified="Tue, 01 Nov"), Validators("ä\ud800", "x" * 1024))
        items = [
            self.item(),
            self.item(ttl=60.0, stale_for=60.0),
            self.item(tags=("t",)),
            self.item(cost=3),
            self.item(value={"a": [1]}),
            self.item(value=b"x" * 100_000),
        ]
        for validators in said:
            for item in items:
                await self.store.write(replace(item, validators=validators))
                found = await self.store.read("k")
                many = (await self.store.read_multi(["k"])).get("k")
                assert [each and (each.value, each.validators) for each in (found, many)] == [
                    self.kept((item.value, validators), None)
                ] * 2
        await self.store.write_multi([replace(self.item(), validators=said[0])])

        assert await self.validators() == self.kept(said[0], None)

    async def test_validators_are_the_values(self) -> None:
        """They stay as long as the value does, whatever becomes of its dates, and not a write longer."""
        said = Validators("e", "m")
        await self.store.write(replace(self.item(ttl=60.0, stale_for=60.0), validators=said))
        await self.store.touch(Item(key="k", value=None, ttl=30.0, expiration=self.clock.time() + 30.0))
        assert await self.validators() == self.kept(said, None)
        await self.store.expire("k")
        found = await self.store.read("k")
        assert found is None or found.validators == said
        writes: list[Callable[[], Awaitable[None]]] = [
            self.write,
            lambda: self.store.write_multi([self.item(ttl=5.0)]),
            self._counted,
        ]
        for write in writes:
            await self.store.write(replace(self.item(value=1), validators=said))
            await write()
            assert await self.validators() is None

    async def _counted(self) -> None:
        await self.store.increment(Item(key="k", value=1), 1)

    async def validators(self) -> Validators | None:
        """Read what is known of the state of the source."""
        item = await self.store.read("k")
        return None if item is None else item.validators

    async def test_write_replaces_everything(self) -> None:
        """Nothing of the older item is left in the newer one."""
        await self.store.write(self.item("k", 1, 5.0, tags=("t",), cost=3))
        await self.store.write(self.item("k", 2))
        item = await self.store.read("k")

        assert item is None or (item.value, item.ttl, item.tags, item.cost) == (2, None, (), None)

    async def test_versions_change_with_every_write(self) -> None:
        """Each write gives a version that was not there before, also where the value is the same."""
        seen = [0]
        for _ in range(5):
            await self.write()
            seen.append(await self.version())

        assert len(set(seen)) == self.kept(6, 1)

    async def test_versions_grow(self) -> None:
        """A later write of a key has the greater version, also after a removal."""
        await self.write()
        first = await self.version()
        await self.write()
        second = await self.version()
        await self.store.remove("k")
        await self.write()

        assert not self.stores or 0 < first < second < await self.version()

    async def test_reading_changes_nothing(self) -> None:
        """Two reads give the same item."""
        await self.write(ttl=60.0)

        assert await self.store.read("k") == await self.store.read("k")

    async def test_keys_are_kept_apart(self) -> None:
        """Keys with odd signs, of odd lengths and near one another are all different, and mean nothing else."""
        for number, key in enumerate(NASTY):
            await self.write(key, number)
        for number, key in enumerate(NASTY):
            item = await self.store.read(key)
            assert (item is not None) is self.stores
            assert item is None or (item.key, item.value) == (key, number)

    async def test_remove_says_whether_there_was_one(self) -> None:
        """A removal is true for a live item and false for none, and the item is gone."""
        assert await self.store.remove("k") is False
        await self.write()

        assert await self.store.remove("k") is self.stores
        assert await self.store.read("k") is None
        assert await self.store.remove("k") is False

    async def test_remove_takes_one_key(self) -> None:
        """A removal leaves other keys alone, those that it would match as a pattern included."""
        for key in ("a*", "ab", "a", "*"):
            await self.write(key)
        await self.store.remove("a*")
        await self.store.remove("*")

        assert await self.found() == self.those(["a", "ab"])

    async def test_values_belong_to_whom_the_capabilities_say(self) -> None:
        """A value comes back as the same object, or as one of its own whose changes reach nobody."""
        value = {"a": [1]}
        await self.write("k", value)
        found = await self.value()
        if self.stores and self.store.capabilities.by_reference:
            assert found is value
        elif self.stores:
            value["a"].append(2)
            assert isinstance(found, dict)
            found["b"] = 3
            assert await self.value() == {"a": [1]}

    async def test_large_values_are_kept(self) -> None:
        """A value of a megabyte comes back whole."""
        await self.write("k", "x" * 1_000_000)

        assert await self.value() == self.kept("x" * 1_000_000, None)

    async def test_cancelled_write_leaves_old_or_new(self) -> None:
        """A write that is cancelled at once, or a little later, leaves the item whole, and the storage in order."""
        await self.write("k", "old")
        for turns in range(4):
            task = asyncio.create_task(self.store.write(self.item("k", "new")))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await outcomes([task])
            assert await self.value() in (self.kept("old", None), self.kept("new", None))
        await self.write("k", "newest")

        assert await self.value() == self.kept("newest", None)
