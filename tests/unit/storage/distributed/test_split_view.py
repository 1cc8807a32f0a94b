"""Processes with different lists of nodes: what holds for both, and how far a removal of one reaches."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from aiocache_kit import Node, Provider, StorageUnavailableError
from aiocache_kit.storage.distributed import DistributedStorage
from aiocache_kit.testing import FakeClock
from tests.unit.storage.distributed.cluster import Server

KEYS = [f"user:{number}" for number in range(200)]


class View:
    """One process, and the nodes that it knows of."""

    def __init__(self, servers: dict[str, Server], names: str, clock: FakeClock, replicas: int) -> None:
        self.storage = DistributedStorage([Node(name, servers[name]) for name in names], replicas=replicas)
        self.cache = Provider(self.storage, clock=clock)

    def owners(self, key: str) -> set[str]:
        """Give the names of the nodes that have `key` as this process sees it."""
        return {member.name for member in self.storage._nodes.owners(key)}


@asynccontextmanager
async def split(replicas: int) -> AsyncGenerator[tuple[View, View, dict[str, Server]]]:
    """Give two processes, of which the second does not know the node "d"."""
    clock = FakeClock()
    servers = {name: Server() for name in "abcd"}
    one, other = (View(servers, names, clock, replicas) for names in ("abcd", "abc"))
    async with one.cache, other.cache:
        yield one, other, servers


@pytest.mark.parametrize("replicas", [1, 2])
async def test_what_lists_agree_about_is_one_cache(replicas: int) -> None:
    """Only keys of the node that one does not know lie elsewhere for him; changes of all others are seen by both."""
    async with split(replicas) as (one, other, _):
        agreed = [key for key in KEYS if one.owners(key) == other.owners(key)]
        assert {key for key in KEYS if "d" in one.owners(key)} == set(KEYS) - set(agreed)
        assert len(agreed) > len(KEYS) * (1 - 1.5 * replicas / 4)
        await one.cache.set_multi(dict.fromkeys(KEYS, "old"))
        assert await other.cache.get_multi(agreed) == dict.fromkeys(agreed, "old")
        await other.cache.set_multi(dict.fromkeys(agreed[::2], "new"))
        await other.cache.delete_multi(agreed[1::2])

        assert await one.cache.get_multi(agreed) == dict.fromkeys(agreed[::2], "new")


@pytest.mark.parametrize("replicas", [1, 2])
async def test_a_removal_reaches_all_owners_that_its_process_knows(replicas: int) -> None:
    """None of them has the key afterwards, and whoever asks one of them gets nothing; what the rest has, stays."""
    async with split(replicas) as (one, other, servers):
        await one.cache.set_multi(dict.fromkeys(KEYS, "old"))
        for key in KEYS:
            await other.cache.delete(key)
            left = {name for name, server in servers.items() if await server.inner.read(key) is not None}
            assert left == one.owners(key) - other.owners(key)
            assert await other.cache.get(key) is None

        await other.storage.add_node(Node("d", servers["d"]))
        assert await one.cache.get_multi(KEYS) == await other.cache.get_multi(KEYS) == {}


async def test_a_removal_that_reaches_none_of_them_is_told() -> None:
    """It raises, even where a node that only others know of could have done it."""
    async with split(1) as (one, other, servers):
        key = next(key for key in KEYS if one.owners(key) == {"d"})
        await one.cache.set(key, "old")
        servers[next(iter(other.owners(key)))].fail(times=None)
        with pytest.raises(StorageUnavailableError):
            await other.cache.delete(key)
        for server in servers.values():
            server.heal()
