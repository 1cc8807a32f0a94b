import asyncio
import gc
import threading

import pytest

from aiocache_kit import Provider, new_provider
from aiocache_kit.errors import StorageUnavailableError
from aiocache_kit.provider.readings import Readings, read_all
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FaultyStorage


async def in_a_thread(readings: Readings, patience: float = 5.0) -> None:
    """Read as a scraper does."""
    await asyncio.to_thread(read_all, [readings], patience)


async def test_another_thread_gets_the_figures_of_now() -> None:
    """Rule 1: the loop reads, the thread waits; a namespace has its own counters."""
    async with new_provider() as cache:
        whole, part = cache.readings(), cache.namespace("a").namespace("b").readings()
        await cache.set("k", 1)
        await cache.namespace("a").get("k")
        await asyncio.to_thread(read_all, [whole, part], 5.0)

        assert (whole.latest.stats.sets, whole.latest.stats.misses, whole.latest.stats.items) == (1, 1, 1)
        assert (part.namespace, part.latest.stats.misses) == ("a:b", 0)


@pytest.mark.blocking
async def test_a_busy_loop_is_not_waited_for() -> None:
    """Rule 1: the last figures are given where the loop does something else for longer than the caller waits."""
    async with new_provider() as cache:
        readings = cache.readings()
        await in_a_thread(readings)
        await cache.set("k", 1)
        thread = threading.Thread(target=read_all, args=([readings], 0.01))
        thread.start()
        thread.join()  # the loop stands still here
        assert readings.latest.stats.sets == 0
        await in_a_thread(readings)

        assert readings.latest.stats.sets == 1


async def test_on_the_loop_counters_are_those_of_now() -> None:
    """Rule 2: what needs no waiting is read at once, the rest after the next turns of the loop."""
    async with new_provider() as cache:
        readings = cache.readings()
        await cache.set("k", 1)
        read_all([readings], 5.0)
        assert (readings.latest.stats.sets, readings.latest.stats.items) == (1, 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert readings.latest.stats.items == 1
        assert (await readings.update()).stats.items == 1


async def test_what_is_not_open_is_not_opened() -> None:
    """Rule 3: figures of a provider that nobody used are zero, and those of a closed one stay."""
    cache = new_provider()
    readings = cache.readings()
    await in_a_thread(readings)
    assert (readings.latest.stats.sets, cache._core.ready) == (0, False)
    await cache.set("k", 1)
    await in_a_thread(readings)
    await cache.close()
    await in_a_thread(readings)
    await readings.update()

    assert readings.latest.stats.sets == 1


async def test_a_storage_that_fails_does_not_hide_the_counters() -> None:
    """Where the storage cannot be asked, its figures are those of before, and all others those of now."""
    storage = FaultyStorage(memory_storage())
    async with Provider(storage) as cache:
        readings = cache.readings()
        await cache.set("k", 1)
        await readings.update()
        storage.fail(StorageUnavailableError("down"), of=["size"], times=None)
        await cache.set("l", 1)
        await readings.update()
        storage.heal()

        assert (readings.latest.stats.sets, readings.latest.stats.items) == (2, 1)


def test_a_loop_that_is_gone_is_not_waited_for() -> None:
    """What was read last is given where the loop was closed without the provider."""

    async def use() -> tuple[Provider, Readings]:
        cache = new_provider()
        readings = cache.readings()
        await cache.set("k", 1)
        await readings.update()
        return cache, readings

    cache, readings = asyncio.run(use())
    read_all([readings], 600.0)  # more than a test may take

    assert readings.latest.stats.sets == 1
    assert not cache.closed


async def test_loads_are_counted_by_their_length() -> None:
    """The figures have a histogram of loads, namespaces included, also of those that are gone."""
    async with new_provider() as cache:
        for name in ("a", "b"):
            await cache.namespace(name).get_or_set("k", lambda: 1)
        gc.collect()
        await cache.get_or_set("k", lambda: 1)
        stats = (await cache.readings().update()).stats

        assert sum(stats.load_buckets) == stats.loads == 3
