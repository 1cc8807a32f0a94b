"""The storage that stores nothing: for switching a cache off without touching the code that uses it.

Loads are still shared by concurrent callers, since that is the provider's work and not the storage's.
"""

from collections.abc import AsyncIterator

from aiocache_kit.item import Item
from aiocache_kit.storage.base import ALWAYS, Capabilities, Condition, Size, Storage


class NullStorage(Storage):
    """Takes everything and keeps nothing: each write happens as if nothing had been there, and is forgotten."""

    capabilities = Capabilities(stores=False)
    name = "null"

    async def read(self, key: str) -> Item[object] | None:
        """Give None."""
        del key
        return None

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Forget `item`; say whether `condition` holds where nothing is stored."""
        del item
        return condition.holds(None)

    async def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Give False: there was nothing."""
        del key, condition
        return False

    async def clear(self, prefix: str = "") -> None:
        """Do nothing."""
        del prefix

    async def scan(self, prefix: str = "") -> AsyncIterator[str]:
        """Give no keys."""
        del prefix
        nothing: tuple[str, ...] = ()
        for key in nothing:
            yield key

    async def size(self) -> Size:
        """Give zeros, which are true here."""
        return Size()

    async def increment(self, item: Item[int], delta: int) -> int:
        """Give the sum that a counter born now has."""
        return item.value + delta
