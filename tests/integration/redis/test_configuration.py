"""What each field of `RedisConfig` does to a real server, or to one that misbehaves."""

import asyncio
import re
from contextlib import aclosing
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from aiocache_kit import Provider
from aiocache_kit.clock import SystemClock
from aiocache_kit.config import RedisConfig, SentinelConfig, TLSConfig
from aiocache_kit.errors import StorageAccessError, StorageError, StorageUnavailableError
from aiocache_kit.testing import FaultyProxy
from tests.integration.redis.ways import WAYS, clients, over, to, to_cluster, to_port
from tests.servers.certificates import TLS, Certificates
from tests.servers.cluster import Cluster
from tests.servers.fixtures import StartServer
from tests.servers.room import free_port
from tests.servers.sentinel import SentinelTrio
from tests.servers.server import LIMITED_PASSWORD, LIMITED_USER, Server

SOON = 0.1
"""Seconds of a timeout that is to strike."""
LATE = 30.0
"""Seconds of a timeout that must not."""
OPERATOR = "of the operator"


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    """Go by shared connections, and by a pool."""
    return str(request.param)


async def works(cache: Provider) -> bool:
    """Whether a value comes back."""
    async with aclosing(cache):
        await cache.set("key", [1, "two"], ttl=60)
        return bool(await cache.get("key") == [1, "two"])


async def unavailable(cache: Provider, *, after: float) -> StorageUnavailableError:
    """Give the error of a call, which comes after that many seconds and no timeout more."""
    start = monotonic()
    with pytest.raises(StorageUnavailableError) as caught:
        await cache.get_multi(["key"])
    assert after * 0.9 <= monotonic() - start < LATE / 2
    return caught.value


# --- where, and who --------------------------------------------------------------------------------------------------


async def test_names_begin_with_the_prefix(redis_server: Server, way: str) -> None:
    """`key_prefix` is what every name begins with: items, generations of tags, leases and locks."""
    prefix = f"own *[{free_port()}]:"
    async with to(redis_server, key_prefix=prefix, multiplexed=WAYS[way]) as cache:
        before = set(redis_server.ask("KEYS", "*"))
        await cache.set("key", 1, tags=["tag"])
        async with cache.lock("lock"):
            await cache.get_or_set("other", lambda: redis_server.ask("KEYS", "*"))
            names = set(redis_server.ask("KEYS", "*")) - before

        assert len(names) >= 5
        assert all(name.startswith(prefix) for name in names)


@pytest.mark.parametrize("protocol", [2, 3])
async def test_protocol_is_as_configured(start_server: StartServer, protocol: int, way: str) -> None:
    """`protocol` is what connections speak, and they have a name."""
    server = start_server()
    async with to(server, protocol=protocol, multiplexed=WAYS[way]) as cache:
        await cache.get("key")
        lines = [line for line in str(server.ask("CLIENT", "LIST")).splitlines() if "addr=127.0.0.1" in line]

        assert lines
        assert all(f"resp={protocol}" in line or "resp" not in line for line in lines)
        assert all("name=aiocache_kit" in line for line in lines)


async def test_database_is_as_configured(start_server: StartServer, way: str) -> None:
    """`db` is where keys are."""
    server = start_server()
    async with to(server, db=3, multiplexed=WAYS[way]) as cache:
        await cache.set("key", 1)

        assert "db3" in server.info("keyspace")
        assert "db0" not in server.info("keyspace")


async def test_user_and_password(start_server: StartServer, way: str) -> None:
    """The limited user gets in and can do all that a provider does; a wrong password is an error that says so."""
    server = start_server(limited_user=True, password=OPERATOR)
    who = {"username": LIMITED_USER, "password": LIMITED_PASSWORD, "key_prefix": "app:", "multiplexed": WAYS[way]}

    assert await works(to(server, **who))
    for wrong in ({"password": "wrong"}, {"username": "nobody"}):
        with pytest.raises(StorageAccessError) as caught:
            await works(to(server, **{**who, **wrong}))
        assert "wrong" not in str(caught.value)
    with pytest.raises(StorageAccessError):
        await works(to(server, multiplexed=WAYS[way]))
    with pytest.raises(StorageAccessError):
        await works(to(server, **{**who, "key_prefix": "other:"}))
    assert await works(to(server, password=OPERATOR, multiplexed=WAYS[way]))


