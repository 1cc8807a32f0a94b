"""Both contracts over memory in front of files, and of Redis."""

from itertools import count
from pathlib import Path

import pytest

from aiocache_kit.storage.backplane import Backplane
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, ProviderContract, StorageContract
from aiocache_kit.testing.backplane import Exchange
from tests.contract.redis_case import INSTALLATIONS, RedisCase
from tests.contract.test_file import SHAPES, Files, Placed
from tests.contract.within import InNamespace


def in_memory(lowest: Storage, backplane: Backplane | None = None) -> Storage:
    """Put memory in front of a storage."""
    layers = [Layer(memory_storage(max_entries=100_000), "near"), Layer(lowest, "lowest")]
    return LayeredStorage(layers, backplane=backplane)


class OverFiles(Placed):
    """Memory in front of files that this process owns."""

    @pytest.fixture(autouse=True, params=["owner"])
    def choose(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        """Run each check for one shape."""
        self.make = SHAPES[request.param]
        self.path = tmp_path
        self.numbers = count()
        self.made: list[Files] = []

    def again(self, clock: FakeClock) -> Storage:
        """Give one more over the same directory."""
        return in_memory(super().again(clock))

    def bounded(self, clock: FakeClock, entries: int | None, size: int | None) -> Storage | None:
        """Give the same with files that have small bounds."""
        lowest = super().bounded(clock, entries, size)
        return None if lowest is None else in_memory(lowest)


class OverRedis(RedisCase):
    """Memory in front of Redis."""

    @pytest.fixture(autouse=True)
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check over one installation."""
        self.installation = INSTALLATIONS["multiplexed"](request)

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage to check, which hears of the changes of others."""
        return in_memory(super().storage(clock), self.exchange.connect())

    async def set_up(self) -> None:
        """Connect all storages of this check."""
        self.exchange = Exchange()
        await super().set_up()


class TestMemoryOverFiles(OverFiles, StorageContract):
    """Memory in front of files keeps the contract of storages."""


class TestProviderWithMemoryOverFiles(OverFiles, ProviderContract):
    """A provider over memory in front of files keeps the contract of providers."""


class TestMemoryOverRedis(OverRedis, StorageContract):
    """Memory in front of Redis keeps the contract of storages."""


class TestProviderWithMemoryOverRedis(OverRedis, ProviderContract):
    """A provider over memory in front of Redis keeps the contract of providers."""


class TestNamespacesOverFiles(InNamespace, OverFiles, ProviderContract):
    """A namespace over memory in front of files is a provider like any other."""


class TestNamespacesOverRedis(InNamespace, OverRedis, ProviderContract):
    """A namespace over memory in front of Redis is a provider like any other."""
