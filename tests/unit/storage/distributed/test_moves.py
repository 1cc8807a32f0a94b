"""Nodes that are added, removed and given other weights: only their share moves, and nothing of before comes back."""

import pytest

from aiocache_kit import new_storage
from aiocache_kit.errors import InvalidArgumentError, StorageUnavailableError
from aiocache_kit.storage.distributed import DistributedStorage, Node
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FaultyStorage
from tests.unit.storage.distributed.cluster import Cluster

KEYS = [f"k{each}" for each in range(600)]


async def filled(cluster: Cluster) -> None:
    """Write all keys."""
    await cluster.storage.write_multi([cluster.item(key, "old") for key in KEYS])


def new_node() -> FaultyStorage:
    """Make the storage of another node."""
    return FaultyStorage(memory_storage(max_entries=10_000))


async def test_a_new_node_takes_its_share_and_nothing_else_is_lost() -> None:
    """With one copy, what moves to the new node is missing, at most its share; all else is where it was."""
    async with Cluster() as cluster:
        await filled(cluster)
        await cluster.storage.add_node(Node("new", new_node()))
        found = await cluster.storage.read_multi(KEYS)

        assert (len(KEYS) - len(found)) / len(KEYS) <= 1.3 / 4
        assert all("new" in [member.name for member in cluster.members(key)] for key in set(KEYS) - set(found))


async def test_with_copies_a_move_loses_nothing() -> None:
    """With two copies, everything can be read while a node comes and while it goes, and both copies are there again."""
    async with Cluster(replicas=2) as cluster:
        await filled(cluster)
        node = new_node()
        cluster.nodes["new"] = node
        await cluster.storage.add_node(Node("new", node))
        assert len(await cluster.storage.read_multi(KEYS)) == len(KEYS)
        await cluster.clock.advance(1.0)
        assert {key async for key in node.inner.scan()} == {key for key in KEYS if node in cluster.owners(key)}
        assert len(await cluster.storage.read_multi(KEYS)) == len(KEYS)
        await cluster.storage.tidy()
        for other in cluster.nodes.values():
            assert {key async for key in other.inner.scan()} == {key for key in KEYS if other in cluster.owners(key)}
        await cluster.storage.remove_node("new")
        assert len(await cluster.storage.read_multi(KEYS)) == len(KEYS)
        await cluster.clock.advance(1.0)
        del cluster.nodes["new"]
        for other in cluster.nodes.values():
            assert {key async for key in other.inner.scan()} == {key for key in KEYS if other in cluster.owners(key)}
        assert node.calls[-1] == "close"


@pytest.mark.parametrize("replicas", [1, 2])
async def test_what_was_removed_does_not_come_back(replicas: int) -> None:
    """Items that were removed or replaced while another node owned them stay so when that node is gone again."""
    async with Cluster(replicas=replicas) as cluster:
        await filled(cluster)
        await cluster.storage.add_node(Node("new", new_node()))
        await cluster.storage.remove_multi(KEYS[:300])
        await cluster.storage.write_multi([cluster.item(key, "new") for key in KEYS[300:]])
        await cluster.storage.remove_node("new")
        for down in (None, *cluster.nodes.values()):
            if down is not None:
                down.fail(times=None, of=["read"])
            for key in KEYS:
                try:
                    assert await cluster.get(key) in {None if key in KEYS[:300] else "new", None}
                except StorageUnavailableError:
                    assert down is not None
            for node in cluster.nodes.values():
                node.heal()
            await cluster.clock.advance(40.0)


async def test_a_node_that_is_added_again_brings_nothing_with_it() -> None:
    """A storage that was a node before, and kept its items, is cleared when it is added again."""
    async with Cluster() as cluster:
        await filled(cluster)
        old = new_node()
        await old.write(cluster.item(KEYS[0], "of another time"))
        for key in KEYS:
            await old.write(cluster.item(key, "of another time"))
        await cluster.storage.add_node(Node("again", old))

        assert {item.value for item in (await cluster.storage.read_multi(KEYS)).values()} == {"old"}


async def test_a_node_that_is_out_while_keys_move_is_cleared() -> None:
    """A node that could not be searched for what it does not own gives up all that it holds."""
    async with Cluster() as cluster:
        await filled(cluster)
        await cluster.storage.add_node(Node("new", new_node()))
        out = cluster.nodes["node-0"]
        out.fail(times=None)
        await cluster.storage.remove_node("new")
        assert not cluster.storage._nodes.members["node-0"].is_in
        out.heal()
        await cluster.clock.advance(5.0)

        assert [key async for key in out.inner.scan()] == []
        assert cluster.storage._nodes.members["node-0"].is_in


@pytest.mark.parametrize(("weight", "more"), [(2.0, True), (0.5, False)])
async def test_a_weight_moves_its_share(weight: float, *, more: bool) -> None:
    """Keys move to a node that weighs more, or away from one that weighs less, and between no others."""
    async with Cluster() as cluster:
        await filled(cluster)
        before = {key: cluster.members(key)[0].name for key in KEYS}
        await cluster.storage.set_weight("node-1", weight)
        after = {key: cluster.members(key)[0].name for key in KEYS}
        moved = {key for key in KEYS if before[key] != after[key]}

        assert moved
        assert {(after if more else before)[key] for key in moved} == {"node-1"}
        assert set(await cluster.storage.read_multi(KEYS)) == set(KEYS) - moved


async def test_moves_that_cannot_be_are_refused() -> None:
    """A name that is taken, one that is not there, and a node that is needed change nothing."""
    async with Cluster(count=2, replicas=2) as cluster:
        with pytest.raises(InvalidArgumentError, match="a node of that name"):
            await cluster.storage.add_node(Node("node-0", new_node()))
        with pytest.raises(InvalidArgumentError, match="none of that name"):
            await cluster.storage.remove_node("other")
        with pytest.raises(InvalidArgumentError, match="none of that name"):
            await cluster.storage.set_weight("other", 1.0)
        with pytest.raises(InvalidArgumentError, match="too few for replicas"):
            await cluster.storage.remove_node("node-0")
        with pytest.raises(InvalidArgumentError, match="weight"):
            await cluster.storage.set_weight("node-0", 0.0)
        failing = new_node()
        failing.fail(of=["clear"])
        with pytest.raises(StorageUnavailableError):
            await cluster.storage.add_node(Node("new", failing))

        assert failing.calls[-1] == "close"
        assert set(await cluster.storage.layers()) == {"node-0", "node-1"}


async def test_a_new_node_offers_what_all_others_do() -> None:
    """Among servers that give leases, tags and locks there is no node that gives none."""
    servers = [Node(name, new_storage(f"redis://{name}")) for name in ("a", "b")]
    storage = DistributedStorage(servers)
    assert storage.capabilities.leases
    with pytest.raises(InvalidArgumentError, match="leases"):
        await storage.add_node(Node("c", memory_storage()))
    mixed = DistributedStorage([*servers, Node("c", memory_storage())])
    assert not mixed.capabilities.leases
    assert (mixed.leases, mixed.tags, mixed.locks, mixed.shortcuts) == (None, None, None, None)
    await storage.close()
