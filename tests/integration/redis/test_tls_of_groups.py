"""TLS where one server names another: neither the one who is asked nor the one who is named is believed unproven."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from aiocache_kit.config import RedisConfig, SentinelConfig, TLSConfig
from aiocache_kit.errors import StorageAccessError, StorageUnavailableError
from tests.integration.redis.test_configuration import SOON, works
from tests.integration.redis.ways import over
from tests.servers.certificates import TLS, Certificates, Pair
from tests.servers.fixtures import StartServer
from tests.servers.room import Room
from tests.servers.sentinel import Sentinel
from tests.servers.server import Server

SERVICE = "main"


def secured(certificates: Certificates) -> TLSConfig:
    """Give what clients believe."""
    return TLSConfig(ca_file=certificates.ca)


@pytest.fixture
def watching(server_room: Room, certificates: Certificates) -> Iterator[Callable[[Pair, Server], Sentinel]]:
    """Give a function that starts a sentinel which shows a certificate and watches a master."""
    started: list[Sentinel] = []

    def start(shown: Pair, master: Server) -> Sentinel:
        lines = [f"sentinel monitor {SERVICE} {master.host} {master.port} 1", "tls-replication yes"]
        started.append(Sentinel(server_room, tls=TLS(certificates, shown), config=lines))
        started[-1].start()
        return started[-1]

    yield start
    for sentinel in started:
        sentinel.kill()


async def test_a_cluster(start_server: StartServer, certificates: Certificates) -> None:
    """Its nodes are believed like any server, and are not talked to in the clear."""
    config = ("cluster-enabled yes", "tls-cluster yes", "tls-replication yes", "cluster-node-timeout 1000")
    for shown in (certificates.right, certificates.of_other_ca):
        server = start_server(tls=TLS(certificates, shown), config=config)
        server.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        nodes = RedisConfig(cluster=True, cluster_addrs=[f"{server.host}:{server.port}"], dial_timeout=3.0)
        cache = over(replace(nodes, tls=secured(certificates)))
        if shown is certificates.right:
            server.log.wait_for("Cluster state changed: ok")
            assert await works(cache)
            with pytest.raises(StorageUnavailableError):
                await works(over(replace(nodes, dial_timeout=SOON)))
        else:
            with pytest.raises(StorageAccessError, match="TLS"):
                await works(cache)


async def test_a_master_that_a_sentinel_names(
    start_server: StartServer, certificates: Certificates, watching: Callable[[Pair, Server], Sentinel]
) -> None:
    """Both have to prove who they are: a sentinel that cannot is not asked, and its master not talked to."""
    right, wrong = certificates.right, certificates.of_other_ca
    for of_sentinel, of_master in ((right, right), (wrong, right), (right, wrong)):
        master = start_server(tls=TLS(certificates, of_master))
        sentinel = watching(of_sentinel, master)
        guards = SentinelConfig(addrs=[f"{sentinel.host}:{sentinel.port}"], service_name=SERVICE)
        cache = over(RedisConfig(sentinel=guards, tls=secured(certificates), dial_timeout=3.0))
        if (of_sentinel, of_master) == (right, right):
            assert await works(cache)
        else:
            with pytest.raises(StorageAccessError, match="TLS"):
                await works(cache)
            assert master.ask("DBSIZE") == 0
