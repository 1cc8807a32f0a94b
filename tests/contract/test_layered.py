"""Both contracts over hierarchies: a layered storage is a storage like any other."""

from collections.abc import Callable

import pytest

from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage, ProviderContract, StorageContract
from tests.contract.test_own_storage import DictStorage

ROOM = 100_000


def room(*, copies: bool = False) -> Storage:
    """Make a storage that needs to evict nothing."""
    return memory_storage(max_entries=ROOM, copies=copies)


def slow(*, copies: bool = False) -> Storage:
    """Make a storage that gives others a turn before and after each call."""
    return FaultyStorage(memory_storage(max_entries=ROOM, copies=copies), turns=True)


def layered(*storages: Storage, ttl: float | None = 30.0) -> Storage:
    """Put storages above one another."""
    return LayeredStorage([Layer(storage, f"layer {place}", ttl) for place, storage in enumerate(storages)])


STORAGES: dict[str, Callable[[], Storage]] = {
    "memory over memory": lambda: layered(room(), room()),
    "memory over slow memory": lambda: layered(room(), slow()),
    "slow memory over slow memory": lambda: layered(slow(), slow()),
    "copies over slow copies": lambda: layered(slow(copies=True), slow(copies=True)),
    "small memory over memory": lambda: layered(memory_storage(max_entries=3), room()),
    "memory for a moment over memory": lambda: layered(room(), room(), ttl=0.1),
    "memory for ever over memory": lambda: layered(room(), room(), ttl=None),
    "three layers": lambda: layered(memory_storage(max_entries=5), slow(), slow()),
    "memory over a dict": lambda: layered(room(), DictStorage()),
}
FOR_PROVIDERS = ["memory over memory", "three layers"]


class OverLayers:
    """Gives each check a hierarchy."""

    @pytest.fixture(autouse=True, params=list(STORAGES))
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for each storage."""
        self.name: str = request.param

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage to check."""
        del clock
        return STORAGES[self.name]()

    def bounded(self, clock: FakeClock, entries: int | None, size: int | None) -> Storage | None:
        """Give a hierarchy whose lowest layer has the bound."""
        del clock
        if self.name == "memory over a dict":
            return None
        return layered(room(), memory_storage(max_entries=entries, max_size=size))


class TestStorages(OverLayers, StorageContract):
    """A layered storage keeps the contract of storages."""


class TestProviders(OverLayers, ProviderContract):
    """A provider over a layered storage keeps the contract of providers."""

    @pytest.fixture(autouse=True, params=FOR_PROVIDERS)
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for some storages."""
        self.name = request.param
