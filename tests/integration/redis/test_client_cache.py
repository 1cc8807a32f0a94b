"""Client-side caching on real servers: what others change is never given again once its news have come."""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest

from aiocache_kit import Config, Provider, RedisConfig, SentinelConfig, new_provider
from aiocache_kit.errors import ConfigError, StorageAccessError, StorageUnavailableError
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.stats import Stats
from aiocache_kit.storage.redis.attempts import Times
from aiocache_kit.storage.redis.building import Way, new_channel
from aiocache_kit.storage.redis.dial import Dialer, Host
from aiocache_kit.storage.redis.storage import RedisStorage
from aiocache_kit.storage.redis.tracking import EVERY, SURE, Tracking
from aiocache_kit.testing import FakeClock, FaultyProxy
from tests.servers.cluster import Cluster
from tests.servers.fixtures import StartServer
from tests.servers.sentinel import SentinelTrio
from tests.servers.server import LIMITED_PASSWORD, LIMITED_USER, Server

LARGE = "x" * 200_000


class NewCache(Protocol):
    """Makes a cache that keeps what it reads, unless told otherwise."""

    def __call__(self, port: int, *, clock: FakeClock | None = None, **fields: Any) -> Provider:  # noqa: ANN401  - of a configuration
        """Make it; it is closed when the test is over."""
        ...


@pytest.fixture
async def new_cache(fresh_prefix: str) -> AsyncIterator[NewCache]:
    """Give a function that makes caches over one prefix, each as in a process of its own."""
    async with AsyncExitStack() as ends:

        def make(port: int, *, clock: FakeClock | None = None, **fields: Any) -> Provider:  # noqa: ANN401  - as above
            where = {} if "cluster_addrs" in fields or "sentinel" in fields else {"addr": f"127.0.0.1:{port}"}
            options: dict[str, Any] = {"client_cache": "10MB", "key_prefix": fresh_prefix, **where, **fields}
            part = RedisConfig(**options)
            cache = new_provider(Config(provider="redis", redis_config=part), clock=clock)
            ends.push_async_callback(cache.close)
            return cache

        yield make


async def kept(cache: Provider) -> Stats:
    """What the cache tells of what it keeps."""
    return (await cache.stats()).layers["client_cache"]


async def answers_locally(cache: Provider, key: str) -> bool:
    """Whether reading `key` took no round trip."""
    before = await kept(cache)
    await cache.get(key)
    return (await kept(cache) - before).hits == 1


# --- what others change ---------------------------------------------------------------------------------------------

CHANGES: dict[str, tuple[Callable[[Provider], Any], object]] = {
    "set": (lambda other: other.set("k", "new"), "new"),
    "set_multi": (lambda other: other.set_multi({"k": "new"}), "new"),
    "a large set": (lambda other: other.set("k", LARGE), LARGE),
    "replace": (lambda other: other.replace("k", "new"), "new"),
    "update": (lambda other: other.update("k", lambda old: f"not {old}"), "not old"),
    "delete": (lambda other: other.delete("k"), None),
    "delete_multi": (lambda other: other.delete_multi(["k"]), None),
    "pop": (lambda other: other.pop("k"), None),
    "expire": (lambda other: other.expire("k"), None),
    "clear": (lambda other: other.clear(), None),
    "invalidate_prefix": (lambda other: other.invalidate_prefix("k"), None),
    "invalidate_tags": (lambda other: other.invalidate_tags("t"), None),
}


@pytest.mark.parametrize("tags", [(), ("t", "u")], ids=["plain", "tagged"])
@pytest.mark.parametrize("change", CHANGES)
async def test_changes_by_others(redis_server: Server, new_cache: NewCache, change: str, tags: tuple[str, ...]) -> None:
    """A value is given from here until somebody else changes it, in whatever way, and never after that."""
    cache, other = new_cache(redis_server.port), new_cache(redis_server.port)
    act, new = CHANGES[change]
    if change == "invalidate_tags" and not tags:
        new = "old"
    await other.set("k", "old", tags=tags)
    assert [await cache.get("k"), await cache.get("k")] == ["old", "old"]
    assert await answers_locally(cache, "k")

    await act(other)
    await cache.ping()  # its answer comes after the news

    assert [await cache.get("k"), await cache.get("k"), await cache.get("k")] == [new] * 3
    assert await cache.get_multi(["k"]) == ({} if new is None else {"k": new})


