"""What no cache can do without: a coroutine, a dict and a look at the clock. Everything is measured against this.

Rule: each function does the least that its name asks for, as one would write it by hand for one place in a program.
"""

from collections import OrderedDict
from collections.abc import Sequence
from time import monotonic
from typing import ClassVar, TypeAlias

from bench.compare.subject import TTL, VALUE, Subject

Entry: TypeAlias = tuple[bytes, float]
"""A value and its end."""


class Floor(Subject):
    """A dict of values with their ends, read by an `async def`; where it is written, in the order of use."""

    name: ClassVar[str] = "floor"
    settings: ClassVar[str] = "async def over a dict of (value, end); to write, over an OrderedDict, moved to the end"

    async def open(self, entries: int) -> None:
        """Make the stores."""
        self.entries = entries
        self.store: dict[str, Entry] = {}
        self.ordered: OrderedDict[str, Entry] = OrderedDict()
        self.counts: dict[str, int] = {}

    async def close(self) -> None:
        """Forget all."""
        self.store.clear()
        self.ordered.clear()

    async def holds(self, key: str) -> bool:
        """Look in the store that is read."""
        entry = self.store.get(key)
        return entry is not None and entry[0] == VALUE

    async def fill(self, keys: Sequence[str]) -> None:
        """Store what is to be read."""
        self.store = {key: (VALUE, monotonic() + TTL) for key in keys}

    async def get(self, keys: Sequence[str]) -> None:
        """Look up and check the end."""
        store = self.store

        async def get(key: str, default: bytes | None = None) -> bytes | None:
            entry = store.get(key)
            if entry is not None and monotonic() < entry[1]:
                return entry[0]
            return default

        for key in keys:
            await get(key)

    async def get_or_set(self, keys: Sequence[str]) -> None:
        """Look up: a hit needs no more."""
        await self.get(keys)

    async def get_multi(self, keys: Sequence[str]) -> None:
        """Look up one after the other."""
        await self.get(keys)

    async def set(self, keys: Sequence[str]) -> None:
        """Store the value with its end, and keep the order of use."""
        ordered = self.ordered

        async def set_(key: str, value: bytes, ttl: float) -> None:
            ordered[key] = (value, monotonic() + ttl)
            ordered.move_to_end(key)

        for key in keys:
            await set_(key, VALUE, TTL)

    async def set_evicting(self, keys: Sequence[str]) -> None:
        """Store, and drop the oldest beyond the bound."""
        ordered, entries = self.ordered, self.entries

        async def set_(key: str, value: bytes, ttl: float) -> None:
            ordered[key] = (value, monotonic() + ttl)
            ordered.move_to_end(key)
            if len(ordered) > entries:
                ordered.popitem(last=False)

        for key in keys:
            await set_(key, VALUE, TTL)

    async def replay(self, keys: Sequence[str]) -> None:
        """Read in the order of use; store what is missing."""
        ordered, entries = self.ordered, self.entries

        async def get(key: str) -> bytes | None:
            entry = ordered.get(key)
            if entry is not None and monotonic() < entry[1]:
                ordered.move_to_end(key)
                return entry[0]
            return None

        async def set_(key: str, value: bytes, ttl: float) -> None:
            ordered[key] = (value, monotonic() + ttl)
            ordered.move_to_end(key)
            if len(ordered) > entries:
                ordered.popitem(last=False)

        for key in keys:
            if await get(key) is None:
                await set_(key, VALUE, TTL)

    async def increment(self, keys: Sequence[str]) -> None:
        """Add one in a dict of numbers with their ends."""
        counts = {key: (0, monotonic() + TTL) for key in set(keys)}

        async def increment(key: str) -> int:
            count, end = counts[key]
            if monotonic() >= end:
                count = 0
            counts[key] = (count + 1, end)
            return count + 1

        for key in keys:
            await increment(key)
