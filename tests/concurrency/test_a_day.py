"""A day of all kinds of calls, on a clock turned by hand, leaves nothing in any table."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from aiocache_kit import Provider
from aiocache_kit.storage.distributed import DistributedStorage
from aiocache_kit.storage.layered import LayeredStorage
from aiocache_kit.storage.tables import TableStorage
from aiocache_kit.testing import FakeClock, FaultyStorage
from tests.concurrency.quiet import is_quiet
from tests.concurrency.subjects import MADE_OF_OTHERS, STORAGES
from tests.property.table_invariants import in_buckets

STEP = 120.0
STEPS = 24 * 30
LONGEST = 900.0
"""Seconds that anything here lives, with the time for which it may be stale."""

LIVED_IN = ["memory", "slow memory", "lru", "dict", "layered", "three nodes, two copies"]


class DownError(Exception):
    """What a source raises."""


async def a_minute(cache: Provider, number: int) -> None:
    """Make calls of all kinds: of keys that come again, and of names that never do."""
    key, tag = f"k{number % 50}", f"t{number}"
    policy: dict[str, Any] = {"stale_while_revalidate": 300, "refresh_ahead": 0.8, "jitter": 0.1, "tags": [tag]}
    await cache.set(f"once {number}", number, ttl=LONGEST, tags=[tag, "all"])
    assert await cache.get_or_set(key, lambda: number, 120, **policy) is not None
    with suppress(DownError):
        await cache.get_or_set(f"down {number % 70}", down, 120, negative_ttl=90, stale_if_error=300)
    assert await cache.increment("visits", ttl=600) > 0
    await cache.update(f"changed {number}", lambda old: old + 1, default=0, ttl=30)
    async with cache.lock(f"lock {number}", timeout=1):
        await cache.namespace(f"n{number % 7}").set("k", number, ttl=200, tags=[tag])
    assert (await cache.rate_limiter("calls", 100, max_keys=10).try_acquire(f"caller {number}")).allowed
    loading = asyncio.create_task(cache.get_or_set(f"left {number}", asyncio.Event().wait))
    await asyncio.sleep(0)
    loading.cancel()
    await asyncio.wait([loading])
    if number % 3 == 0:
        await cache.invalidate_tags(f"t{number - 2}", tag)
    if number % 100 == 0:
        await cache.namespace("n3").clear()


async def down() -> object:
    """Be a source that is down."""
    raise DownError


@pytest.mark.parametrize("make", LIVED_IN, indirect=True)
async def test_nothing_is_left_of_a_day(make: Any) -> None:  # noqa: ANN401  - as the fixture says
    """Items, tags, errors, locks, loads and timers of 24 hours are all gone when the last of them has ended."""
    clock = FakeClock()
    storage = make()
    async with Provider(storage, clock=clock, cleanup_interval=30.0) as cache:
        await clock.settle()
        at_first = clock.sleepers
        for number in range(STEPS):
            await a_minute(cache, number)
            await clock.advance(STEP)
        await clock.advance(2 * LONGEST)
        await is_quiet(cache, clock)

        core = cache._core
        assert (len(core.failures), len(core.tagging.marks)) == (0, 0)
        assert (len(core.background), len(core.background.keys)) == (0, 0)
        assert clock.sleepers <= at_first + 3  # the time limits of what tidies three nodes at this moment
        assert (await storage.size()).items == 0
        for table in tables_of(storage):
            assert (len(table.index), table.bytes, in_buckets(table._expiry)) == (0, 0, {})
            assert (table.extras, table.versions, table.validators) == ({}, {}, {})
            assert table.slots() < 400  # what was ever there at once, and not what ever was there


def tables_of(storage: Any) -> list[Any]:  # noqa: ANN401  - of any kind
    """Give the tables that a storage is made of."""
    if isinstance(storage, FaultyStorage):
        return tables_of(storage.inner)
    if isinstance(storage, TableStorage):
        return list(storage.tables)
    inner: list[Any] = []
    if isinstance(storage, LayeredStorage):
        inner = [storage._lowest.storage, *(near.storage for near in storage._copies.nears)]
    if isinstance(storage, DistributedStorage):
        inner = [member.storage for member in storage._nodes.members.values()]
    return [table for each in inner for table in tables_of(each)]


assert set(LIVED_IN) - {"slow memory"} <= set(STORAGES) | set(MADE_OF_OTHERS)
