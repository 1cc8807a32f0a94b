"""The contract of providers, while somebody listens to everything: whoever is listened to answers as before."""

from collections.abc import Callable

import pytest

from aiocache_kit import Provider
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.lru import lru_storage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage, ProviderContract

STORAGES: dict[str, Callable[[], Storage]] = {
    "memory": memory_storage,
    "another storage": lambda: FaultyStorage(memory_storage(shard_count=2)),
    "layers": lambda: LayeredStorage([Layer(memory_storage(), "near"), Layer(lru_storage(max_entries=10_000), "far")]),
}


class TestProviders(ProviderContract):
    """A provider whose events are heard keeps the contract of providers."""

    @pytest.fixture(autouse=True, params=list(STORAGES))
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for each storage."""
        self.make = STORAGES[request.param]

    async def provider(self, clock: FakeClock) -> Provider:
        """Give a provider with a listener to all that it may tell."""
        provider = Provider(self.make(), clock=clock)
        provider.events(keys=True, room=10)
        return provider
