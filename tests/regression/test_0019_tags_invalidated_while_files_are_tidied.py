"""A tag that was invalidated while a file storage freed what other tags had killed was forgotten with those."""

import asyncio
from pathlib import Path

from aiocache_kit import Item
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.file import FileStorage, file_storage


async def test_an_invalidation_during_the_janitors_round_stays(tmp_path: Path) -> None:
    """What is invalidated while the janitor removes files is dead, also when no version was given meanwhile."""
    storage = file_storage(str(tmp_path), Codec(JsonSerializer()))
    assert isinstance(storage, FileStorage)
    assert storage.tags is not None
    await storage.open()
    await storage.write(Item(key="a", value=1, tags=("first",)))
    await storage.write(Item(key="b", value=2, tags=("second",)))
    await storage.tags.invalidate(["first"])

    tidying = asyncio.create_task(storage.tidy())
    await asyncio.sleep(0)
    assert storage.is_busy  # the file of "a" is being removed
    await storage.tags.invalidate(["second"])
    await tidying

    assert await storage.read("b") is None
    await storage.close()
