"""Both contracts over nodes that are Redis servers of their own."""

from collections.abc import Iterator

import pytest

from aiocache_kit import RedisConfig
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.distributed import DistributedStorage, Node
from aiocache_kit.testing import FakeClock, ProviderContract, StorageContract
from tests.contract.redis_case import Installation, RedisCase
from tests.contract.within import InNamespace
from tests.servers.room import Room
from tests.servers.server import Server, started


@pytest.fixture(scope="module")
def three_servers(server_room: Room) -> Iterator[list[Server]]:
    """Start three servers, for all checks here."""

    def start() -> Server:
        server = Server(server_room)
        server.start()
        return server

    servers = [started(start) for _ in range(3)]
    yield servers
    for server in servers:
        server.kill()


class OverRedis(RedisCase):
    """Three servers, each key on two of them."""

    @pytest.fixture(autouse=True)
    def choose(self, three_servers: list[Server]) -> None:
        """Take the servers."""
        self.installation = Installation(RedisConfig(), three_servers)

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage to check."""
        nodes: list[Node] = []
        for number, server in enumerate(self.installation.servers):
            self.installation.config = RedisConfig(addr=f"{server.host}:{server.port}")
            nodes.append(Node(str(number), super().storage(clock)))
        return DistributedStorage(nodes, replicas=2, timeout=10.0)


class TestStorages(OverRedis, StorageContract):
    """A distributed storage over Redis servers keeps the contract of storages."""


class TestProviders(OverRedis, ProviderContract):
    """A provider over nodes that are Redis servers keeps the contract of providers."""


class TestNamespaces(InNamespace, OverRedis, ProviderContract):
    """A namespace over nodes that are Redis servers is a provider like any other."""
