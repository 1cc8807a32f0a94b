"""Both contracts over Redis, by each way to it and in the forms that items may have there.

A check costs many round trips, so the contract of providers runs over the ways that differ most. Hashed keys are in no
list, which both contracts ask for: see the tests of Redis itself.
"""

import pytest

from aiocache_kit.testing import ProviderContract, StorageContract
from tests.contract.redis_case import INSTALLATIONS, RedisCase
from tests.contract.within import InNamespace

FOR_PROVIDERS = ["multiplexed", "multiplexed, RESP2", "pooled", "pooled, RESP2", "cluster", "client cache"]


class TestStorages(RedisCase, StorageContract):
    """Redis keeps the contract of storages, by each way to it."""

    @pytest.fixture(autouse=True, params=list(INSTALLATIONS))
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for each installation."""
        self.installation = INSTALLATIONS[request.param](request)


class TestProviders(RedisCase, ProviderContract):
    """A provider over Redis keeps the contract of providers."""

    @pytest.fixture(autouse=True, params=FOR_PROVIDERS)
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for some installations."""
        self.installation = INSTALLATIONS[request.param](request)


class TestNamespaces(InNamespace, RedisCase, ProviderContract):
    """A namespace over Redis is a provider like any other."""

    @pytest.fixture(autouse=True, params=["multiplexed", "cluster"])
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for one server, and for several."""
        self.installation = INSTALLATIONS[request.param](request)
