"""A directory in use, a lock given back after `close`, or a directory not to be looked at left something open."""

import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest

from aiocache_kit import LockLostError, Provider, StorageUnavailableError
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.file import directory, file_storage
from tests.concurrency.quiet import nothing_stays


def files(path: Path, *, shared: bool = False) -> Storage:
    """Make a storage in a directory."""
    return file_storage(str(path), Codec(JsonSerializer()), shared=shared)


async def test_a_directory_in_use_leaves_no_thread(tmp_path: Path) -> None:
    """Whoever is refused the directory of somebody else keeps nothing."""
    owner = files(tmp_path)
    async with Provider(owner) as cache:
        await cache.set("k", 1)
        for shared in (False, True):
            storage = files(tmp_path, shared=shared)
            async with nothing_stays(storage, storage.clock) as other:
                with pytest.raises(StorageUnavailableError):
                    await other.set("k", 2)
                await other.close()


async def test_a_lock_that_ends_after_the_close_leaves_no_thread(tmp_path: Path) -> None:
    """It is too late to give it back: the holder is told that it is lost, and no thread is begun for that and kept."""
    storage = files(tmp_path, shared=True)
    async with nothing_stays(storage, storage.clock) as cache:
        with pytest.raises(LockLostError):
            async with cache.lock("k", 60):
                await cache.close()


async def test_a_directory_that_cannot_be_looked_at_is_not_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system does not tell of one of its directories costs no descriptor, and a ping an error of ours."""

    class System:
        refuses = False

        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

        def fstat(self, descriptor: int) -> os.stat_result:
            if self.refuses:
                raise OSError(errno.EIO, "as ordered")
            return os.fstat(descriptor)

    system = System()
    monkeypatch.setattr(directory, "os", system)
    storage = files(tmp_path)
    async with nothing_stays(storage, storage.clock) as cache:
        await cache.set("k", 1)
        system.refuses = True
        with pytest.raises(StorageUnavailableError):
            await cache.ping()
        for number in range(20):
            with suppress(StorageUnavailableError):  # a directory that is open already is not looked at
                await cache.set(f"k{number}", 1)
        system.refuses = False
        await cache.close()