async def test_a_user_with_just_the_rights(start_server: StartServer, way: str) -> None:
    """Whoever may do what the page on Redis lists, and nothing else, can do all that a provider does."""
    page = (Path(__file__).parents[3] / "docs/how-to/redis.md").read_text("utf-8")
    found = re.search(r"ACL SETUSER app on >secret (.*?)```", page, re.DOTALL)
    assert found is not None
    server = start_server()
    server.ask("ACL", "SETUSER", "app", "on", ">secret", *found[1].split())
    who: dict[str, Any] = {"username": "app", "password": "secret", "key_prefix": "app:"}
    async with to(server, **who, multiplexed=WAYS[way]) as cache:
        await cache.set("key", 1, tags=["tag"])
        assert await cache.add("new", 1)
        assert await cache.get_or_set("loaded", lambda: 5, tags=["tag"]) == 5
        assert await cache.get_multi(["key", "new", "loaded"]) == {"key": 1, "new": 1, "loaded": 5}
        assert await cache.increment("counter") == 1
        assert await cache.increment("counter", 5) == 6
        assert await cache.touch("counter", 100)
        assert await cache.update("counter", lambda value: value + 1) == 7
        assert await cache.expire("key")
        assert await cache.pop("counter") == 7
        async with cache.lock("lock"):
            await cache.invalidate_tags("tag")
        assert await cache.delete("new")
        assert [key async for key in cache.keys("")] == []
        await cache.clear()
        await cache.ping()


async def test_hashed_keys(redis_server: Server, fresh_prefix: str) -> None:
    """With `key_hash_secret` no name tells a key or a tag, and all that needs no list works."""
    before = set(redis_server.ask("KEYS", "*"))
    place = RedisConfig(addr=f"{redis_server.host}:{redis_server.port}", key_prefix=fresh_prefix)
    async with over(place, key_hash_secret=bytes(range(32))) as cache:
        await cache.set_multi({"secret key": 1, "other secret": 2}, tags=["secret tag"])
        assert await cache.get_multi(["secret key", "other secret"]) == {"secret key": 1, "other secret": 2}
        names = set(redis_server.ask("KEYS", "*")) - before
        assert len(names) == 3
        assert not any("secret" in name for name in names)
        await cache.invalidate_tags("secret tag")
        assert await cache.get("secret key") is None
        await cache.set("secret key", 1)
        await cache.clear()
        assert await cache.get("secret key") is None


async def test_a_unix_socket(redis_server: Server, fresh_prefix: str, way: str) -> None:
    """`unix_socket` is a way to the server without the network."""
    before = clients(redis_server)
    async with over(
        RedisConfig(unix_socket=redis_server.socket, key_prefix=fresh_prefix, multiplexed=WAYS[way])
    ) as cache:
        await cache.set("key", 1)

        assert await cache.get("key") == 1
        assert clients(redis_server) == before


async def test_tls(start_server: StartServer, certificates: Certificates, way: str) -> None:
    """With the right authority the server is believed; with another one, another name or an old one it is not."""
    for shown, is_right in (
        (certificates.right, True),
        (certificates.wrong_name, False),
        (certificates.expired, False),
        (certificates.of_other_ca, False),
    ):
        server = start_server(tls=TLS(certificates, shown))
        cache = to(server, tls=TLSConfig(ca_file=certificates.ca), dial_timeout=3.0, multiplexed=WAYS[way])
        if is_right:
            assert await works(cache)
        else:
            with pytest.raises(StorageAccessError, match="TLS"):
                await works(cache)
    named = start_server(tls=TLS(certificates, certificates.wrong_name))
    assert await works(
        to(named, tls=TLSConfig(ca_file=certificates.ca, check_hostname=False), dial_timeout=3.0, multiplexed=WAYS[way])
    )
    with pytest.raises(StorageAccessError, match="TLS"):
        await works(to(named, tls=True, dial_timeout=3.0, multiplexed=WAYS[way]))
    with pytest.raises(StorageUnavailableError):
        await works(to(named, multiplexed=WAYS[way], dial_timeout=SOON))


async def test_a_certificate_of_ones_own(start_server: StartServer, certificates: Certificates, way: str) -> None:
    """A server that asks for certificates is shown `cert_file`; without it, nothing is served."""
    server = start_server(tls=TLS(certificates, certificates.right, asks_clients=True))
    own = TLSConfig(
        ca_file=certificates.ca, cert_file=certificates.client.certificate, key_file=certificates.client.key
    )

    assert await works(to(server, tls=own, dial_timeout=3.0, multiplexed=WAYS[way]))
    with pytest.raises(StorageError):
        await works(to(server, tls=TLSConfig(ca_file=certificates.ca), dial_timeout=3.0, multiplexed=WAYS[way]))


