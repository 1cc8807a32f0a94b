"""A delete that failed put an older value in the place of one that was gathered and acknowledged."""

import asyncio
import errno
from pathlib import Path

import pytest

from aiocache_kit import Item, StorageError
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.file import FileStorage, file_storage
from aiocache_kit.storage.file.directory import Directory

REMOVE = Directory.remove


def storage_of(path: Path, *, gathers: bool = True) -> FileStorage:
    storage = file_storage(str(path), Codec(JsonSerializer()), gathers=gathers)
    assert isinstance(storage, FileStorage)
    return storage


def refuse(*_: object) -> None:
    """Stand in for a file system that has become read-only."""
    raise OSError(errno.EROFS, "Read-only file system")


async def test_the_newest_value_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was gathered is there after a removal that failed, with its version and its tags, and is written later."""
    storage = storage_of(tmp_path)
    await storage.open()
    await storage.write(Item(key="key", value="v0"))
    await storage.sync()
    await storage.write(Item(key="key", value="v1", ttl=100.0, tags=("tag",)))
    before = await storage.read("key")
    assert before is not None

    monkeypatch.setattr(Directory, "remove", refuse)
    with pytest.raises(StorageError):
        await storage.remove("key")
    after = await storage.read("key")
    assert after is not None
    assert (after.value, after.version, after.ttl, after.tags) == ("v1", before.version, 100.0, ("tag",))

    monkeypatch.setattr(Directory, "remove", REMOVE)
    await storage.close()
    again = storage_of(tmp_path)
    await again.open()
    item = await again.read("key")
    assert item is not None
    assert item.value == "v1"
    await again.close()


async def test_new_dates_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A touch that was gathered has not been for nothing after a removal that failed."""
    storage = storage_of(tmp_path)
    await storage.open()
    await storage.write(Item(key="key", value="v0", ttl=100.0))
    await storage.sync()
    await storage.touch(Item(key="key", value=None, ttl=1000.0))
    touched = await storage.read("key")
    assert touched is not None
    assert touched.expiration is not None

    monkeypatch.setattr(Directory, "remove", refuse)
    with pytest.raises(StorageError):
        await storage.remove("key")
    monkeypatch.setattr(Directory, "remove", REMOVE)
    await storage.sync()
    item = await storage.read("key")
    assert item is not None
    assert item.value == "v0"
    assert item.expiration == pytest.approx(touched.expiration)
    await storage.close()


async def test_an_older_removal_brings_nothing_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a later removal of the key succeeds, one that failed before it does not put back what it took."""
    storage = storage_of(tmp_path)
    await storage.open()
    refused = iter([True, False])

    def refuse_once(directory: Directory, subdirectory: str, name: str) -> None:
        if next(refused):
            raise OSError(errno.EROFS, "Read-only file system")
        REMOVE(directory, subdirectory, name)

    monkeypatch.setattr(Directory, "remove", refuse_once)
    await storage.write(Item(key="key", value="v1"))
    first = asyncio.create_task(storage.remove("key"))
    await asyncio.sleep(0)
    await storage.write(Item(key="key", value="v2"))
    assert await storage.remove("key")
    with pytest.raises(StorageError):
        await first

    assert await storage.read("key") is None
    await storage.close()


async def test_a_write_that_a_removal_takes_the_place_of_hears_that_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that his value was stored, and then deleted, where the old one stays."""
    storage = storage_of(tmp_path, gathers=False)
    await storage.open()
    await storage.write(Item(key="key", value="v0"))
    monkeypatch.setattr(Directory, "remove", refuse)
    # The first one is on its way when the others come, so that the thread has not begun with the second one.
    done = await asyncio.gather(
        storage.write(Item(key="other", value=1)),
        storage.write(Item(key="key", value="v1")),
        storage.remove("key"),
        return_exceptions=True,
    )

    assert done[0] is True
    assert [type(each) for each in done[1:]] == [StorageError, StorageError]
    item = await storage.read("key")
    assert item is not None
    assert item.value == "v0"
    monkeypatch.setattr(Directory, "remove", REMOVE)
    await storage.close()
