"""What had been evicted, and then was deleted, came back after a crash: nobody minded the file that was still there."""

import asyncio
import errno
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from aiocache_kit import Config, FileConfig, Item, Provider, StorageError, new_provider
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.file import FileStorage, file_storage
from aiocache_kit.storage.file.directory import Directory

REMOVE = Directory.remove


def files(path: Path, *, max_entries: int = 10, sync_interval: float = 0.0) -> Provider:
    return new_provider(
        Config(provider="file", file_config=FileConfig(dir=path), sync_interval=sync_interval, max_entries=max_entries)
    )


def storage_of(path: Path, *, gathers: bool = False, max_entries: int | None = None) -> FileStorage:
    storage = file_storage(str(path), Codec(JsonSerializer()), gathers=gathers, max_entries=max_entries)
    assert isinstance(storage, FileStorage)
    return storage


def refuse(*_: object) -> None:
    """Stand in for a file system that has become read-only."""
    raise OSError(errno.EROFS, "Read-only file system")


def removals(cache: Provider) -> dict[str, Callable[[], Awaitable[object]]]:
    """Give the ways to take the key away."""
    return {
        "delete": lambda: cache.delete("user:7"),
        "delete_multi": lambda: cache.delete_multi(["user:7"]),
        "invalidate_prefix": lambda: cache.invalidate_prefix("user:"),
        "expire": lambda: cache.expire("user:7"),
        "clear": cache.clear,
    }


@pytest.mark.parametrize("how", ["delete", "delete_multi", "invalidate_prefix", "expire", "clear"])
async def test_a_crash_brings_back_nothing_that_was_evicted_while_writes_were_gathered(
    tmp_path: Path, how: str
) -> None:
    """When a removal returns, the file of the item is gone, and be the item evicted and the next flush far."""
    async with files(tmp_path / "files", max_entries=1) as cache:
        await cache.set("user:7", "old")

    async with files(tmp_path / "files", max_entries=1, sync_interval=3600.0) as cache:
        await cache.set("other", 1)  # evicts it
        await removals(cache)[how]()
        shutil.copytree(tmp_path / "files", tmp_path / "crashed")

    async with files(tmp_path / "crashed") as cache:
        assert await cache.get("user:7") is None


async def test_tags_are_heeded_until_nothing_of_them_is_left(tmp_path: Path) -> None:
    """What was evicted and invalidated stays dead after a crash, though the janitor has freed all that he knew of."""
    storage = storage_of(tmp_path / "files", gathers=True, max_entries=1)
    assert storage.tags is not None
    await storage.open()
    await storage.write(Item(key="old", value=1, tags=("tag",)))
    await storage.sync()
    await storage.write(Item(key="other", value=1))  # evicts it
    await storage.tags.invalidate(["tag"])
    await storage.tidy()
    shutil.copytree(tmp_path / "files", tmp_path / "crashed")
    await storage.close()

    after = storage_of(tmp_path / "crashed")
    await after.open()
    assert await after.read("old") is None
    await after.close()


@pytest.mark.parametrize("how", ["delete", "delete_multi", "invalidate_prefix", "expire"])
@pytest.mark.parametrize("sync_interval", [0.0, 3600.0])
async def test_who_deletes_what_could_not_be_evicted_hears_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, sync_interval: float
) -> None:
    """A file that the system refuses to remove is tried again by every removal of its key, and each one says so."""
    path = tmp_path / "files"
    async with files(path, max_entries=1) as cache:
        await cache.set("user:7", "old")

    async with files(path, max_entries=1, sync_interval=sync_interval) as cache:
        assert await cache.get("user:7") == "old"
        monkeypatch.setattr(Directory, "remove", refuse)
        await cache.set("other", 1)  # evicts it
        for _ in range(2):
            with pytest.raises(StorageError):
                await removals(cache)[how]()
        assert await cache.get("user:7") is None
        await cache.invalidate_prefix("another:")  # which has nothing to do with it
        monkeypatch.setattr(Directory, "remove", REMOVE)
        await removals(cache)[how]()
        shutil.copytree(path, tmp_path / "crashed")

    async with files(tmp_path / "crashed") as cache:
        assert await cache.get("user:7") is None


async def test_what_was_written_again_is_not_removed_for_what_was_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trying again to remove very many files removes none that has been written in the meantime."""
    keys = [f"key:{number}" for number in range(300)]
    storage = storage_of(tmp_path)
    await storage.open()
    await storage.write_multi(Item(key=key, value="old") for key in keys)
    monkeypatch.setattr(Directory, "remove", refuse)
    with pytest.raises(StorageError):
        await storage.clear("key:")
    monkeypatch.setattr(Directory, "remove", REMOVE)

    tidying = asyncio.create_task(storage.tidy())
    await asyncio.sleep(0)
    assert storage.is_busy
    await storage.write_multi(Item(key=key, value="new") for key in keys)
    await tidying

    assert {key: item.value for key, item in (await storage.read_multi(keys)).items()} == dict.fromkeys(keys, "new")
    await storage.close()


async def test_who_deletes_at_the_same_time_hears_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A removal of what somebody else is removing returns when the file is gone, or raises as his does."""
    async with files(tmp_path) as cache:
        await cache.set("key", "old")
        monkeypatch.setattr(Directory, "remove", refuse)
        both = await asyncio.gather(cache.delete("key"), cache.delete("key"), return_exceptions=True)
        assert [type(each) for each in both] == [StorageError, StorageError]
        assert await cache.get("key") == "old"
        monkeypatch.setattr(Directory, "remove", REMOVE)
        assert sum(await asyncio.gather(cache.delete("key"), cache.delete("key"))) == 1
