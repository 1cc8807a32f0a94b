"""With `isolation="copy"`, those who waited for one load were given one object, and saw one another's changes."""

import asyncio
from collections.abc import Sequence
from threading import Lock

from aiocache_kit import Config, MemoryConfig, new_provider

COPIES = Config(memory_config=MemoryConfig(isolation="copy"))


async def test_who_waits_for_a_load_gets_a_copy_of_his_own() -> None:
    """One key and many: what one does to his value is not seen by another."""

    async def one() -> list[str]:
        await asyncio.sleep(0)
        return []

    async def many(keys: Sequence[str]) -> dict[str, list[str]]:
        await asyncio.sleep(0)
        return {key: [] for key in keys}

    async with new_provider(COPIES) as cache:
        found = await asyncio.gather(*(cache.get_or_set("k", one) for _ in range(3)))
        each = await asyncio.gather(*(cache.get_or_set_multi(["a", "b"], many) for _ in range(3)))
        found[0].append("mine")
        each[0]["a"].append("mine")
        assert found[1:] == [[], []]
        assert [other["a"] for other in each[1:]] == [[], []]
        assert await cache.get("k") == await cache.get("a") == []


async def test_what_cannot_be_copied_is_given_as_it_is() -> None:
    """It is stored for nobody, and those who wait for it have it."""

    async def load() -> object:
        await asyncio.sleep(0)
        return Lock()

    async with new_provider(COPIES) as cache:
        first, second = await asyncio.gather(*(cache.get_or_set("k", load) for _ in range(2)))
        assert first is second
        assert await cache.get("k") is None