@pytest.mark.parametrize("tags", [(), ("t", "u")], ids=["plain", "tagged"])
@pytest.mark.parametrize("change", CHANGES)
async def test_changes_of_ones_own(
    redis_server: Server, new_cache: NewCache, change: str, tags: tuple[str, ...]
) -> None:
    """Whoever changes something sees it at once, whatever has been told by then."""
    cache = new_cache(redis_server.port)
    act, new = CHANGES[change]
    if change == "invalidate_tags" and not tags:
        new = "old"
    await cache.set("k", "old", tags=tags)
    for _ in range(3):
        assert await cache.get("k") == "old"

    await act(cache)

    assert [await cache.get("k"), await cache.get("k")] == [new] * 2


async def test_a_missing_key_is_known_to_be_missing(redis_server: Server, new_cache: NewCache) -> None:
    """That there is nothing is kept as well, until somebody stores something."""
    cache, other = new_cache(redis_server.port), new_cache(redis_server.port)
    assert [await cache.get("k"), await cache.get("k")] == [None, None]
    assert await answers_locally(cache, "k")

    await other.set("k", None, tags=["t"])
    await cache.ping()

    assert await cache.exists("k")


async def test_a_load_elsewhere_is_waited_for(redis_server: Server, new_cache: NewCache) -> None:
    """The lease that lies in the place of an item while somebody loads it is never kept."""
    cache, other = new_cache(redis_server.port), new_cache(redis_server.port)
    await cache.get("k")
    begun, end = asyncio.Event(), asyncio.Event()

    async def load() -> str:
        begun.set()
        await end.wait()
        return "loaded"

    loading = asyncio.create_task(other.get_or_set("k", load))
    await begun.wait()
    await cache.ping()
    assert [await cache.get("k"), await cache.get("k")] == [None, None]
    assert not await answers_locally(cache, "k")
    end.set()
    assert await loading == "loaded"
    await cache.ping()

    assert await cache.get("k") == "loaded"


async def test_counters_are_asked_for(redis_server: Server, new_cache: NewCache) -> None:
    """What is counted is never kept: it is as new as if nothing were."""
    cache, other = new_cache(redis_server.port), new_cache(redis_server.port)
    for count in range(1, 5):
        assert await other.increment("n") == count
        assert await cache.get("n") == count
        assert await cache.get("n") == count


async def test_conditions_ask_the_server(redis_server: Server, new_cache: NewCache) -> None:
    """What is kept decides of no write: whoever changes, compares, updates or touches sees what others did last."""
    cache, other = new_cache(redis_server.port), new_cache(redis_server.port)
    await other.set("k", 1)
    item = await cache.get_item("k")
    async with FaultyProxy("127.0.0.1", redis_server.port) as proxy:
        late = new_cache(proxy.port)
        assert await late.get("k") == 1
        proxy.delay(0.02, of="replies")
        await other.set("k", 2)
        assert await late.update("k", lambda value: value + 10) == 12
        await other.delete("k")
        assert not await late.replace("k", 5)
        assert await late.get("k") is None
        await other.set("k", 3)
        assert await late.touch("k", 60)
        await other.delete("k")
        assert not await late.touch("k", 60)
        assert await late.get("k") is None
        await other.set("k", 4)
        assert await late.expire("k")
        assert await other.get("k") is None
    assert not await cache.compare_and_set("k", 9, item.version)


async def test_a_tagged_item_takes_no_round_trip(redis_server: Server, new_cache: NewCache) -> None:
    """The generations of an item's tags are kept beside it, and stay when others write items with the same tags."""
    cache, other = new_cache(redis_server.port), new_cache(redis_server.port)
    await other.set("k", "v", tags=["t", "u"])
    await cache.get("k")
    await other.set("k2", "v", tags=["t"])
    await cache.ping()
    before = _reads(redis_server)
    for _ in range(10):
        assert await cache.get("k") == "v"

    assert _reads(redis_server) == before