async def test_cluster_and_sentinels(redis_cluster: Cluster, sentinel_trio: SentinelTrio, way: str) -> None:
    """One node of a cluster, and one sentinel that lives among dead ones, are enough to find the rest."""
    dead = f"127.0.0.1:{free_port()}"
    (host, port) = sentinel_trio.addresses[1]
    guards = SentinelConfig(addrs=[dead, f"{host}:{port}", dead], service_name=sentinel_trio.service)

    assert await works(to_cluster(redis_cluster, seeds=redis_cluster.replicas[:1], multiplexed=WAYS[way]))
    assert await works(over(RedisConfig(sentinel=guards, multiplexed=WAYS[way])))


async def test_a_service_that_no_sentinel_knows(sentinel_trio: SentinelTrio, way: str) -> None:
    """A wrong `service_name` is said to be that."""
    guards = SentinelConfig(addrs=[f"{host}:{port}" for host, port in sentinel_trio.addresses], service_name="other")
    with pytest.raises(StorageUnavailableError, match="service_name"):
        await works(over(RedisConfig(sentinel=guards, multiplexed=WAYS[way], dial_timeout=0.5)))


async def test_what_is_no_cluster(redis_server: Server) -> None:
    """A server that is no cluster is said to be none."""
    node = f"{redis_server.host}:{redis_server.port}"
    with pytest.raises(StorageError, match="cluster"):
        await works(over(RedisConfig(cluster=True, cluster_addrs=[node], dial_timeout=0.5)))


# --- how long --------------------------------------------------------------------------------------------------------


async def test_dial_timeout(redis_server: Server, way: str) -> None:
    """`dial_timeout` ends a connection that never comes about, whether nobody listens or nobody speaks."""
    fields = {"multiplexed": WAYS[way], "dial_timeout": SOON, "read_timeout": LATE, "write_timeout": LATE}
    async with (
        FaultyProxy(redis_server.host, redis_server.port) as proxy,
        aclosing(to_port(proxy.port, **fields)) as mute,
        aclosing(to_port(proxy.port, **fields)) as absent,
    ):
        proxy.hold()
        await unavailable(mute, after=SOON)
        proxy.refuse()
        await unavailable(absent, after=SOON)


async def test_read_timeout(redis_server: Server, way: str) -> None:
    """`read_timeout` ends the wait for an answer, and the connection with it; the next call has another one."""
    fields = {"multiplexed": WAYS[way], "dial_timeout": LATE, "read_timeout": SOON, "write_timeout": LATE}
    async with FaultyProxy(redis_server.host, redis_server.port) as proxy, to_port(proxy.port, **fields) as cache:
        assert await cache.get("key") is None
        proxy.hold(of="replies")
        await unavailable(cache, after=SOON)
        proxy.heal()
        assert await cache.get("key") is None


