"""Both contracts over memory in front of files, and of Redis."""

from itertools import count
from pathlib import Path

import pytest

from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, ProviderContract, StorageContract
from tests.contract.redis_case import INSTALLATIONS, RedisCase
from tests.contract.test_file import SHAPES, Placed
from tests.contract.within import InNamespace


def in_memory(lowest: Storage) -> Storage:
    """Put memory in front of a storage."""
    return LayeredStorage([Layer(memory_storage(max_entries=100_000), "near"), Layer(lowest, "lowest")])


class OverFiles(Placed):
    """Memory in front of files that this process owns."""

    @pytest.fixture(autouse=True, params=["owner"])
    def choose(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        """Run each check for one shape."""
        self.make = SHAPES[request.param]
        self.path = tmp_path
        self.numbers = count()

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage to check."""
        return in_memory(super().storage(clock))


class OverRedis(RedisCase):
    """Memory in front of Redis."""

    @pytest.fixture(autouse=True)
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check over one installation."""
        self.installation = INSTALLATIONS["multiplexed"](request)

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage to check."""
        return in_memory(super().storage(clock))


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
