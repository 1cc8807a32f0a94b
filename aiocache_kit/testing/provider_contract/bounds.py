"""Checks of a provider: a bound holds after each call, whatever the calls are.

Rule: who says to be bounded has to give a storage with bounds (`bounded`). Who does not say so has none to give.
"""

from typing import TYPE_CHECKING, Final

from aiocache_kit.errors import ValueTooLargeError
from aiocache_kit.testing.contract import made, together
from aiocache_kit.testing.provider_contract.case import ProviderCase, Source

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiocache_kit.provider import Provider

ENTRIES: Final = 48
SIZE: Final = 100_000


class Bounds(ProviderCase):
    """Bounds in entries and in bytes, under a mixed load."""

    async def test_a_bound_is_told(self) -> None:
        """A storage that has a bound of any kind says so, and no other does."""
        found = [self.bounded(self.clock, ENTRIES, None), self.bounded(self.clock, None, SIZE)]
        those = [await made(each) for each in found if each is not None]

        assert bool(those) or not self.cache.capabilities.bounded
        for each in those:
            cache = self.over(each, self.clock)
            await cache.set("k", 1)
            assert cache.capabilities.bounded
            assert await cache.get("k") == 1
            await cache.close()

    async def test_a_bound_in_entries_holds(self) -> None:
        """Under calls of all kinds, one by one and at once, there are never more items than the bound allows."""
        if not await self._has_bound(ENTRIES, None):
            return
        for number in range(60):
            await self._call(number)
            if number % 15 == 14:
                await self.pass_time(2.0)
            assert (await self.cache.stats()).items <= ENTRIES, number
        await together(*(self.cache.set(f"t{number}", number) for number in range(2 * ENTRIES)))
        await self.cache.set_multi({f"m{number}": number for number in range(3 * ENTRIES)})
        stats = await self.cache.stats()

        assert ENTRIES / 2 <= stats.items <= ENTRIES
        assert stats.evictions > 0
        assert len(await self.found()) <= ENTRIES

    async def test_a_bound_in_bytes_holds(self) -> None:
        """The same for bytes, with values of many sizes."""
        if not await self._has_bound(None, SIZE):
            return
        for number in range(60):
            await self._call(number, "x" * (50 + 150 * number))
            assert (await self.cache.stats()).size <= SIZE, number
        await together(*(self.cache.set(f"t{number}", "x" * 10_000) for number in range(30)))
        stats = await self.cache.stats()

        assert SIZE / 4 <= stats.size <= SIZE
        assert stats.evictions > 0

    async def test_what_is_larger_than_the_bound_is_refused(self) -> None:
        """It is a `ValueTooLargeError`, and what was there stays; a loaded value is given and not stored."""
        if not await self._has_bound(None, SIZE):
            return
        large = "x" * SIZE
        await self.cache.set("k", "small")
        version = (await self.cache.get_item("k")).version
        await self.refuses(
            ValueTooLargeError,
            self.cache.set("k", large),
            self.cache.replace("k", large),
            self.cache.compare_and_set("k", large, version),
            self.cache.add("new", large),
            self.cache.set_multi({"new": large}),
            self.cache.update("k", lambda _: large),
        )
        assert await self.cache.get_or_set("loaded", Source(large).load) == large

        assert await self.found() == {"k"}
        assert await self.holds("k", "small")

    async def _call(self, number: int, value: object = "v") -> None:
        """Write in one of many ways."""
        cache, key = self.cache, f"k{number}"
        ways: list[Callable[[], Awaitable[object]]] = [
            lambda: cache.set(key, value),
            lambda: cache.add(key, value),
            lambda: cache.set_multi({f"{key}:{each}": value for each in range(12)}),
            lambda: cache.increment(key),
            lambda: cache.get_or_set(key, Source(value).load),
            lambda: cache.get_or_set_multi([f"{key}:{each}" for each in range(9)], lambda keys: dict.fromkeys(keys, 1)),
            lambda: cache.update(key, lambda _: value, default=0),
            lambda: cache.set(key, value, 1, tags=["t"]),
            lambda: cache.namespace("n").set(key, value),
            lambda: cache.get_or_set(key, Source(value).load, 1, stale_if_error=600),
            lambda: cache.expire(f"k{number - 1}"),
            lambda: cache.touch(f"k{number - 9}", 500),
            lambda: cache.replace("k0", value),
            lambda: cache.invalidate_tags("t") if number % 2 else cache.delete(f"k{number - 5}"),
        ]
        await ways[number % len(ways)]()

    async def _has_bound(self, entries: int | None, size: int | None) -> bool:
        found = self.bounded(self.clock, entries, size)
        if found is None:
            return False
        await self.cache.close()
        self.cache: Provider = self.over(await made(found), self.clock)
        return True
