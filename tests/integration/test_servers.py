"""The servers of the tests themselves: each kind starts, answers, fails and comes back as tests rely on."""

import asyncio
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
import redis.asyncio as plain
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from aiocache_kit.testing import FaultyProxy
from tests.servers.certificates import TLS, Certificates
from tests.servers.cluster import Cluster
from tests.servers.fixtures import StartServer
from tests.servers.sentinel import SentinelTrio
from tests.servers.server import LIMITED_PASSWORD, LIMITED_USER, Server

Options: TypeAlias = dict[str, Any]

ONCE: Final[Options] = {"decode_responses": True, "retry": Retry(NoBackoff(), 0)}
"""What makes a client try once."""


def client(port: int, **options: object) -> Any:  # noqa: ANN401  - redis-py's own types are loose
    """Give a client that tries once."""
    make: Any = plain.Redis
    return make(port=port, **ONCE, **options)


# --- one server ------------------------------------------------------------------------------------------------------


async def test_server_answers(redis_server: Server, fresh_prefix: str) -> None:
    """A server keeps what it is told."""
    async with client(redis_server.port) as redis:
        await redis.set(f"{fresh_prefix}key", "value")

        assert await redis.get(f"{fresh_prefix}key") == "value"


async def test_server_answers_through_its_socket(redis_server: Server) -> None:
    """The same server listens on a socket of the file system."""
    async with client(0, unix_socket_path=str(redis_server.socket)) as redis:
        assert await redis.ping()


async def test_password_is_needed(start_server: StartServer) -> None:
    """A server with a password serves those who know it; its URL does."""
    server = start_server(password=secrets.token_hex())
    async with client(server.port) as redis:
        with pytest.raises(AuthenticationError):
            await redis.ping()
    from_url: Any = plain.from_url
    async with from_url(server.url) as redis:
        assert await redis.ping()


def test_memory_is_bounded(start_server: StartServer) -> None:
    """The bound on memory and further lines of the configuration hold."""
    server = start_server(maxmemory="3mb", config=["maxmemory-policy allkeys-lru", "databases 3"])

    assert server.info("memory")["maxmemory"] == str(3 * 2**20)
    assert server.info("memory")["maxmemory_policy"] == "allkeys-lru"


async def test_limited_user_may_do_little(start_server: StartServer) -> None:
    """The limited user works with keys that begin with "app:", and nothing else."""
    server = start_server(limited_user=True)
    async with client(server.port, username=LIMITED_USER, password=LIMITED_PASSWORD) as redis:
        assert await redis.set("app:key", 1)
        assert await redis.eval("return redis.call('INCR', KEYS[1])", 1, "app:key") == 2
        for forbidden in (["GET", "key"], ["FLUSHDB"], ["KEYS", "*"], ["SCRIPT", "FLUSH"], ["CONFIG", "GET", "*"]):
            with pytest.raises(NoPermissionError):
                await redis.execute_command(*forbidden)


async def test_killed_server_comes_back_empty(start_server: StartServer) -> None:
    """Who was killed does not listen; started again, it does so on the same port and has forgotten all."""
    server = start_server()
    async with client(server.port) as redis:
        await redis.set("key", "value")
        server.kill()
        with pytest.raises(plain.ConnectionError):
            await redis.get("key")
        server.start()

        assert await redis.get("key") is None


async def test_frozen_server_goes_on_where_it_stood(start_server: StartServer) -> None:
    """Who is frozen takes connections and commands and answers none; thawed, it answers them all."""
    server = start_server()
    async with client(server.port, socket_timeout=0.05) as redis:
        await redis.set("key", "value")
        server.freeze()
        with pytest.raises(plain.TimeoutError):
            await redis.get("key")
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"GET key\r\n")
        server.thaw()

        assert await reader.readexactly(11) == b"$5\r\nvalue\r\n"
        writer.close()
        await writer.wait_closed()


def test_frozen_server_can_be_killed(start_server: StartServer) -> None:
    """Who stands still ends all the same, and starts again."""
    server = start_server()
    server.freeze()
    server.kill()
    server.start()

    assert server.ask("PING")


