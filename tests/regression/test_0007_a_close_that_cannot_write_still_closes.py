from pathlib import Path

import pytest

from aiocache_kit.errors import ProviderClosedError, StorageError
from aiocache_kit.provider import Provider
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.snapshot import Snapshot


async def test_a_close_that_cannot_write_still_closes(tmp_path: Path) -> None:
    """Where the snapshot cannot be written `close` says so, and holds nothing any more, for saved methods neither."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    storage = memory_storage(snapshot=Snapshot(tmp_path / "snapshot"))
    cache = Provider(storage)
    await cache.set("key", "value")
    storage._snapshot = Snapshot(file / "below a file")
    get = cache.get
    with pytest.raises(StorageError, match="cannot be written"):
        await cache.close()

    for read in (get, cache.get):
        with pytest.raises(ProviderClosedError):
            await read("key")
    assert (await storage.size()).items == 0


async def test_a_second_close_of_a_storage_keeps_its_snapshot(tmp_path: Path) -> None:
    """Closing a storage twice does not write an empty snapshot over the one that the first close wrote."""
    storage = memory_storage(snapshot=Snapshot(tmp_path / "snapshot"))
    async with Provider(storage) as cache:
        await cache.set("key", "value")
    await storage.close()

    async with Provider(memory_storage(snapshot=Snapshot(tmp_path / "snapshot"))) as cache:
        assert await cache.get("key") == "value"
