"""Both contracts over Redis, by each way to it and in the forms that items may have there.

A check costs many round trips, so the contract of providers runs over the ways that differ most, and in a namespace
for what a prefix makes a difference to. Hashed keys are in no list, which both contracts ask for: see the tests of
Redis itself.
"""

import pytest

from aiocache_kit import Provider
from aiocache_kit.testing import FakeClock, ProviderContract, StorageContract
from aiocache_kit.testing.provider_contract.keys import Keys
from aiocache_kit.testing.provider_contract.many import Scopes, Tags
from tests.contract.redis_case import INSTALLATIONS, RedisCase

FOR_PROVIDERS = ["multiplexed", "cluster", "client cache"]


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


class TestNamespaces(RedisCase, Keys, Scopes, Tags):
    """A namespace over Redis has keys, tags and a scope of its own."""

    @pytest.fixture(autouse=True)
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run each check for the plainest installation."""
        self.installation = INSTALLATIONS["multiplexed"](request)

    async def provider(self, clock: FakeClock) -> Provider:
        """Give the namespace to check, with keys of its own around it."""
        outer = Provider(self.storage(clock), clock=clock)
        for other in (outer, outer.namespace("a"), outer.namespace("a").namespace("[b]")):
            await other.set("k", "not yours", None, tags=["t"])
        return outer.namespace("a").namespace("b*")
