"""Checks of a storage: what it says of itself holds from one opening to the next, and beside another one.

Rule: who says to be persistent, or shared, has to give one more over the same items (`again`). Who says neither has to
be neither.
"""

from dataclasses import replace

from aiocache_kit.storage.base import IF_ABSENT, Storage, if_version
from aiocache_kit.testing.contract import together
from aiocache_kit.testing.storage_contract.case import StorageCase


class Lasting(StorageCase):
    """Restarts, and others who share the items."""

    async def test_what_is_persistent_is_there_after_a_restart(self) -> None:
        """An item is read with all that belongs to it, and one that is stale as such; or nothing is left at all."""
        await self.store.write(self.item("k", {"a": [1]}, 60.0, tags=("t",), cost=7))
        await self.store.write(self.item("stale", 2, 1.0, stale_for=100.0))
        await self.pass_time(2.0)
        before = [await self.store.read(key) for key in ("k", "stale")]
        await self._restart()
        after = [await self.store.read(key) for key in ("k", "stale")]
        if not self.store.capabilities.persistent:
            assert after == [None, None]
            assert await self.found() == set()
            return
        told = [
            [each and (each.value, each.ttl, each.tags, each.cost, each.version, each.is_stale) for each in each_time]
            for each_time in (before, after)
        ]
        assert None not in before
        assert told[0] == told[1]
        assert await self.found() == {"k"}

    async def test_time_goes_on_while_nobody_is_there(self) -> None:
        """What dies between two openings is dead, and what was removed, cleared or invalidated is not back."""
        for key in ("removed", "a:cleared", "tagged"):
            await self.store.write(self.item(key, tags=("t",) if key == "tagged" else ()))
        await self.write("short", ttl=5.0)
        await self.write("long", ttl=500.0)
        await self.store.remove("removed")
        await self.store.clear("a:")
        if self.store.tags is not None:
            await self.store.tags.invalidate(["t"])
        else:
            await self.store.remove("tagged")
        await self._restart(after=50.0)

        assert await self.found() == ({"long"} if self.store.capabilities.persistent else set())
        assert [await self.store.read(key) for key in ("short", "removed", "a:cleared", "tagged")] == [None] * 4

    async def test_versions_grow_over_a_restart(self) -> None:
        """What was read before fits as long as nobody wrote, and never again after a removal or a clear."""
        await self.write()
        version = await self.version()
        await self._restart(after=1.0)
        lasts = self.store.capabilities.persistent
        assert await self.store.write(self.item("k", "new"), if_version(version)) is lasts
        last = await self.version()
        await self.store.clear()
        await self._restart(after=1.0)
        await self.write()

        assert not lasts or version < last < await self.version()

    async def test_what_is_shared_is_seen_by_others(self) -> None:
        """Of two who are open side by side, each sees what the other does, and a condition holds for both."""
        other = await self.beside()
        if other is None or not self.store.capabilities.shared:
            return
        try:
            await self.store.write(replace(self.item("k", 1), tags=("t",)))
            found = await other.read("k")
            assert found is not None
            assert await other.write(self.item("k", 2), if_version(found.version)) is True
            await self.heard()
            assert await self.value() == 2
            assert await self.store.write(self.item("k", 3), if_version(found.version)) is False
            done = await together(*(each.write(self.item("new"), IF_ABSENT) for each in (self.store, other) * 20))
            assert sum(done) == 1
            await other.clear()
            await self.heard()
            assert await self.found() == set()
            assert await self.store.read("k") is None
        finally:
            await other.close()

    async def test_what_is_not_shared_is_nobody_elses(self) -> None:
        """Of two who share nothing the second one finds nothing and changes nothing, or cannot be opened at all."""
        if self.store.capabilities.shared:
            return
        await self.write("k", "mine")
        other = await self.beside()
        if other is not None:
            try:
                assert await other.read("k") is None
                await other.write(self.item("k", "not yours"))
                await self.heard()
                assert await self.value() == self.kept("mine", None)
                await other.clear()
            finally:
                await other.close()

        assert await self.value() == self.kept("mine", None)

    async def test_offers_are_what_the_capabilities_say(self) -> None:
        """Leases, tags, locks and rates are there where the storage says so, and nowhere else."""
        its, store = self.store.capabilities, self.store
        offers = (store.leases, store.tags, store.locks, store.rates)

        assert [each is not None for each in offers] == [its.leases, its.tags, its.locks, its.rates]

    async def _restart(self, *, after: float = 0.0) -> None:
        """Close, and open again after so many seconds, as the next process would."""
        await self.store.close()
        await self.stand_still(after)
        self.store: Storage = await self.another()
        await self.store.open()
