"""The contract of providers, while somebody listens to everything: whoever is listened to answers as before."""

from collections.abc import Callable

import pytest

from aiocache_kit import Provider
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.lru import lru_storage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, ProviderContract

STORAGES: dict[str, Callable[[int | None, int | None], Storage]] = {
    "memory": lambda entries, size: memory_storage(max_entries=entries, max_size=size),
    "layers": lambda entries, size: LayeredStorage(
        [Layer(memory_storage(), "near"), Layer(lru_storage(max_entries=entries, max_size=size), "far")]
    ),
}


class TestProviders(ProviderContract):
    """A provider whose events are heard keeps the contract of providers."""

    @pytest.fixture(autouse=True, params=list(STORAGES))
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for each storage."""
        self.make = STORAGES[request.param]

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage to check."""
        del clock
        return self.make(10_000, None)

    def bounded(self, clock: FakeClock, entries: int | None, size: int | None) -> Storage:
        """Give the same with small bounds."""
        del clock
        return self.make(entries, size)

    def over(self, storage: Storage, clock: FakeClock) -> Provider:
        """Give a provider with a listener to all that it may tell."""
        provider = super().over(storage, clock)
        provider.events(keys=True, room=10)
        return provider
