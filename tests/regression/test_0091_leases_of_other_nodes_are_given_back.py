"""Leases stayed on the nodes of a ring that had given them, where another node failed or the caller was cancelled.

Everybody who asked for those keys waited until the leases were over, though nobody loaded.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aiocache_kit import StorageUnavailableError
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.distributed import DistributedStorage, Node
from aiocache_kit.storage.file import file_storage
from aiocache_kit.testing import FaultyStorage

KEYS = [f"k{each}" for each in range(20)]


def leases(path: Path) -> list[str]:
    """Give the leases that lie in a directory."""
    return [file.name for file in path.glob("*/*.lease")]


@asynccontextmanager
async def ring(path: Path, *nodes: str) -> AsyncGenerator[tuple[DistributedStorage, list[FaultyStorage]]]:
    """Open nodes that are directories."""
    codec = Codec(JsonSerializer())
    storages = [FaultyStorage(file_storage(str(path / name), codec, shared=True)) for name in nodes]
    storage = DistributedStorage([Node(name, each) for name, each in zip(nodes, storages, strict=True)])
    await storage.open()
    try:
        yield storage, storages
    finally:
        await storage.close()


async def test_one_node_fails(tmp_path: Path) -> None:
    """Who gets an error holds no lease."""
    async with ring(tmp_path, "one", "two", "three") as (storage, nodes):
        assert storage.leases is not None
        nodes[1].fail(StorageUnavailableError, of=["leases.take"])
        nodes[2].fail(StorageUnavailableError, of=["leases.drop"])
        with pytest.raises(StorageUnavailableError):
            await storage.leases.take(KEYS)

        assert leases(tmp_path / "one") == []
        again = await storage.leases.take([key for key in KEYS if storage._nodes.owners(key)[0].name == "one"])
        assert all(grant.lease for grant in again.values())


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
async def test_the_caller_is_cancelled(tmp_path: Path, *, twice: bool) -> None:
    """Who leaves while one node has given leases, and another one has not answered, holds none of them."""
    async with ring(tmp_path, "one", "two") as (storage, nodes):
        assert storage.leases is not None
        granted = nodes[0].hold(of=["leases.take"], after=True)
        nodes[1].hold(of=["leases.take"])
        dropping = nodes[0].hold(of=["leases.drop"])
        taking = asyncio.create_task(storage.leases.take(KEYS))
        await granted.reached.wait()
        granted.open()
        for _ in range(10):
            await asyncio.sleep(0)  # the first node has answered by then
        assert leases(tmp_path / "one")
        taking.cancel()
        await asyncio.wait_for(dropping.reached.wait(), 5)
        if twice:
            taking.cancel()
        dropping.open()
        with pytest.raises(asyncio.CancelledError):
            await taking
        await storage._errands.close()

        assert leases(tmp_path) + leases(tmp_path / "one") + leases(tmp_path / "two") == []