def _reads(server: Server) -> int:
    stats: dict[str, dict[str, int]] = server.ask("INFO", "commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("get", "mget", "strlen"))


async def test_namespaces_are_kept_apart(redis_server: Server, new_cache: NewCache) -> None:
    """Each namespace has its own; clearing one leaves what is kept of others."""
    cache, other = new_cache(redis_server.port), new_cache(redis_server.port)
    one, two = cache.namespace("one"), cache.namespace("two")
    for each in (one, two):
        await each.set("k", str(each is one))
        await each.get("k")
    await other.namespace("one").clear()
    await cache.ping()

    assert await one.get("k") is None
    assert await answers_locally_in(cache, two)


async def answers_locally_in(cache: Provider, namespace: Provider) -> bool:
    """Whether reading there took no round trip."""
    before = await kept(cache)
    assert await namespace.get("k") is not None
    return (await kept(cache) - before).hits == 1


async def test_values_are_ones_own(redis_server: Server, new_cache: NewCache) -> None:
    """What a caller does with a value is not seen by the next one."""
    cache = new_cache(redis_server.port)
    await cache.set("k", {"list": [1]})
    for _ in range(3):
        value = await cache.get("k")
        assert value == {"list": [1]}
        value["list"].append(2)


async def test_large_values_are_kept(redis_server: Server, new_cache: NewCache) -> None:
    """What is read by the connection for large values is kept, too, and what others change of it is seen."""
    cache, other = new_cache(redis_server.port), new_cache(redis_server.port)
    await other.set("k", LARGE)
    for _ in range(3):
        assert await cache.get("k") == LARGE
    assert await answers_locally(cache, "k")
    await other.set("k", LARGE + "!")
    await cache.ping()
    for _ in range(3):
        assert await cache.get("k") == LARGE + "!"
    assert await answers_locally(cache, "k")


# --- ends of items --------------------------------------------------------------------------------------------------


async def test_time_ends_what_is_kept(redis_server: Server, new_cache: NewCache) -> None:
    """An item that has had its time is not given from here, though the server has told nothing."""
    clock = FakeClock()
    cache = new_cache(redis_server.port, clock=clock)
    await cache.set("k", "v", 60)
    assert [await cache.get("k"), await cache.get("k")] == ["v", "v"]
    clock.leap(59)
    assert await answers_locally(cache, "k")
    assert await cache.get("k") == "v"
    clock.leap(2)

    assert await cache.get("k") is None


async def test_another_ttl_is_seen(redis_server: Server, new_cache: NewCache) -> None:
    """What others do to the time that an item has left counts here."""
    clock = FakeClock()
    cache, other = new_cache(redis_server.port, clock=clock), new_cache(redis_server.port)
    await cache.set("k", "v", 60)
    await cache.get("k")
    await other.touch("k", 600)
    await cache.ping()
    clock.leap(70)

    assert await cache.get("k") == "v"


async def test_flushed_servers(new_cache: NewCache, start_server: StartServer) -> None:
    """After FLUSHALL nothing is given from here."""
    server = start_server()
    cache = new_cache(server.port)
    await cache.set("k", "v")
    await cache.get("k")
    server.ask("FLUSHALL")
    await cache.ping()

    assert await cache.get("k") is None


async def test_evicted_items(new_cache: NewCache, start_server: StartServer) -> None:
    """What the server evicts to make room is gone here as well."""
    server = start_server(maxmemory="3mb", config=["maxmemory-policy allkeys-lru"])
    cache, other = new_cache(server.port), new_cache(server.port, client_cache=None)
    await cache.set("k", "v")
    assert await cache.get("k") == "v"
    name = server.ask("KEYS", "*k")[0]
    count = itertools.count()
    while server.ask("EXISTS", name):
        await other.set_multi({f"other{next(count)}": "x" * 1000 for _ in range(1000)})
    await cache.ping()

    assert await cache.get("k") is None


async def test_a_full_table_at_the_server(new_cache: NewCache, start_server: StartServer) -> None:
    """Where the server remembers fewer keys than are kept here, it tells which it forgets: those are asked for."""
    server = start_server(config=["tracking-table-max-keys 10"])
    cache, other = new_cache(server.port), new_cache(server.port)
    keys = [f"k{number}" for number in range(100)]
    await other.set_multi(dict.fromkeys(keys, 1))
    assert len(await cache.get_multi(keys)) == 100
    await cache.ping()
    await other.set_multi(dict.fromkeys(keys, 2))
    await cache.ping()

    assert await cache.get_multi(keys) == dict.fromkeys(keys, 2)


# --- faults ---------------------------------------------------------------------------------------------------------


async def test_the_reply_is_older_than_the_news(redis_server: Server, new_cache: NewCache) -> None:
    """A reply is on its way while somebody changes the item: reply and news arrive together, and it is not kept."""
    other = new_cache(redis_server.port)
    await other.set("k", "old")
    async with FaultyProxy("127.0.0.1", redis_server.port) as proxy:
        cache = new_cache(proxy.port)
        await cache.ping()
        proxy.hold(of="replies")
        reading = asyncio.create_task(cache.get("k"))
        await proxy.held.wait()  # the server has answered
        await other.set("k", "new")
        proxy.heal()

        assert await reading == "old"
        await cache.ping()
        assert await cache.get("k") == "new"


async def test_a_lost_connection_drops_all(redis_server: Server, new_cache: NewCache) -> None:
    """Without a connection nothing is given from here; with the next one, changes are told again."""
    other = new_cache(redis_server.port)
    await other.set("k", 1)
    async with FaultyProxy("127.0.0.1", redis_server.port) as proxy:
        cache = new_cache(proxy.port, max_retries=0, breaker_failures=None)
        assert [await cache.get("k"), await cache.get("k")] == [1, 1]
        proxy.refuse()
        with pytest.raises(StorageUnavailableError):
            await cache.ping()
        await other.set("k", 2)
        with pytest.raises(StorageUnavailableError):
            await cache.get("k")
        assert (await kept(cache)).items == 0
        proxy.heal()
        assert [await cache.get("k"), await cache.get("k")] == [2, 2]
        assert await answers_locally(cache, "k")
        await other.set("k", 3)
        await cache.ping()
        assert await cache.get("k") == 3


async def test_forgotten_writes(redis_server: Server, new_cache: NewCache) -> None:
    """What was to be written while Redis was away is missing afterwards, rather than what is old."""
    async with FaultyProxy("127.0.0.1", redis_server.port) as proxy:
        cache = new_cache(proxy.port, on_unavailable="miss", max_retries=0, breaker_failures=None)
        await cache.set("k", "old")
        assert [await cache.get("k"), await cache.get("k")] == ["old", "old"]
        proxy.refuse()
        await cache.set("k", "new")
        proxy.heal()

        assert [await cache.get("k"), await cache.get_multi(["k"])] == [None, {}]
        await cache.set("k", "newest")
        assert [await cache.get("k"), await cache.get("k")] == ["newest", "newest"]


async def test_a_killed_server(new_cache: NewCache, start_server: StartServer) -> None:
    """When the server is gone, so is what was kept; what comes back is what the new one says."""
    server = start_server()
    cache = new_cache(server.port, breaker_failures=None)
    await cache.set("k", "v")
    await cache.get("k")
    await asyncio.to_thread(server.kill)
    with pytest.raises(StorageUnavailableError):
        await cache.ping()
    with pytest.raises(StorageUnavailableError):
        await cache.get("k")
    await asyncio.to_thread(server.start)

    assert await cache.get("k") is None


class Hand:
    """A stopwatch that is turned by hand."""

    def __init__(self) -> None:
        self.reading = 1000.0

    def __call__(self) -> float:
        """Read it."""
        return self.reading


def timed(port: int, prefix: str, hand: Hand, *, answer: float) -> tuple[Provider, Tracking]:
    """Make a cache that waits `answer` seconds for an answer, and for which time passes by hand otherwise."""
    tracking = Tracking(10_000_000, now=hand)
    times = Times(connect=5.0, send=5.0, answer=answer)
    channel = new_channel(Way(place=Host("127.0.0.1", port), dialer=Dialer(), times=times, tracking=tracking))
    return Provider(RedisStorage(channel, Codec(JsonSerializer()), prefix=prefix, tracking=tracking)), tracking


async def test_a_frozen_server(start_server: StartServer) -> None:
    """Of a server that says nothing any more, whoever reads notices, and all that was kept is dropped."""
    server, hand = start_server(), Hand()
    cache, tracking = timed(server.port, "app:", hand, answer=0.2)
    async with cache:
        await cache.set("k", "v")
        await cache.get("k")
        await asyncio.to_thread(server.freeze)
        hand.reading += EVERY
        assert await cache.get("k") == "v"  # asks, too, whether the connection is there
        with pytest.raises(StorageUnavailableError):
            await cache.increment("n")  # sent after that question, and so given up after it
        assert tracking.stats().items == 0
        server.thaw()
        assert await cache.get("k") == "v"


async def test_news_are_swallowed(redis_server: Server, new_cache: NewCache, fresh_prefix: str) -> None:
    """A connection on which nothing arrives is not believed beyond the bound, however long answers may take."""
    other, hand = new_cache(redis_server.port), Hand()
    await other.set("k", "old")
    async with FaultyProxy("127.0.0.1", redis_server.port) as proxy:
        cache, _ = timed(proxy.port, fresh_prefix, hand, answer=60.0)
        async with cache:
            await cache.get("k")
            proxy.hold(of="replies")
            await other.set("k", "new")
            await proxy.held.wait()  # the news
            for _ in range(int(SURE)):
                assert await cache.get("k") == "old"
                hand.reading += 1.0
            reading = asyncio.create_task(cache.get("k"))
            await asyncio.sleep(0)
            assert not reading.done()
            proxy.heal()

            assert await reading == "new"


async def test_a_cancelled_reader(redis_server: Server, new_cache: NewCache) -> None:
    """A reader who leaves while the server has not answered harms nobody."""
    other = new_cache(redis_server.port)
    await other.set("k", "v")
    async with FaultyProxy("127.0.0.1", redis_server.port) as proxy:
        cache = new_cache(proxy.port)
        await cache.ping()
        proxy.hold(of="replies")
        reading = asyncio.create_task(cache.get("k"))
        await proxy.held.wait()
        reading.cancel()
        await asyncio.wait([reading])
        proxy.heal()
        assert [await cache.get("k"), await cache.get("k")] == ["v", "v"]
        assert await answers_locally(cache, "k")


async def test_a_user_who_may_not_track(new_cache: NewCache, start_server: StartServer) -> None:
    """Where the user may not turn tracking on, the first call says what is refused; one who may needs nothing else."""
    server = start_server(limited_user=True)
    allowed: dict[str, Any] = {"username": LIMITED_USER, "password": LIMITED_PASSWORD, "key_prefix": "app:"}
    cache = new_cache(server.port, **allowed)
    await cache.set("k", "v")
    assert [await cache.get("k"), await cache.get("k")] == ["v", "v"]
    assert await answers_locally(cache, "k")

    server.ask("ACL", "SETUSER", LIMITED_USER, "-client|tracking")
    with pytest.raises(StorageAccessError, match="client_cache"):
        await new_cache(server.port, **allowed).get("k")


def test_only_where_changes_are_told() -> None:
    """A pool of connections, and the old protocol, cannot tell of changes, and say so."""
    wrong: list[dict[str, Any]] = [{"multiplexed": False}, {"protocol": 2}]
    for fields in wrong:
        with pytest.raises(ConfigError, match=r"^redis_config\.client_cache is given, but"):
            RedisConfig(client_cache="1MB", **fields)


async def test_without_it_there_is_no_layer(redis_server: Server, new_cache: NewCache) -> None:
    """Where nothing is kept, nothing is told of it."""
    assert not (await new_cache(redis_server.port, client_cache=None).stats()).layers


# --- many servers ---------------------------------------------------------------------------------------------------


async def test_another_master(sentinel_trio: SentinelTrio, new_cache: NewCache) -> None:
    """A fail-over drops everything; the new master tells of changes as the old one did."""
    guards = SentinelConfig(
        addrs=[f"{host}:{port}" for host, port in sentinel_trio.addresses], service_name=sentinel_trio.service
    )
    cache, other = (new_cache(0, sentinel=guards, dial_timeout=20) for _ in range(2))
    await cache.set("k", 1)
    assert [await cache.get("k"), await cache.get("k")] == [1, 1]
    await asyncio.to_thread(sentinel_trio.master.kill)
    await asyncio.to_thread(sentinel_trio.wait_for_failover)
    assert (await kept(cache)).items == 0
    await other.ping()
    await other.set("k", 2)
    await cache.ping()
    assert [await cache.get("k"), await cache.get("k")] == [2, 2]
    assert await answers_locally(cache, "k")
    await other.set("k", 3)
    await cache.ping()

    assert await cache.get("k") == 3


async def test_a_cluster(redis_cluster: Cluster, new_cache: NewCache) -> None:
    """Every node tells of its own keys; when one of them is lost, everything is dropped."""
    seeds = [f"{host}:{port}" for host, port in redis_cluster.addresses]
    cache, other = (new_cache(0, cluster=True, cluster_addrs=seeds) for _ in range(2))
    keys = [f"k{number}" for number in range(50)]
    await other.set_multi(dict.fromkeys(keys, 1), tags=["t"])
    assert await cache.get_multi(keys) == await cache.get_multi(keys) == dict.fromkeys(keys, 1)
    assert (await kept(cache)).hits == len(keys)
    await other.set_multi(dict.fromkeys(keys, 2), tags=["t"])
    await cache.ping()
    assert await cache.get_multi(keys) == dict.fromkeys(keys, 2)
    await other.invalidate_tags("t")
    await cache.ping()
    assert await cache.get_multi(keys) == {}

    assert (await kept(cache)).items
    await asyncio.to_thread(redis_cluster.masters[0].kill)
    with pytest.raises(StorageUnavailableError):
        await cache.ping()
    assert (await kept(cache)).items == 0


async def test_keys_that_move(redis_cluster: Cluster, new_cache: NewCache, fresh_prefix: str) -> None:
    """When a key moves to another node, the old one tells of it, and the new one of changes from then on."""
    seeds = [f"{host}:{port}" for host, port in redis_cluster.addresses]
    cache, other = (new_cache(0, cluster=True, cluster_addrs=seeds) for _ in range(2))
    await other.set("k", 1)
    assert [await cache.get("k"), await cache.get("k")] == [1, 1]
    name = f"{fresh_prefix}k"
    here = redis_cluster.owner_of(name)
    there = next(node for node in redis_cluster.masters if node is not here)
    slot: int = here.ask("CLUSTER", "KEYSLOT", name)
    there.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", here.name)
    here.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", there.name)
    here.ask("MIGRATE", there.host, there.port, "", 0, 5000, "KEYS", name)
    for node in (there, here):
        node.ask("CLUSTER", "SETSLOT", slot, "NODE", there.name)

    for version in (2, 3):
        await other.set("k", version)
        await cache.ping()
        assert [await cache.get("k"), await cache.get("k")] == [version] * 2
        assert await answers_locally(cache, "k")


# --- under load -----------------------------------------------------------------------------------------------------

WRITER = """
import asyncio, sys
from aiocache_kit import Config, RedisConfig, new_provider

async def main():
    port, prefix, keys, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    part = RedisConfig(addr=f"127.0.0.1:{port}", key_prefix=prefix)
    async with new_provider(Config(provider="redis", redis_config=part)) as cache:
        for version in range(1, rounds + 1):
            for key in range(keys):
                if version % 3:
                    await cache.set(f"k{key}", [version] * (20_000 if key == 0 else 1))
                else:
                    await cache.set(f"k{key}", [version], tags=["t"])
            await cache.increment("progress")

asyncio.run(main())
"""


async def test_never_back_in_time(redis_server: Server, new_cache: NewCache, fresh_prefix: str) -> None:
    """While another process writes, no reader ever gets an older value than he had; nor than one whose news have come.

    A counter is always asked for, by the connection on which the news come: all changes before it have been told.
    """
    keys, rounds = 8, 400
    cache = new_cache(redis_server.port)
    await cache.increment("progress", 0)
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(redis_server.port), fresh_prefix, str(keys), str(rounds)
    )
    reads = 0

    async def read(number: int) -> None:
        nonlocal reads
        seen = dict.fromkeys(range(keys), 0)
        told = 0
        while told < rounds:
            if reads % 7 == number % 7:
                told = await cache.get("progress")
            key = (reads + number) % keys
            floor = max(seen[key], told)
            value = (
                await cache.get(f"k{key}", [0])
                if reads % 3
                else (await cache.get_multi([f"k{key}"])).get(f"k{key}", [0])
            )
            assert value[0] >= floor, (key, value[0], seen[key], told)
            seen[key] = value[0]
            reads += 1
            await asyncio.sleep(0)

    await asyncio.gather(*(read(number) for number in range(20)))
    assert await writer.wait() == 0
    stats = await kept(cache)
    assert stats.hits > 0
    assert stats.items <= 2 * keys
