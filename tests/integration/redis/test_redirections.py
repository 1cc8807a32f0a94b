"""What a server says of where its keys have gone, or that it is a master no more: heard at once."""

from collections.abc import Awaitable, Callable

import pytest

from aiocache_kit.storage.redis.attempts import Attempts, Times
from aiocache_kit.storage.redis.dial import Dialer, Host, Place
from aiocache_kit.storage.redis.link import Channel, Link
from aiocache_kit.storage.redis.pool import Pool
from tests.integration.redis.ways import WAYS, to_cluster
from tests.servers.cluster import Cluster, Node
from tests.servers.fixtures import StartServer

PREFIX = "aiocache:"


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    """Go by shared connections, and by a pool."""
    return str(request.param)


def neighbours(cluster: Cluster, key: str) -> tuple[int, Node, Node]:
    """Give the slot of a key, who has it, and another master."""
    here = cluster.owner_of(key)
    slot: int = here.ask("CLUSTER", "KEYSLOT", key)
    return slot, here, next(node for node in cluster.masters if node is not here)


def settle(cluster: Cluster, slot: int, owner: Node) -> None:
    """Let all masters know who has the slot now; the owner first, who takes a new epoch for it."""
    for node in sorted(cluster.masters, key=lambda node: node is not owner):
        node.ask("CLUSTER", "SETSLOT", slot, "NODE", owner.name)


def give_back(cluster: Cluster, slot: int, here: Node, there: Node) -> None:
    """Let a slot with what is in it return to who had it first, as the next test expects."""
    there.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", here.name)
    here.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", there.name)
    names = here.ask("CLUSTER", "GETKEYSINSLOT", slot, 100)
    if names:
        here.ask("MIGRATE", there.host, there.port, "", 0, 5000, "KEYS", *names)
    settle(cluster, slot, there)


async def test_a_key_that_has_gone_ahead_of_its_slot(redis_cluster: Cluster, way: str) -> None:
    """ASK: while a slot stands still half-way, its keys are read and written where they are by now."""
    async with to_cluster(redis_cluster, multiplexed=WAYS[way]) as cache:
        await cache.set("ahead", 1)
        slot, here, there = neighbours(redis_cluster, f"{PREFIX}ahead")
        there.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", here.name)
        here.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", there.name)
        here.ask("MIGRATE", there.host, there.port, f"{PREFIX}ahead", 0, 5000)
        try:
            assert await cache.get("ahead") == 1
            await cache.set("ahead", 2)
            assert await cache.get("ahead") == 2
        finally:
            settle(redis_cluster, slot, there)
            give_back(redis_cluster, slot, there, here)


async def test_one_call_is_told_that_a_slot_has_moved(redis_cluster: Cluster, way: str) -> None:
    """MOVED: the next calls go where that one was sent to."""
    async with to_cluster(redis_cluster, multiplexed=WAYS[way]) as cache:
        slot, here, there = neighbours(redis_cluster, f"{PREFIX}moved")
        await cache.get("moved")
        try:
            there.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", here.name)
            settle(redis_cluster, slot, there)
            await cache.get("moved")
            here.ask("CONFIG", "RESETSTAT")
            for _ in range(5):
                await cache.get("moved")
            assert "errorstat_MOVED" not in here.info("errorstats")
        finally:
            give_back(redis_cluster, slot, there, here)


WAYS_TO_A_SERVER: dict[str, Callable[[Callable[[], Awaitable[Place]], Attempts], Channel]] = {
    "multiplexed": lambda locate, attempts: Link(Dialer(), locate, attempts, most_unread=2**28),
    "pooled": lambda locate, attempts: Pool(Dialer(), locate, attempts, size=2),
}


async def test_a_master_that_was_demoted_and_hangs_up_on_nobody(start_server: StartServer, way: str) -> None:
    """READONLY: the next attempt asks where the master is, though the connection is as good as ever."""
    old, new = start_server(), start_server()
    masters = [old]

    async def locate() -> Place:
        return Host(masters[-1].host, masters[-1].port)

    attempts = Attempts(times=Times(connect=2, send=2, answer=2, free=2), retries=2, breaker=None)
    channel = WAYS_TO_A_SERVER[way](locate, attempts)
    await channel.open()
    try:
        assert await channel.call((b"SET", b"k", b"1")) == b"OK"
        old.ask("REPLICAOF", new.host, new.port)
        masters.append(new)
        assert await channel.call((b"SET", b"k", b"2")) == b"OK"
        assert new.ask("GET", "k") == "2"
    finally:
        await channel.close()
