"""Several processes over the same nodes, and those that start later: what a node missed is not read by any of them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiocache_kit.item import Item
from aiocache_kit.storage.distributed import DistributedStorage
from aiocache_kit.storage.distributed.generations import _GENERATION
from aiocache_kit.storage.distributed.nodes import RESERVED
from tests.unit.storage.distributed.cluster import Cluster, Server

KEYS = [f"k{each}" for each in range(60)]


def servers() -> Cluster:
    """Make nodes that outlive their users."""
    cluster = Cluster(replicas=2)
    for name in cluster.nodes:
        cluster.nodes[name] = Server()
    return cluster


@asynccontextmanager
async def process(cluster: Cluster) -> AsyncGenerator[DistributedStorage]:
    """Be a process that uses the nodes."""
    storage = cluster.over(replicas=2)
    await storage.open()
    try:
        yield storage
    finally:
        await storage.close()


async def write(cluster: Cluster, storage: DistributedStorage, keys: list[str], value: str) -> None:
    """Write some keys."""
    await storage.write_multi([cluster.item(key, value) for key in keys])


async def values(storage: DistributedStorage, keys: list[str] = KEYS) -> dict[str, object]:
    """Read some keys."""
    return {key: item.value for key, item in (await storage.read_multi(keys)).items()}


async def held(node: Server, keys: list[str]) -> dict[str, object]:
    """Give what a node holds."""
    return {key: item.value for key, item in (await node.inner.read_multi(keys)).items()}


async def out(cluster: Cluster, storage: DistributedStorage, name: str) -> None:
    """Let a node fail, and a process notice."""
    cluster.nodes[name].fail(times=None)
    while storage._nodes.members[name].is_in:
        await storage.read_multi(KEYS)


async def test_a_process_that_starts_later_trusts_no_node_that_missed_something() -> None:
    """What changed while a node was away is not read from it by a process that knows nothing of that."""
    cluster = servers()
    async with process(cluster) as first:
        await write(cluster, first, KEYS, "old")
        await out(cluster, first, "node-1")
        await write(cluster, first, KEYS[:20], "new")
        await first.remove_multi(KEYS[20:40])
    cluster.nodes["node-1"].heal()
    async with process(cluster) as later:
        expected = dict.fromkeys(KEYS[:20], "new") | dict.fromkeys(KEYS[40:], "old")
        node = cluster.nodes["node-1"]
        assert isinstance(node, Server)
        assert await values(later) == expected
        for name in ("node-0", "node-2"):
            cluster.nodes[name].fail(times=None)
        seen: dict[str, object] = {}
        for key in KEYS:
            item = await asyncio.wait_for(_read(later, key), 5)
            if item is not None:
                seen[key] = item

        assert seen.items() <= expected.items()


async def _read(storage: DistributedStorage, key: str) -> object:
    try:
        item = await storage.read(key)
    except OSError:
        return None
    return None if item is None else item.value


async def test_two_processes_that_both_changed_something_clear_the_node() -> None:
    """Where several processes wrote while a node was away, none of them reads from it what another one has changed."""
    cluster = servers()
    async with process(cluster) as one, process(cluster) as other:
        await write(cluster, one, KEYS, "old")
        await out(cluster, one, "node-1")
        await out(cluster, other, "node-1")
        await write(cluster, one, KEYS[:30], "new")
        await write(cluster, other, KEYS[30:], "new")
        cluster.nodes["node-1"].heal()
        await cluster.clock.advance(60.0)
        node = cluster.nodes["node-1"]
        assert isinstance(node, Server)

        assert set((await held(node, KEYS)).values()) <= {"new"}
        for storage in (one, other):
            assert await values(storage) == dict.fromkeys(KEYS, "new")
            assert storage._nodes.members["node-1"].is_in


async def test_a_process_alone_removes_only_what_it_knows() -> None:
    """With one process nothing else is lost: the items that did not change are still on the node that was away."""
    cluster = servers()
    async with process(cluster) as storage:
        await write(cluster, storage, KEYS, "old")
        await out(cluster, storage, "node-1")
        await write(cluster, storage, KEYS[:5], "new")
        node = cluster.nodes["node-1"]
        assert isinstance(node, Server)
        before = await held(node, [*KEYS, _GENERATION])
        node.heal()
        node.calls.clear()
        await cluster.clock.advance(60.0)
        after = await held(node, [*KEYS, _GENERATION])

        assert "clear" not in node.calls
        assert set(after) == set(before)
        assert set((await held(node, KEYS[:5])).values()) <= {"new"}
        for other in cluster.nodes.values():
            assert not [key async for key in other.inner.scan(RESERVED) if "mark" in key]


async def test_clearing_everything_keeps_what_nodes_know_of_one_another() -> None:
    """A clear of the whole storage takes neither generations nor marks away, and nobody sees those keys."""
    cluster = servers()
    async with process(cluster) as storage:
        await write(cluster, storage, KEYS, "old")
        generations = [await node.inner.read(_GENERATION) for node in cluster.nodes.values()]
        await out(cluster, storage, "node-1")
        await storage.clear()
        cluster.nodes["node-1"].heal()
        kept = [await node.inner.read(_GENERATION) for node in cluster.nodes.values()]
        assert [each and each.value for each in kept] == [each and each.value for each in generations]
        assert await cluster.nodes["node-0"].inner.read(f"{RESERVED}mark:node-1") is not None
        assert [key async for key in storage.scan()] == []
        await cluster.clock.advance(60.0)
        assert await values(storage) == {}


async def test_a_generation_that_was_evicted_is_put_back() -> None:
    """A node that forgot its generation gets it again in a while."""
    cluster = servers()
    async with process(cluster) as storage:
        node = cluster.nodes["node-0"]
        before = await node.inner.read(_GENERATION)
        await node.inner.remove(_GENERATION)
        await cluster.clock.advance(61.0)
        await storage.tidy()
        after = await node.inner.read(_GENERATION)

        assert before is not None
        assert after is not None
        assert after.value == before.value


async def test_a_generation_that_another_process_has_changed_is_learnt() -> None:
    """Who was there before a node was cleared by somebody else marks it by the generation that it has now."""
    cluster = servers()
    async with process(cluster) as first:
        await write(cluster, first, KEYS, "old")
        node = cluster.nodes["node-1"]
        assert isinstance(node, Server)
        generation = await node.inner.read(_GENERATION)
        assert generation is not None
        mark = Item(key=f"{RESERVED}mark:node-1", value=f"{generation.value} somebody", created_at=0.0)
        await cluster.nodes["node-0"].inner.write(mark)
        async with process(cluster) as second:  # clears it
            await write(cluster, second, KEYS, "old")
        await cluster.clock.advance(61.0)
        await first.tidy()
        await out(cluster, first, "node-1")
        await write(cluster, first, KEYS, "new")
    node.heal()
    async with process(cluster) as later:
        assert set((await held(node, KEYS)).values()) <= {"new"}
        assert await values(later) == dict.fromkeys(KEYS, "new")
