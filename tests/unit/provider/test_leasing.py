"""Leases that cannot be given back: whose load it was gets what came of it, and nothing is left running."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aiocache_kit import Provider
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.base import ELSEWHERE
from aiocache_kit.storage.file import file_storage
from aiocache_kit.testing import FaultyStorage


class RefusedError(Exception):
    """What a source raises."""


async def failing() -> object:
    """Fail as a source does."""
    raise RefusedError


@pytest.fixture
async def storage(tmp_path: Path) -> FaultyStorage:
    """A storage with leases."""
    return FaultyStorage(file_storage(str(tmp_path), Codec(JsonSerializer()), shared=True))


@pytest.fixture
async def cache(storage: FaultyStorage) -> AsyncIterator[Provider]:
    """A provider over it."""
    async with Provider(storage) as provider:
        yield provider


async def test_the_error_of_a_loader_stays_what_it_is(cache: Provider, storage: FaultyStorage) -> None:
    """A lease that cannot be given back hides from nobody why the load failed."""
    storage.fail(of=["leases.drop"])
    with pytest.raises(RefusedError):
        await cache.get_or_set("k", failing)
    assert storage.calls.count("leases.drop") == 1


async def test_a_value_that_cannot_be_stored_is_given(cache: Provider, storage: FaultyStorage) -> None:
    """Nor does it keep a loaded value from whoever waits for it."""
    calls: dict[str, Any] = {
        "one": lambda: cache.get_or_set("k", lambda: "loaded"),
        "many": lambda: cache.get_or_set_multi(["a", "b"], lambda keys: dict.fromkeys(keys, "loaded")),
    }
    for name, expected in (("one", "loaded"), ("many", {"a": "loaded", "b": "loaded"})):
        storage.fail(of=["write", "write_multi"], times=None)
        storage.fail(of=["leases.drop"], times=None)
        assert await calls[name]() == expected
        storage.heal()


async def test_one_that_cannot_be_given_back_keeps_no_other(
    cache: Provider, storage: FaultyStorage, tmp_path: Path
) -> None:
    """Of several leases the others are given back all the same: another process may load their keys at once."""

    async def fail(keys: list[str]) -> dict[str, object]:
        del keys
        raise RefusedError

    storage.fail(of=["leases.drop"])
    with pytest.raises(RefusedError):
        await cache.get_or_set_multi(["a", "b", "c"], fail)
    other = file_storage(str(tmp_path), Codec(JsonSerializer()), shared=True)
    await other.open()
    assert other.leases is not None
    grants = await other.leases.take(["a", "b", "c"])
    await other.close()

    assert list(grants.values()).count(ELSEWHERE) == 1
