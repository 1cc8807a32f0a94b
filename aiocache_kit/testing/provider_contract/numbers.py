"""Checks of a provider: whole numbers, near and beyond the edges of what machines count in."""

from typing import Final

from aiocache_kit.errors import SerializationError
from aiocache_kit.testing.provider_contract.case import ProviderCase

EDGES: Final = tuple(
    sign * (edge + off)
    for edge in (2**31, 2**53, 10**15, 10**17, 10**18, 10**19 // 2, 2**62, 2**63, 2**64)
    for off in (-1, 0)
    for sign in (1, -1)
)


class Numbers(ProviderCase):
    """increment and decrement where numbers are large."""

    async def test_large_numbers_are_exact(self) -> None:
        """A sum is exact, or refused, and then the counter stays as it was."""
        for edge in EDGES:
            for delta in (1, -1):
                await self.cache.delete("k")
                try:
                    await self.cache.increment("k", 0, initial=edge)
                except SerializationError:
                    assert await self.lacks("k"), edge
                    continue
                assert await self.holds("k", edge), edge
                await self._add(edge, delta)

    async def test_large_steps_are_exact(self) -> None:
        """The same for steps as large as that, from a value that was set."""
        for edge in EDGES:
            await self.cache.set("k", 7)
            await self._add(self.kept(7, 0), edge)

    async def test_counter_is_born_with_what_is_said(self) -> None:
        """A counter lives for the default ttl, the one that is given, or for ever, and has no tags and no cost."""
        await self.cache.increment("default")
        await self.cache.decrement("short", ttl=5)
        await self.cache.increment("ever", ttl=None)
        now = self.clock.time()
        for key, seconds in (("default", 600.0), ("short", 5.0), ("ever", None)) if self.stores else ():
            item = await self.cache.get_item(key)
            assert (item.tags, item.cost, item.ttl is None) == ((), None, seconds is None), key
            assert abs((item.expiration or now) - now - (seconds or 0.0)) < 0.5, key
        await self.pass_time(6.0)
        assert await self.found() == self.those(["default", "ever"])
        await self.pass_time(600.0)

        assert await self.found() == self.those(["ever"])

    async def test_counter_and_value_are_one(self) -> None:
        """A counter may be set, compared, replaced and popped like any value, and counted on after it."""
        await self.cache.increment("k", 5)
        version = (await self.cache.get_item("k")).version if self.stores else 1
        await self.cache.increment("k")
        assert await self.cache.compare_and_set("k", 1, version) is False
        assert await self.cache.replace("k", 10) is self.stores
        assert await self.cache.increment("k") == self.kept(11, 1)
        assert await self.cache.update("k", lambda old: old * 2, default=0) == self.kept(22, 0)
        assert await self.cache.decrement("k", 2) == self.kept(20, -2)
        assert await self.cache.pop("k") == self.kept(20, None)

        assert await self.cache.increment("k") == 1

    async def _add(self, old: int, delta: int) -> None:
        try:
            total = await self.cache.increment("k", delta)
        except SerializationError:
            assert await self.holds("k", self.kept(old, 0)), (old, delta)
        else:
            assert total == self.kept(old, 0) + delta, (old, delta)
            assert await self.holds("k", total), (old, delta)
