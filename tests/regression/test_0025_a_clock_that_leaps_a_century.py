"""Sweeping went on for ever once 68 years had passed: what lived on was put where it was found again at once."""

from aiocache_kit import Provider
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock

CENTURY = 100 * 365 * 86_400.0


async def test_sweeping_ends_and_goes_on_in_a_hundred_years() -> None:
    """What was written before and after a leap of a century is kept as long as it lives, and freed in time."""
    clock = FakeClock()
    async with Provider(memory_storage(), clock=clock) as cache:
        await cache.set("before", 1, 2 * CENTURY)
        await cache.set("dies", 1, 60)
        clock.leap(CENTURY)
        await cache.set("after", 1, 60)
        await clock.advance(10)

        assert await cache.get_multi(["before", "after"]) == {"before": 1, "after": 1}
        assert (await cache.stats()).items == 2
        await clock.advance(60)
        assert (await cache.stats()).items == 1
        clock.leap(CENTURY)
        await clock.advance(10)
        assert (await cache.stats()).items == 0
