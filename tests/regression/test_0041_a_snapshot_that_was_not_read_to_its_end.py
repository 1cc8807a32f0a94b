"""A cache whose opening was cancelled wrote what it had read so far over the snapshot when it was closed."""

import asyncio
from pathlib import Path

from aiocache_kit.provider import Provider
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.snapshot import Snapshot


async def test_what_was_not_read_is_not_written_over(tmp_path: Path) -> None:
    """Closing after an opening that was cancelled leaves the snapshot as it is, and a later opening has it all."""
    path = tmp_path / "snapshot"
    async with Provider(memory_storage(snapshot=Snapshot(path))) as cache:
        await cache.set_multi({f"key {number}": number for number in range(100)})
    before = path.read_bytes()

    cache = Provider(memory_storage(snapshot=Snapshot(path)))
    opening = asyncio.create_task(cache.get("key 1"))
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    await cache.close()

    assert opening.cancelled()
    assert path.read_bytes() == before
    async with Provider(memory_storage(snapshot=Snapshot(path))) as cache:
        assert await cache.get("key 99") == 99
