"""What callers see while a server is killed, frozen, restarted or replaced, with the load of `load` on it."""

import asyncio
from typing import Any

import pytest

from tests.integration.redis.load import Load
from tests.integration.redis.ways import WAYS, clients, to, to_cluster, to_trio
from tests.servers.cluster import Cluster, Node
from tests.servers.fixtures import StartServer
from tests.servers.sentinel import SentinelTrio

FAST: dict[str, Any] = {
    "dial_timeout": 0.5,
    "read_timeout": 0.5,
    "write_timeout": 0.5,
    "pool_timeout": 0.5,
    "breaker_wait": 0.5,
}
WHOLE = 2.0
"""Seconds that a call may take with these."""
PATIENT: dict[str, Any] = {
    "dial_timeout": 0.5,
    "read_timeout": 3.0,
    "write_timeout": 3.0,
    "pool_timeout": 3.0,
    "breaker_wait": 0.5,
}
"""Where some calls must not fail at all, however busy the machine is."""
PREFIX = "aiocache:"
KEYS = [f"key {number}" for number in range(12)]


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    """Go by shared connections, and by a pool."""
    return str(request.param)


async def test_a_server_that_is_killed_and_comes_back(start_server: StartServer, way: str) -> None:
    """Calls fail within their time while it is away, and succeed within two seconds of its return."""
    server = start_server()
    async with to(server, **FAST, multiplexed=WAYS[way]) as cache:
        load = Load(cache, KEYS, may_lose=True)
        async with load.going():
            await load.makes_calls(300)
            before = clients(server)
            assert not load.failures
            await asyncio.to_thread(server.kill)
            await load.fails(100)
            await asyncio.to_thread(server.start)
            assert await load.works() < 2.0
            assert clients(server) <= before + 1
        assert load.failures
        assert load.longest < WHOLE + 1.5
        assert not load.wrong


async def test_a_server_that_stands_still(start_server: StartServer, way: str) -> None:
    """Calls fail within their time while it stands still; then all is well, and no value is an old one."""
    server = start_server()
    async with to(server, **FAST, multiplexed=WAYS[way]) as cache:
        load = Load(cache, KEYS)
        async with load.going():
            await load.makes_calls(300)
            before = clients(server)
            await asyncio.to_thread(server.freeze)
            await load.fails(100)
            server.thaw()
            assert await load.works() < 2.0
            assert clients(server) <= before + 1
        assert load.failures
        assert load.longest < WHOLE + 1.5
        assert not load.wrong


async def test_sentinels_name_another_master(sentinel_trio: SentinelTrio, way: str) -> None:
    """A killed master makes five seconds of errors at most; then its replica takes the calls."""
    async with to_trio(sentinel_trio, **FAST, multiplexed=WAYS[way]) as cache:
        load = Load(cache, KEYS, may_lose=True)
        async with load.going():
            await load.makes_calls(300)
            await asyncio.to_thread(sentinel_trio.master.kill)
            replica = await asyncio.to_thread(sentinel_trio.wait_for_failover)
            assert await load.works() < 3.0
            assert clients(replica) >= 1
        assert load.longest < WHOLE + 1.5
        assert not load.wrong


async def test_a_master_that_becomes_a_replica(sentinel_trio: SentinelTrio, way: str) -> None:
    """A fail-over by order, in which the old master goes on as a replica that takes no writes, is followed as well."""
    async with to_trio(sentinel_trio, **FAST, multiplexed=WAYS[way]) as cache:
        load = Load(cache, KEYS, may_lose=True)
        async with load.going():
            await load.makes_calls(300)
            before = sentinel_trio.master
            sentinel_trio.sentinels[0].ask("SENTINEL", "FAILOVER", sentinel_trio.service)
            after = await asyncio.to_thread(sentinel_trio.wait_for_failover)
            assert after is not before
            while not clients(after):  # until it is told, the old master goes on
                await load.makes_calls(20)
            assert await load.works() < 5.0
        assert load.longest < WHOLE + 1.5
        assert not load.wrong
    before.kill()  # so that the next test gets servers in their first order


async def test_a_node_that_is_killed(redis_cluster: Cluster, way: str) -> None:
    """The keys of other nodes are served without one error all the time; its own, as soon as its replica has them."""
    async with to_cluster(redis_cluster, **PATIENT, multiplexed=WAYS[way]) as cache:
        load = Load(cache, KEYS, may_lose=True)
        killed = redis_cluster.owner_of(PREFIX + KEYS[0])
        others = {key for key in KEYS if redis_cluster.owner_of(PREFIX + key) is not killed}
        assert others
        async with load.going():
            await load.makes_calls(300)
            await asyncio.to_thread(killed.kill)
            await asyncio.to_thread(redis_cluster.wait_for_failover, killed)
            assert await load.works() < 5.0
        assert load.failures
        assert not others & set(load.failures)
        assert load.longest < sum(PATIENT.values())
        assert not load.wrong


async def test_slots_that_move(redis_cluster: Cluster, way: str) -> None:
    """While keys move from node to node and back, no call fails and no value is lost."""
    async with to_cluster(redis_cluster, **PATIENT, multiplexed=WAYS[way]) as cache:
        load = Load(cache, KEYS)
        async with load.going():
            await load.makes_calls(300)
            for key in KEYS[:6]:
                here = redis_cluster.owner_of(PREFIX + key)
                there = next(node for node in redis_cluster.masters if node is not here)
                await move(load, PREFIX + key, here, there)
                await move(load, PREFIX + key, there, here)
        assert not load.failures
        assert not load.wrong
        assert load.calls > 100


async def move(load: Load, key: str, here: Node, there: Node) -> None:
    """Let the slot of a key move from node to node, slowly enough for calls to meet it on its way."""
    slot: int = here.ask("CLUSTER", "KEYSLOT", key)
    there.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", here.name)
    here.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", there.name)
    await load.makes_calls(30)
    while names := here.ask("CLUSTER", "GETKEYSINSLOT", slot, 1):
        here.ask("MIGRATE", there.host, there.port, "", 0, 5000, "KEYS", *names)
        await load.makes_calls(30)
    for node in (there, here):
        node.ask("CLUSTER", "SETSLOT", slot, "NODE", there.name)
        await load.makes_calls(10)
