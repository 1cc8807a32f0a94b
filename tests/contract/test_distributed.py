"""Both contracts over nodes in memory: a distributed storage is a storage like any other."""

from collections.abc import Callable

import pytest

from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.distributed import DistributedStorage, Node
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage, ProviderContract, StorageContract
from tests.contract.within import InNamespace

ROOM = 100_000


def nodes(count: int, make: Callable[[], Storage]) -> list[Node]:
    """Make nodes with a storage each."""
    return [Node(f"node-{each}", make()) for each in range(count)]


def room() -> Storage:
    """Make a storage that needs to evict nothing."""
    return memory_storage(max_entries=ROOM)


def slow() -> Storage:
    """Make a storage that gives others a turn before and after each call."""
    return FaultyStorage(memory_storage(max_entries=ROOM, copies=True), turns=True)


STORAGES: dict[str, Callable[[], Storage]] = {
    "one node": lambda: DistributedStorage(nodes(1, room)),
    "three nodes": lambda: DistributedStorage(nodes(3, room)),
    "three slow nodes": lambda: DistributedStorage(nodes(3, slow)),
    "three nodes, two copies": lambda: DistributedStorage(nodes(3, room), replicas=2),
    "three slow nodes, two copies": lambda: DistributedStorage(nodes(3, slow), replicas=2),
    "three slow nodes, three copies": lambda: DistributedStorage(nodes(3, slow), replicas=3),
    "two copies, reads spread": lambda: DistributedStorage(nodes(3, slow), replicas=2, balance=1.25),
    "ketama": lambda: DistributedStorage(nodes(3, room), ketama=True),
    "degrading": lambda: DistributedStorage(nodes(3, room), replicas=2, on_failure="miss"),
}

FOR_PROVIDERS = ["three nodes", "two copies, reads spread"]


class OverNodes:
    """Gives each check some nodes."""

    @pytest.fixture(autouse=True, params=list(STORAGES))
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for each storage."""
        self.make = STORAGES[request.param]

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage to check."""
        del clock
        return self.make()

    def bounded(self, clock: FakeClock, entries: int | None, size: int | None) -> Storage:
        """Give nodes that have a third of the bound each."""
        del clock
        shares = [None if bound is None else bound // 3 for bound in (entries, size)]
        return DistributedStorage(nodes(3, lambda: memory_storage(max_entries=shares[0], max_size=shares[1])))


class TestStorages(OverNodes, StorageContract):
    """A distributed storage keeps the contract of storages."""


class TestProviders(OverNodes, ProviderContract):
    """A provider over a distributed storage keeps the contract of providers."""

    @pytest.fixture(autouse=True, params=FOR_PROVIDERS)
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for some storages."""
        self.make = STORAGES[request.param]


class TestNamespaces(InNamespace, OverNodes, ProviderContract):
    """A namespace over nodes is a provider like any other."""

    @pytest.fixture(autouse=True, params=["three nodes"])
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for one storage."""
        self.make = STORAGES[request.param]
