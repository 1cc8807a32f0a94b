"""Both contracts over every storage that lives in this process, in the shapes that it may be given.

Eviction policies have room enough here: what a contract stores must still be there when it looks. For the checks of
bounds, each shape that has a bound is made with a small one.
"""

from collections.abc import Callable
from typing import TypeAlias

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


Bounded: TypeAlias = Callable[[int | None, int | None], Storage]
BOUNDED: dict[str, Bounded] = {
    "memory": lambda entries, size: memory_storage(max_entries=entries, max_size=size),
    "memory in 8 shards": lambda entries, size: memory_storage(max_entries=entries, max_size=size, shard_count=8),
    "memory with copies": lambda entries, size: memory_storage(max_entries=entries, max_size=size, copies=True),
    "memory in 4 shards with copies": lambda entries, size: memory_storage(
        max_entries=entries, max_size=size, shard_count=4, copies=True
    ),
    "memory bounded in bytes": lambda entries, size: memory_storage(max_entries=entries, max_size=size or ROOM),
    "memory bounded in both": lambda entries, size: memory_storage(
        max_entries=entries or ROOM, max_size=size or ROOM, shard_count=2, copies=True
    ),
    "lru": lambda entries, size: lru_storage(max_entries=entries, max_size=size),
    "lru with copies": lambda entries, size: lru_storage(max_entries=entries, max_size=size, copies=True),
    "memory under another storage": lambda entries, size: FaultyStorage(
        memory_storage(max_entries=entries, max_size=size, shard_count=2)
    ),
    "memory under a slow storage": lambda entries, size: FaultyStorage(
        memory_storage(max_entries=entries, max_size=size, copies=True), turns=True
    ),
}
"""The shapes that have bounds, with bounds in entries and in bytes."""


class InProcess:
    """Gives each check a storage in this process."""

    @pytest.fixture(autouse=True, params=list(STORAGES))
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for each storage."""
        self.name: str = request.param

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage to check."""
        del clock
        return STORAGES[self.name]()

    def bounded(self, clock: FakeClock, entries: int | None, size: int | None) -> Storage | None:
        """Give the same with small bounds."""
        del clock
        return BOUNDED[self.name](entries, size) if self.name in BOUNDED else None


class TestStorages(InProcess, StorageContract):
    """Every storage keeps the contract of storages."""


FOR_PROVIDERS = [
    *("memory", "memory in 8 shards", "memory in 4 shards with copies", "lru", "null"),
    "memory under a slow storage",
]
"""Those that a provider treats each in a way of its own; what only the storage knows of is asked of the storage."""


class TestProviders(InProcess, ProviderContract):
    """A provider over storages in this process keeps the contract of providers."""

    @pytest.fixture(autouse=True, params=FOR_PROVIDERS)
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for some storages."""
        self.name = request.param


class TestNamespaces(InNamespace, InProcess, ProviderContract):
    """A namespace, and one inside of another, is a provider like any other."""

    @pytest.fixture(autouse=True, params=["memory in 8 shards", "lru", "memory under a slow storage", "null"])
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for some storages."""
        self.name: str = request.param


class TestProviderWithNamespaces(InProcess, ProviderContract):
    """A provider with a namespace that is in use is a provider like any other."""

    @pytest.fixture(autouse=True)
    def choose(self) -> None:
        """Run each check for one storage."""
        self.name = "memory"

    def over(self, storage: Storage, clock: FakeClock) -> Provider:
        """Give the provider to check."""
        outer = super().over(storage, clock)
        self.inner = outer.namespace("in use")
        return outer

    async def set_up(self) -> None:
        """Use the namespace."""
        await super().set_up()
        await self.inner.set("k", "not yours", None, tags=["t"])


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

    def bounded(self, clock: FakeClock, entries: int | None, size: int | None) -> Storage:
        """Give the same with small bounds."""
        del clock
        return memory_storage(eviction_policy=self.policy, max_entries=entries, max_size=size)
