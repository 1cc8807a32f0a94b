"""A load that had to wait for a table stored what it had found over what was added, in the same turn, before it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from aiocache_kit.provider import Provider
from aiocache_kit.storage.memory import memory_storage

Change = Callable[[Provider], Coroutine[Any, Any, object]]


async def load() -> str:
    return "loaded"


def changed(_: object) -> str:
    return "changed"


async def add(cache: Provider) -> None:
    assert await cache.add("key", "changed")


async def update(cache: Provider) -> None:
    assert await cache.update("key", changed, default=None) == "changed"


async def put(cache: Provider) -> None:
    await cache.set("key", "changed")


@pytest.mark.parametrize("change", [add, update, put])
async def test_what_was_changed_while_a_table_was_held_stays(change: Change) -> None:
    """Whoever changes a key while somebody clears a prefix is not overtaken by a load that waits behind him."""
    storage = memory_storage()
    async with Provider(storage) as cache:
        await cache.set("something", 1)
        async with storage.tables[0].exclusive():
            changing = asyncio.create_task(change(cache))
            await asyncio.sleep(0)
            loaded = asyncio.create_task(cache.get_or_set("key", load))
            for _ in range(10):
                await asyncio.sleep(0)

        await changing
        assert await loaded == "loaded"
        assert await cache.get("key") == "changed"
