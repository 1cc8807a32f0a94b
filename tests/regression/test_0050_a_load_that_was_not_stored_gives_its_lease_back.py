"""A lease was kept until its time was over where the loaded value could not be stored: others waited for nothing."""

from pathlib import Path

import pytest

from aiocache_kit import Provider, StorageUnavailableError
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.file import file_storage
from aiocache_kit.testing import FaultyStorage


def names(path: Path) -> list[str]:
    """Give the leases that lie in a directory."""
    return [file.name for file in path.glob("*/*.lease")]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_others_may_load_at_once(tmp_path: Path, *, after: bool) -> None:
    """Whoever has loaded a value that the storage refused lets go of the key."""
    storage = FaultyStorage(file_storage(str(tmp_path), Codec(JsonSerializer()), shared=True))
    async with Provider(storage) as cache:
        storage.fail(StorageUnavailableError, of=["write"], after=after, times=None)
        assert await cache.get_or_set("k", lambda: 1) == 1
        assert await cache.get_or_set("unfit", object) is not None
        assert await cache.get_or_set_multi(["a", "b"], lambda keys: dict.fromkeys(keys, 1)) == {"a": 1, "b": 1}
        assert names(tmp_path) == []


async def test_a_lease_that_cannot_be_given_back_costs_nobody_his_value(tmp_path: Path) -> None:
    """The value was loaded, so whoever asked has it, and the lease ends by itself."""
    storage = FaultyStorage(file_storage(str(tmp_path), Codec(JsonSerializer()), shared=True))
    async with Provider(storage) as cache:
        storage.fail(StorageUnavailableError, of=["write", "leases.drop"], times=None)
        assert await cache.get_or_set("k", lambda: 1) == 1