async def test_write_timeout(redis_server: Server, way: str) -> None:
    """`write_timeout` ends the wait for a network that takes nothing; closing does not wait for that network either."""
    fields = {"multiplexed": WAYS[way], "dial_timeout": LATE, "read_timeout": LATE, "write_timeout": SOON}
    async with FaultyProxy(redis_server.host, redis_server.port) as proxy, to_port(proxy.port, **fields) as cache:
        await cache.set("large", "x" * 100_000)
        proxy.hold(of="requests")
        start = monotonic()
        calls = [asyncio.create_task(cache.set(f"large {number}", "x" * 30_000_000)) for number in range(2)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert monotonic() - start < LATE / 2
        assert any(isinstance(call.exception(), StorageUnavailableError) for call in calls if call.done())
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        await cache.close()
        assert monotonic() - start < LATE / 2


async def test_pool_size_and_timeout(start_server: StartServer) -> None:
    """At most `pool_size` connections are open, and who gets none of them within `pool_timeout` is told so."""
    server = start_server()
    fields = {"multiplexed": False, "pool_size": 2, "pool_timeout": SOON, "read_timeout": LATE}
    async with FaultyProxy(server.host, server.port) as proxy, to_port(proxy.port, **fields) as cache:
        assert await asyncio.gather(*(cache.get(f"key {number}") for number in range(50))) == [None] * 50
        assert proxy.connections == 2
        proxy.hold(of="replies")
        holding = [asyncio.create_task(cache.get(f"key {number}")) for number in range(2)]
        await proxy.held.wait()
        assert "pool_size" in str(await unavailable(cache, after=SOON))
        proxy.heal()
        assert await asyncio.gather(*holding) == [None, None]


async def test_multiplexed_needs_one_connection(start_server: StartServer) -> None:
    """All tasks share one connection; what is large has a second one."""
    server = start_server()
    async with to(server) as cache:
        await asyncio.gather(*(cache.set(f"key {number}", number) for number in range(500)))
        assert clients(server) == 1
        await asyncio.gather(*(cache.set(f"key {number}", "x" * 100_000) for number in range(20)))
        assert clients(server) == 2


@pytest.mark.parametrize("retries", [0, 2])
async def test_max_retries(redis_server: Server, way: str, retries: int) -> None:
    """A read whose connection was cut is made again `max_retries` times; an increment never is."""
    fields = {"multiplexed": WAYS[way], "max_retries": retries, "breaker_failures": None}
    async with FaultyProxy(redis_server.host, redis_server.port) as proxy, to_port(proxy.port, **fields) as cache:
        counter = f"{free_port()}"
        await cache.increment(counter)
        proxy.cut_after(0)
        if retries:
            assert await cache.get_multi(["key"]) == {}
        else:
            await unavailable(cache, after=0.0)
        assert await cache.get(counter) == 1
        proxy.cut_after(0)
        with pytest.raises(StorageUnavailableError):
            await cache.increment(counter)
        assert await cache.get(counter) == 2


async def test_breaker(redis_server: Server, way: str) -> None:
    """After `breaker_failures` calls fail at once, and after `breaker_wait` one of them looks again."""
    fields = {"multiplexed": WAYS[way], "dial_timeout": SOON, "breaker_failures": 2, "breaker_wait": 2.0}
    async with FaultyProxy(redis_server.host, redis_server.port) as proxy:
        proxy.refuse()
        async with aclosing(to_port(proxy.port, **fields)) as cache:
            for _ in range(2):
                await unavailable(cache, after=SOON)
            accepted = proxy.accepted
            proxy.heal()
            for _ in range(100):
                assert "of late" in str(await unavailable(cache, after=0.0))
            assert proxy.accepted == accepted
            await SystemClock().sleep(2.5)  # the wait, and a fifth more by chance
            assert await cache.get("key") is None


async def test_without_a_breaker_every_call_tries(redis_server: Server) -> None:
    """Where `breaker_failures` is None, the first call after a healed network succeeds, however many have failed."""
    async with FaultyProxy(redis_server.host, redis_server.port) as proxy:
        proxy.refuse()
        async with to_port(proxy.port, dial_timeout=0.02, breaker_failures=None, on_unavailable="miss") as cache:
            for _ in range(20):
                assert await cache.get("key") is None
            proxy.heal()
            assert await cache.get("key") is None
            assert (await cache.stats()).errors <= 22


async def test_on_unavailable(redis_server: Server, way: str) -> None:
    """With `miss`, reads miss and plain writes are forgotten while Redis is away; counters and locks are errors."""
    async with FaultyProxy(redis_server.host, redis_server.port) as proxy:
        fields = {"multiplexed": WAYS[way], "dial_timeout": SOON, "on_unavailable": "miss"}
        async with to_port(proxy.port, **fields) as cache:
            await cache.set("key", "old")
            proxy.refuse()
            await cache.set("key", "new")
            assert await cache.get("key") is None
            assert await cache.get_multi(["key"]) == {}
            assert await cache.get_or_set("key", lambda: "loaded") == "loaded"
            with pytest.raises(StorageUnavailableError):
                await cache.increment("counter")
            with pytest.raises(StorageUnavailableError):
                async with cache.lock("lock"):
                    pass
            assert (await cache.stats()).errors > 0


async def test_lease_ttl(redis_server: Server, way: str) -> None:
    """A load whose process is not heard of is made by another one after `lease_ttl`."""
    fields = {"key_prefix": f"{free_port()}:", "multiplexed": WAYS[way], "lease_ttl": 0.2}
    async with FaultyProxy(redis_server.host, redis_server.port) as proxy, to_port(proxy.port, **fields) as gone:
        loading, never = asyncio.Event(), asyncio.Event()

        async def load_for_ever() -> str:
            loading.set()
            await never.wait()
            return "theirs"

        load = asyncio.create_task(gone.get_or_set("key", load_for_ever))
        async with to(redis_server, **fields) as other:
            await loading.wait()
            proxy.hold()
            start = monotonic()

            assert await other.get_or_set("key", lambda: "mine") == "mine"
            assert 0.05 < monotonic() - start < 5.0
        load.cancel()
        await asyncio.wait([load])
        proxy.heal()
