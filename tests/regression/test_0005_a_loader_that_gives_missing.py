import asyncio

import pytest

from aiocache_kit import MISSING
from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.provider import Provider
from aiocache_kit.storage.memory import memory_storage


async def test_a_loader_that_gives_missing() -> None:
    """`MISSING` is no value: a loader that gives it is told so after one call, and not called for ever."""
    calls = 0

    async def load() -> object:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        return MISSING

    async with Provider(memory_storage()) as cache, asyncio.timeout(5):
        with pytest.raises(InvalidArgumentError, match="MISSING"):
            await cache.get_or_set("key", load)

        assert calls == 1
        assert not await cache.exists("key")


async def test_a_loader_of_many_that_gives_missing() -> None:
    """What a loader of many gives as `MISSING` is left out, as what it does not give at all."""

    async def load(keys: list[str]) -> dict[str, object]:
        await asyncio.sleep(0)
        return {key: MISSING if key == "b" else key for key in keys}

    async with Provider(memory_storage()) as cache:
        assert await cache.get_or_set_multi(["a", "b", "c"], load) == {"a": "a", "c": "c"}
        assert not await cache.exists("b")
