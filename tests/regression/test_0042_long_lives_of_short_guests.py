"""Entries that were evicted long before their end left something behind, each in a second of its own, until then."""

from random import Random

from aiocache_kit.storage.memory import memory_storage

MONTH = 30 * 86_400.0


async def test_a_small_cache_of_long_lives_stays_small() -> None:
    """However many entries with a month to live come and go, what a table keeps to find their ends is bounded."""
    storage, random = memory_storage(max_entries=10), Random(1)  # noqa: S311  - seeded, to repeat a run
    for number in range(10_000):
        storage.put(f"key {number}", number, MONTH * random.uniform(0.8, 1.0))

    assert len(storage.tables[0]._expiry._order) < 200
