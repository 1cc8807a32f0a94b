"""A storage of one's own: a dict, the five methods, and the contracts that it keeps."""

from collections.abc import AsyncIterator
from dataclasses import replace

from aiocache_kit import Item
from aiocache_kit.storage.base import ALWAYS, IF_PRESENT, Capabilities, Condition, Kept, Storage
from aiocache_kit.testing import FakeClock, ProviderContract, StorageContract


class DictStorage(Storage):
    """Keeps items in a dict."""

    capabilities = Capabilities(by_reference=True)

    def __init__(self) -> None:
        self.kept: dict[str, Kept] = {}
        self.version = 0

    async def read(self, key: str) -> Item[object] | None:
        """Give the item under `key`."""
        return self.kept[key].at_present(self.clock) if key in self.kept else None

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Store `item` if `condition` holds."""
        if not condition.holds(await self.read(item.key)):
            return False
        self.version += 1
        self.kept[item.key] = Kept.from_now(replace(item, version=self.version), self.clock)
        return True

    async def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Remove the item under `key` if `condition` holds; say whether it was live."""
        item = await self.read(key)
        if condition.holds(item):
            self.kept.pop(key, None)
        return condition.holds(item) and IF_PRESENT.holds(item)

    async def clear(self, prefix: str = "") -> None:
        """Remove the items whose keys begin with `prefix`."""
        self.kept = {key: kept for key, kept in self.kept.items() if not key.startswith(prefix)}

    async def scan(self, prefix: str = "") -> AsyncIterator[str]:
        """Give the live keys that begin with `prefix`."""
        for key in [key for key in self.kept if key.startswith(prefix)]:
            if IF_PRESENT.holds(await self.read(key)):
                yield key


class TestDictStorage(StorageContract):
    """What every storage must hold."""

    def storage(self, clock: FakeClock) -> DictStorage:
        """Give the storage to check."""
        del clock
        return DictStorage()


class TestProviderOverDictStorage(ProviderContract):
    """What users may rely on, over this storage."""

    def storage(self, clock: FakeClock) -> DictStorage:
        """Give the storage to check."""
        del clock
        return DictStorage()
