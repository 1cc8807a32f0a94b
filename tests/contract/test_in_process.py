"""Both contracts over every storage that lives in this process, in the shapes that it may be given.

Eviction policies have room enough here: what a contract stores must still be there when it looks. That they keep their
bounds is for the property tests.
"""

from collections.abc import Callable

import pytest

from aiocache_kit import Provider
from aiocache_kit.management.eviction import POLICIES
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.lru import lru_storage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.null import NullStorage
from aiocache_kit.testing import FakeClock, FaultyStorage, ProviderContract, StorageContract
from tests.contract.within import InNamespace

ROOM = 1_000_000_000

STORAGES: dict[str, Callable[[], Storage]] = {
    "memory": memory_storage,
    "memory in 8 shards": lambda: memory_storage(shard_count=8),
    "memory with copies": lambda: memory_storage(copies=True),
    "memory in 4 shards with copies": lambda: memory_storage(shard_count=4, copies=True),
    "memory bounded in bytes": lambda: memory_storage(max_entries=None, max_size=ROOM),
    "memory bounded in both": lambda: memory_storage(max_size=ROOM, shard_count=2, copies=True),
    "memory without bounds": lambda: memory_storage(max_entries=None),
    "lru": lambda: lru_storage(max_entries=10_000),
    "lru with copies": lambda: lru_storage(max_entries=10_000, copies=True),
    "null": NullStorage,
    "memory under another storage": lambda: FaultyStorage(memory_storage(shard_count=2)),
    "memory under a slow storage": lambda: FaultyStorage(memory_storage(copies=True), turns=True),
}


class TestStorages(StorageContract):
    """Every storage keeps the contract of storages."""

    @pytest.fixture(autouse=True, params=list(STORAGES))
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for each storage."""
        self.make = STORAGES[request.param]

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage to check."""
        del clock
        return self.make()


class TestProviders(ProviderContract):
    """A provider over every storage keeps the contract of providers."""

    @pytest.fixture(autouse=True, params=list(STORAGES))
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for each storage."""
        self.make = STORAGES[request.param]

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage to check."""
        del clock
        return self.make()


class TestNamespaces(InNamespace, ProviderContract):
    """A namespace, and one inside of another, is a provider like any other."""

    @pytest.fixture(
        autouse=True, params=["memory in 8 shards", "lru with copies", "memory under a slow storage", "null"]
    )
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for some storages."""
        self.make = STORAGES[request.param]

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage to check."""
        del clock
        return self.make()


class TestProviderWithNamespaces(ProviderContract):
    """A provider with a namespace that is in use is a provider like any other."""

    async def provider(self, clock: FakeClock) -> Provider:
        """Give the provider to check."""
        outer = Provider(memory_storage(), clock=clock)
        self.inner = outer.namespace("in use")
        await self.inner.set("k", "not yours", None, tags=["t"])
        return outer


class TestPolicies(StorageContract):
    """No eviction policy is a hindrance to what a storage must hold."""

    @pytest.fixture(autouse=True, params=list(POLICIES))
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for each policy."""
        self.policy: str = request.param

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage to check."""
        del clock
        return memory_storage(eviction_policy=self.policy, max_size=ROOM)
