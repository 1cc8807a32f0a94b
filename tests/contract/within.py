"""Contracts within a namespace: its keys, tags and scope are its own, whatever lies around it."""

from aiocache_kit import Provider
from aiocache_kit.testing import FakeClock
from aiocache_kit.testing.provider_contract.case import ProviderCase


class InNamespace(ProviderCase):
    """Gives each check a namespace within another one, with keys of others around it. To stand before the contract."""

    async def provider(self, clock: FakeClock) -> Provider:
        """Give the namespace to check."""
        outer = await super().provider(clock)
        for other in (outer, outer.namespace("a"), outer.namespace("a").namespace("[b]")):
            await other.set("k", "not yours", None, tags=["t"])
        return outer.namespace("a").namespace("b*")
