"""Checks of a storage: what it says of itself holds from one opening to the next, and beside another one.

Rule: only for contracts that override `again`, since nobody else knows where the items lie.
"""

from dataclasses import replace

from aiocache_kit.storage.base import IF_ABSENT, Storage, if_version
from aiocache_kit.testing.contract import made, together
from aiocache_kit.testing.storage_contract.case import StorageCase


class Lasting(StorageCase):
    """Restarts, and others who share the items."""

    async def test_what_is_persistent_is_there_after_a_restart(self) -> None:
        """An item is read with all that belongs to it, and one that is stale as such."""
        await self.store.write(self.item("k", {"a": [1]}, 60.0, tags=("t",), cost=7))
        await self.store.write(self.item("stale", 2, 1.0, stale_for=100.0))
        await self.pass_time(2.0)
        before = [await self.store.read(key) for key in ("k", "stale")]
        if await self._restarted():
            after = [await self.store.read(key) for key in ("k", "stale")]
            told = [
                [
                    each and (each.value, each.ttl, each.tags, each.cost, each.version, each.is_stale)
                    for each in each_time
                ]
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
        if await self._restarted(after=50.0):
            assert await self.found() == {"long"}
            assert [await self.store.read(key) for key in ("short", "removed", "a:cleared", "tagged")] == [None] * 4

    async def test_versions_grow_over_a_restart(self) -> None:
        """What was read before fits as long as nobody wrote, and never again after a removal or a clear."""
        await self.write()
        version = await self.version()
        if await self._restarted():
            assert await self.store.write(self.item("k", "new"), if_version(version)) is True
            last = await self.version()
            await self.store.clear()
            assert await self._restarted()
            await self.write()
            assert version < last < await self.version()

    async def test_what_is_shared_is_seen_by_others(self) -> None:
        """Of two who are open side by side, each sees what the other does, and a condition holds for both."""
        other = await self._beside()
        if other is None:
            return
        try:
            await self.store.write(replace(self.item("k", 1), tags=("t",)))
            found = await other.read("k")
            assert found is not None
            assert await other.write(self.item("k", 2), if_version(found.version)) is True
            assert await self.value() == 2
            assert await self.store.write(self.item("k", 3), if_version(found.version)) is False
            done = await together(*(each.write(self.item("new"), IF_ABSENT) for each in (self.store, other) * 20))
            assert sum(done) == 1
            await other.clear()
            assert await self.found() == set()
        finally:
            await other.close()

    async def _restarted(self, *, after: float = 0.0) -> bool:
        """Close, and open again `after` seconds, as the next process would; False where nothing is to be expected."""
        if not self.store.capabilities.persistent:
            return False
        await self.store.close()
        following = await self._opened(after=after)
        if following is None:
            return False
        self.store = following
        return True

    async def _beside(self) -> Storage | None:
        return await self._opened() if self.store.capabilities.shared else None

    async def _opened(self, *, after: float = 0.0) -> Storage | None:
        found = self.again(self.clock)
        following = None if found is None else await made(found)
        if following is not None:
            await self.stand_still(after)
            following.clock = self.clock
            await following.open()
        return following
