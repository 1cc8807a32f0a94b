"""Contracts within a namespace: its keys, tags and scope are its own, whatever lies around it."""

from aiocache_kit import Provider
from aiocache_kit.storage.base import Storage
from aiocache_kit.testing import FakeClock
from aiocache_kit.testing.provider_contract.case import ProviderCase


class InNamespace(ProviderCase):
    """Gives each check a namespace within another one, with keys of others around it. To stand before the contract."""

    def over(self, storage: Storage, clock: FakeClock) -> Provider:
        """Give the namespace to check."""
        self.outer = super().over(storage, clock)
        return self.outer.namespace("a").namespace("b*")

    async def set_up(self) -> None:
        """Let others have something everywhere around."""
        await super().set_up()
        for other in (self.outer, self.outer.namespace("a"), self.outer.namespace("a").namespace("[b]")):
            await other.set("k", "not yours", None, tags=["t"])
