import asyncio

import pytest

from aiocache_kit.errors import ProviderClosedError
from aiocache_kit.provider import Provider
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FaultyStorage


@pytest.mark.parametrize("over_tables", [True, False], ids=["tables", "another storage"])
async def test_nothing_is_taken_while_closing(*, over_tables: bool) -> None:
    """As soon as `close` was called every call raises, also while loads and storage still need time to end."""
    leave = asyncio.Event()

    async def load() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            await leave.wait()
        return "never"

    memory = memory_storage()
    cache = Provider(memory if over_tables else FaultyStorage(memory))
    await cache.set("key", 1)
    loading = asyncio.create_task(cache.get_or_set("other", load))
    await asyncio.sleep(0)
    closing = asyncio.create_task(cache.close())
    await asyncio.sleep(0)
    assert cache.closed
    for call in (cache.get("key"), cache.set("key", 2), cache.delete("key"), cache.get_multi(["key"])):
        with pytest.raises(ProviderClosedError):
            await call
    leave.set()
    await closing

    with pytest.raises(ProviderClosedError):
        await loading
