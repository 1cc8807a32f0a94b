"""Checks of a storage: it holds no more than it was told to.

Rule: who says to be bounded has to give one with bounds (`bounded`). Who does not say so has none to give.
"""

from dataclasses import replace
from typing import Final

from aiocache_kit.errors import ValueTooLargeError
from aiocache_kit.item import Item
from aiocache_kit.testing.contract import made, raises, together
from aiocache_kit.testing.storage_contract.case import StorageCase

ENTRIES: Final = 48
SIZE: Final = 100_000


class Bounds(StorageCase):
    """Bounds in entries and in bytes."""

    async def test_a_bound_is_told(self) -> None:
        """A storage that has a bound of any kind says so, and no other does."""
        found = [self.bounded(self.clock, ENTRIES, None), self.bounded(self.clock, None, SIZE)]
        those = [await made(each) for each in found if each is not None]

        assert all(each.capabilities.bounded for each in those)
        assert bool(those) or not self.store.capabilities.bounded

    async def test_a_bound_in_entries_holds(self) -> None:
        """However items are written, after each call there are no more than the bound allows, and few are not fewer."""
        if not await self._has_bound(ENTRIES, None):
            return
        for number in range(30):
            for item in self._items(number, "v"):
                await self.store.write(item)
                assert (await self.store.size()).items <= ENTRIES
            await self.store.write_multi(self.item(f"m{number}:{each}", each) for each in range(10))
            assert (await self.store.size()).items <= ENTRIES
            await self.store.increment(Item(key=f"c{number}", value=0, ttl=None, expiration=None), 1)
            assert (await self.store.size()).items <= ENTRIES
        await together(*(self.store.write(self.item(f"t{number}")) for number in range(2 * ENTRIES)))
        size = await self.store.size()

        assert ENTRIES / 2 <= size.items <= ENTRIES
        assert size.evictions > 0
        await self.store.write_multi(self.item(f"more{number}") for number in range(3 * ENTRIES))
        assert (await self.store.size()).items <= ENTRIES

    async def test_a_bound_in_bytes_holds(self) -> None:
        """The same for bytes, whatever the sizes of the values; what is larger than the bound leaves what was there."""
        if not await self._has_bound(None, SIZE):
            return
        for number in range(30):
            for item in self._items(number, "x" * (100 + 250 * number)):
                await self.store.write(item)
                assert (await self.store.size()).bytes <= SIZE
        size = await self.store.size()
        assert SIZE / 4 <= size.bytes <= SIZE
        assert size.evictions > 0
        await self.store.clear()
        await self.write("k", "small")
        with raises(ValueTooLargeError):
            await self.write("k", "x" * SIZE)

        assert await self.value() == "small"

    def _items(self, number: int, value: str) -> list[Item[object]]:
        """Make one of each kind."""
        return [
            self.item(f"plain{number}", value),
            self.item(f"short{number}", value, 5.0),
            self.item(f"stale{number}", value, 0.001, stale_for=500.0),
            replace(self.item(f"tagged{number}", value, tags=("t",))),
            self.item("again", value),
        ]

    async def _has_bound(self, entries: int | None, size: int | None) -> bool:
        found = self.bounded(self.clock, entries, size)
        if found is None:
            return False
        bounded = await made(found)
        await self.store.close()
        self.store = bounded
        self.store.clock = self.clock
        await self.store.open()
        return True
