"""Calls of many keys over the nodes of a cluster, also while one is away, and addresses that are not as announced."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from aiocache_kit import Provider
from aiocache_kit.errors import PartialFailureError, StorageAccessError, StorageUnavailableError
from tests.integration.redis.ways import WAYS, clients, to_cluster
from tests.servers.cluster import Cluster, Node

SHORT: dict[str, Any] = {"dial_timeout": 0.3, "read_timeout": 3.0, "max_retries": 0}
KEYS = [f"key {number}" for number in range(60)]
SOME = dict.fromkeys(KEYS, "value")


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    """Go by shared connections, and by a pool."""
    return str(request.param)


async def killed_owner(cluster: Cluster, prefix: str) -> tuple[Node, set[str]]:
    """Kill the owner of the first key, before anybody could take its place; give it and its keys."""
    node = cluster.owner_of(prefix + KEYS[0])
    gone = {key for key in KEYS if cluster.owner_of(prefix + key) is node}
    for replica in cluster.replicas:
        replica.ask("CONFIG", "SET", "cluster-replica-no-failover", "yes")
    await asyncio.to_thread(node.kill)
    return node, gone


async def test_many_keys_over_all_nodes(redis_cluster: Cluster, fresh_prefix: str, way: str) -> None:
    """What is stored by one call is read, counted, listed and removed by one, wherever the nodes have it."""
    async with to_cluster(redis_cluster, key_prefix=fresh_prefix, multiplexed=WAYS[way]) as cache:
        await cache.set_multi(SOME, tags=["tag"])
        assert await cache.get_multi(KEYS) == SOME
        assert {key async for key in cache.keys("")} == set(KEYS)
        assert await cache.delete_multi(KEYS[:10]) == 10
        await cache.invalidate_tags("tag")
        assert await cache.get_multi(KEYS) == {}
        await cache.set_multi(SOME)
        await cache.clear()
        assert [key async for key in cache.keys("")] == []
        assert all(clients(master) >= 1 for master in redis_cluster.masters)


async def test_a_node_that_is_away_is_told_by_its_keys(redis_cluster: Cluster, fresh_prefix: str, way: str) -> None:
    """Calls of many keys do what can be done, and say which keys they could not reach."""
    fields: dict[str, Any] = {**SHORT, "key_prefix": fresh_prefix, "multiplexed": WAYS[way]}
    async with to_cluster(redis_cluster, **fields) as cache:
        await cache.set_multi(SOME)
        _, gone = await killed_owner(redis_cluster, fresh_prefix)
        assert gone
        there = set(KEYS) - gone

        with pytest.raises(PartialFailureError) as read:
            await cache.get_multi(KEYS)
        assert read.value.failed == gone
        assert read.value.found == dict.fromkeys(there, "value")
        assert fresh_prefix not in str(read.value)
        with pytest.raises(PartialFailureError) as written:
            await cache.set_multi(dict.fromkeys(KEYS, "new"))
        assert written.value.failed == gone
        with pytest.raises(PartialFailureError) as removed:
            await cache.delete_multi(KEYS)
        assert removed.value.failed == gone
        assert await cache.get_multi(there) == {}
        with pytest.raises(StorageUnavailableError):
            await cache.get(min(gone))
        with pytest.raises(StorageUnavailableError):
            await cache.ping()


async def test_a_node_that_is_away_may_be_misses(redis_cluster: Cluster, fresh_prefix: str, way: str) -> None:
    """With `on_unavailable` "miss", its keys are misses, and what is written to them is forgotten."""
    fields: dict[str, Any] = {**SHORT, "key_prefix": fresh_prefix, "multiplexed": WAYS[way], "on_unavailable": "miss"}
    async with to_cluster(redis_cluster, **fields) as cache:
        await cache.set_multi(SOME)
        _, gone = await killed_owner(redis_cluster, fresh_prefix)
        there = set(KEYS) - gone

        assert await cache.get_multi(KEYS) == dict.fromkeys(there, "value")
        await cache.set_multi(dict.fromkeys(KEYS, "new"))
        assert await cache.get_multi(KEYS) == dict.fromkeys(there, "new")
        assert (await cache.stats()).errors > 0


async def test_a_cluster_whose_seeds_are_away(redis_cluster: Cluster, fresh_prefix: str, way: str) -> None:
    """Addresses where nobody listens do no harm beside one where somebody does."""
    fields: dict[str, Any] = {"key_prefix": fresh_prefix, "multiplexed": WAYS[way], "dial_timeout": 2.0}
    await asyncio.to_thread(redis_cluster.replicas[0].kill)
    async with to_cluster(
        redis_cluster, seeds=[redis_cluster.replicas[0], redis_cluster.replicas[1]], **fields
    ) as cache:
        await cache.set("key", "value")
        assert await cache.get("key") == "value"


async def test_a_cluster_that_lacks_a_node(redis_cluster: Cluster, fresh_prefix: str, way: str) -> None:
    """Whoever comes while a node is away finds the others."""
    node, gone = await killed_owner(redis_cluster, fresh_prefix)
    there = set(KEYS) - gone
    assert node not in redis_cluster.replicas
    seeds = [each for each in redis_cluster.nodes if each is not node]
    async with to_cluster(
        redis_cluster, seeds=seeds, key_prefix=fresh_prefix, multiplexed=WAYS[way], dial_timeout=1.0
    ) as cache:
        await cache.set_multi(dict.fromkeys(there, "value"))
        assert await cache.get_multi(there) == dict.fromkeys(there, "value")


async def test_a_user_of_the_cluster(redis_cluster: Cluster, fresh_prefix: str, way: str) -> None:
    """User and password are said to every node, also when the nodes are looked for."""
    for node in redis_cluster.nodes:
        node.ask("ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all")
    fields: dict[str, Any] = {"key_prefix": fresh_prefix, "multiplexed": WAYS[way], "username": "app"}
    async with to_cluster(redis_cluster, **fields, password="secret") as cache:  # noqa: S106  - opens nothing else
        await cache.set_multi(SOME)
        assert await cache.get_multi(KEYS) == SOME
    async with aclosing(to_cluster(redis_cluster, **fields, password="wrong")) as cache:  # noqa: S106  - as above
        with pytest.raises(StorageAccessError):
            await cache.get("key")


async def test_nodes_without_a_name(redis_cluster: Cluster, fresh_prefix: str) -> None:
    """Nodes that announce no address of theirs are where they were asked."""
    for node in redis_cluster.nodes:
        node.ask("CONFIG", "SET", "cluster-preferred-endpoint-type", "unknown-endpoint")
    try:
        async with to_cluster(redis_cluster, key_prefix=fresh_prefix) as cache:
            await cache.set_multi(SOME)
            assert await cache.get_multi(KEYS) == SOME
    finally:
        for node in redis_cluster.nodes:
            node.ask("CONFIG", "SET", "cluster-preferred-endpoint-type", "ip")


async def test_cancelled_calls_leave_nothing(redis_cluster: Cluster, fresh_prefix: str, way: str) -> None:
    """Calls that are cancelled at any moment take nobody's reply, and leave no connection and no task behind."""
    async with to_cluster(redis_cluster, key_prefix=fresh_prefix, multiplexed=WAYS[way], pool_size=2) as cache:
        await cache.set_multi({key: key for key in KEYS})
        for turns in range(40):
            calls = [asyncio.create_task(cache.get_multi(KEYS)), asyncio.create_task(cache.get(KEYS[turns]))]
            for _ in range(turns):
                await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
            assert await cache.get(KEYS[turns]) == KEYS[turns]
        assert await all_of(cache) == {key: key for key in KEYS}
        assert all(clients(master) <= 3 for master in redis_cluster.masters)


async def all_of(cache: Provider) -> dict[str, str]:
    """Read everything at once, each key by a call of its own."""
    return dict(zip(KEYS, await asyncio.gather(*map(cache.get, KEYS)), strict=True))