def test_no_server_outlives_the_tests(tmp_path: Path) -> None:
    """When the process that runs the tests is killed, its servers end and their folder is removed."""
    program = tmp_path / "killed.py"
    program.write_text(
        "import os, signal\n"
        "from tests.servers.room import Room\n"
        "from tests.servers.server import Server\n"
        "room = Room()\n"
        "server = Server(room)\n"
        "server.start()\n"
        "print(server.port, room.folder, flush=True)\n"
        "input()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n",
        "utf-8",
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as process:
        assert process.stdout is not None
        port, folder = process.stdout.readline().split()
        with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as connection:
            process.communicate("\n")
            assert process.returncode == -signal.SIGKILL
            assert connection.recv(1) == b""
    assert not Path(folder).exists()


# --- TLS -------------------------------------------------------------------------------------------------------------


def trusting(certificates: Certificates) -> Options:
    """Give the options of a client that trusts the authority of these certificates, and looks at names."""
    return {"ssl": True, "ssl_ca_certs": str(certificates.ca), "ssl_check_hostname": True}


async def test_tls_server_answers(start_server: StartServer, certificates: Certificates) -> None:
    """A server with the right certificate serves clients that look at it, and none that talk plain text."""
    server = start_server(tls=TLS(certificates, certificates.right))
    async with client(server.port, **trusting(certificates)) as redis:
        assert await redis.ping()
    async with client(server.port) as redis:
        with pytest.raises(plain.ConnectionError):
            await redis.ping()


@pytest.mark.parametrize(
    ("shown", "reason"),
    [("wrong_name", "IP address mismatch"), ("expired", "has expired"), ("of_other_ca", "unable to get local issuer")],
)
async def test_bad_certificates_are_bad(
    start_server: StartServer, certificates: Certificates, shown: str, reason: str
) -> None:
    """Each bad certificate is refused for its own reason and no other."""
    server = start_server(tls=TLS(certificates, getattr(certificates, shown)))
    context = ssl.create_default_context(cafile=str(certificates.ca))

    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        await asyncio.open_connection(server.host, server.port, ssl=context)


async def test_clients_show_certificates(start_server: StartServer, certificates: Certificates) -> None:
    """A server that asks its clients for certificates serves those with a good one."""
    server = start_server(tls=TLS(certificates, certificates.right, asks_clients=True))
    for shown, is_served in ((certificates.client, True), (certificates.of_other_ca, False), (None, False)):
        options = {"ssl_certfile": str(shown.certificate), "ssl_keyfile": str(shown.key)} if shown else {}
        async with client(server.port, **trusting(certificates), **options) as redis:
            if is_served:
                assert await redis.ping()
            else:
                with pytest.raises(RedisError):
                    await redis.ping()


# --- sentinels -------------------------------------------------------------------------------------------------------


async def test_sentinels_replace_a_dead_master(sentinel_trio: SentinelTrio) -> None:
    """The replica has what the master had, takes its place when that is killed, and sentinels tell clients so."""
    before, replica = sentinel_trio.master, sentinel_trio.replica
    connect: Any = Sentinel
    sentinel = connect(sentinel_trio.addresses, socket_timeout=2)
    try:
        async with sentinel.master_for(sentinel_trio.service, decode_responses=True) as redis:
            await redis.set("key", "value")
            assert await redis.execute_command("WAIT", 1, 5000) == 1
            before.kill()
            assert await asyncio.to_thread(sentinel_trio.wait_for_failover) is replica
            assert await redis.get("key") == "value"
            assert await redis.set("key", "another")
    finally:
        for each in sentinel.sentinels:
            await each.aclose()
    assert sentinel_trio.master is replica
    assert not sentinel_trio.is_as_started


def test_next_test_gets_a_whole_trio(sentinel_trios: Callable[[], SentinelTrio]) -> None:
    """A trio in which somebody was killed or frozen is not handed out again; one that is as it was is."""
    first = sentinel_trios()
    assert sentinel_trios() is first
    first.replica.freeze()
    second = sentinel_trios()

    assert second is not first
    assert second.is_as_started
    assert second.replica.info("replication")["master_link_status"] == "up"


# --- a cluster -------------------------------------------------------------------------------------------------------


async def test_cluster_replaces_a_dead_master(redis_cluster: Cluster, fresh_prefix: str) -> None:
    """The keys of a killed master are served by its replica soon, and those of others all the time."""
    keys = [f"{fresh_prefix}{number}" for number in range(30)]
    nodes = [ClusterNode(host, port) for host, port in redis_cluster.addresses]
    connect: Any = plain.RedisCluster
    async with connect(startup_nodes=nodes, decode_responses=True) as redis:
        for key in keys:
            await redis.set(key, key)
        killed = redis_cluster.owner_of(keys[0])
        others = [key for key in keys if redis_cluster.owner_of(key) is not killed]
        killed.kill()
        assert [await redis.get(key) for key in others] == others
        await asyncio.to_thread(redis_cluster.wait_for_failover, killed)
        for key in keys:
            await redis.set(key, "again")
        assert {await redis.get(key) for key in keys} == {"again"}


def test_cluster_is_whole_when_it_is_handed_out(redis_cluster: Cluster) -> None:
    """Each node finds the cluster in order and knows all six, and each replica is linked with its master."""
    for node in redis_cluster.nodes:
        state: str = node.ask("CLUSTER", "INFO")
        assert {"cluster_state:ok", "cluster_known_nodes:6"} <= set(state.split())
    for master in redis_cluster.masters:
        link = redis_cluster.replica_of(master).info("replication")
        assert link["master_link_status"] == "up"
        assert link["master_port"] == str(master.port)
    assert len({redis_cluster.owner_of(f"key:{number}") for number in range(30)}) == 3


# --- a way that breaks -----------------------------------------------------------------------------------------------


async def test_redis_through_a_proxy(redis_server: Server, fresh_prefix: str) -> None:
    """A client behind a proxy sees a mute server, half an answer, a closed door, and then all is well again."""
    async with (
        FaultyProxy(redis_server.host, redis_server.port) as proxy,
        client(proxy.port, socket_timeout=0.05) as redis,
    ):
        await redis.set(f"{fresh_prefix}key", "value")
        proxy.hold()
        with pytest.raises(plain.TimeoutError):
            await redis.get(f"{fresh_prefix}key")
        proxy.heal()
        assert await redis.get(f"{fresh_prefix}key") == "value"
        proxy.cut_after(5)
        with pytest.raises(plain.ConnectionError):
            await redis.get(f"{fresh_prefix}key")
        proxy.refuse()
        with pytest.raises(plain.ConnectionError):
            await redis.get(f"{fresh_prefix}key")
        proxy.heal()
        assert await redis.get(f"{fresh_prefix}key") == "value"
