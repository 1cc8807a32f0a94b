"""`Near`: a layer above the lowest, which holds copies.

Rule 1: a copy is given only if it is known what it is a copy of: its version and its dates, which are those of the
lowest layer, and which are kept here. So a copy that could not be removed, or is of an earlier process, is not given.
Rule 2: a copy lives for as long as the item has left, and for `life` seconds at most.
Rule 3: invalidating tags takes a mark a tag, whatever the number of copies (`TagMarks`).
Rule 4: no failure of this layer is the caller's: it is left alone for a while, and what it holds is asked for below.
Rule 5: emptying takes one step, however much is held; freeing the room comes afterwards.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from typing import Final, NamedTuple, TypeVar

from aiocache_kit.errors import CacheError, StorageError
from aiocache_kit.item import Item
from aiocache_kit.management.circuit_breaker import CircuitBreaker
from aiocache_kit.management.invalidation import TagMarks
from aiocache_kit.sentinels import MISSING
from aiocache_kit.storage.base import Kept, Storage
from aiocache_kit.storage.layered.dates import as_read, at_present, copy_of
from aiocache_kit.storage.observer import Observer
from aiocache_kit.storage.pace import Pace
from aiocache_kit.storage.tables import TableStorage

T = TypeVar("T")
MOST_KNOWN: Final = 32_768
"""Copies of which versions and dates are kept; those of others are asked for below by those who need them."""
MOST_MARKS: Final = 10_000
"""Tags that are marked; one more, and all copies go instead."""


class _Known(NamedTuple):
    """What is known of a copy."""

    kept: Kept
    """The item without its value, and when it ends; version 0: not known."""
    stamp: float
    """When it was put here, as marks count."""


class Near:
    """One layer of copies."""

    def __init__(self, storage: Storage, name: str, life: float, breaker: CircuitBreaker) -> None:
        """Keep copies in `storage` for `life` seconds at most."""
        self.storage: Final = storage
        self.name: Final = name
        self.tables: Final = storage if isinstance(storage, TableStorage) else None
        """Where copies lie, if that is in tables of this process, which never fail."""
        self.longest: float = life
        """How long a copy may stay now."""
        self.life: Final = life
        self.clock = storage.clock
        self.hits: int = 0
        self.misses: int = 0
        self.errors: int = 0
        self.emptied: int = 0
        """How often all copies were given up."""
        self._breaker = breaker
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._is_open = False
        self._stamp = 0.0
        self._marks = TagMarks()
        self._marks_of_tables = TagMarks()
        if self.tables is not None:
            self.tables.heed(self._marks_of_tables)

    def __repr__(self) -> str:
        return f"<Near {self.name}, {len(self._known)} copies known>"

    def observe(self, observer: Observer) -> None:
        """Tell `observer` of this layer from now on."""
        self._breaker.on_change = observer.circuit
        self.storage.observe(observer)

    @property
    def is_in(self) -> bool:
        """Whether the layer is not left alone."""
        return self._breaker.retry_after(self.clock.monotonic()) == 0.0

    async def open(self) -> None:
        """Get ready, and forget what an earlier process has left; raises `StorageError`."""
        if self._is_open:
            return
        self.storage.clock = self.clock
        await self.storage.open()
        self._is_open = True
        if self.storage.capabilities.persistent or (self.tables is not None and self.tables.is_persistent):
            await self.storage.clear()

    async def read(self, key: str) -> Item[object] | None:
        """Give the item of which a copy is here; with version 0 where that is not known."""
        known = self._known.get(key)
        if known is None or self._is_killed(known):
            self.misses += 1
            return None
        copy = await self._call(lambda: self.storage.read(key))
        item = at_present(known.kept, self.clock)
        if copy is None or item is None or self._known.get(key) is not known or copy.is_stale > item.is_stale:
            if copy is None and self._known.get(key) is known:
                del self._known[key]
            self.misses += 1
            return None
        self.hits += 1
        return replace(item, value=copy.value)

    async def value_of(self, item: Item[object]) -> object:
        """Give the value of the copy if it is one of `item`, which was read below; `MISSING` where it is not.

        If so, the copy is of a known version from now on. When both were made is not enough to tell: two processes may
        have written in the same microsecond, and whoever takes the value of one for the version of the other changes
        what he has never read.
        """
        key = item.key
        known = self._known.get(key)
        if known is None or not item.created_at or known.kept.item.created_at != item.created_at:
            return MISSING
        there = await self.read(key)
        if there is None or self._known.get(key) is not known or not _is_same(there.value, item.value):
            return MISSING
        self._known[key] = known._replace(kept=as_read(item, self.clock))
        return there.value

    async def put(self, value: object, kept: Kept) -> None:
        """Copy an item with these ends."""
        key = kept.item.key
        copy = copy_of(value, kept, self.clock, self.longest, with_tags=self.tables is not None)
        if copy is None:
            await self.drop(key)
            return
        self._known.pop(key, None)
        stamp, emptied = self._stamp, self.emptied
        if await self._call(lambda: self.storage.write(copy)):
            if emptied == self.emptied and (stamp == self._stamp or not kept.item.tags):
                self._known[key] = _Known(kept, stamp)
                if len(self._known) > MOST_KNOWN:
                    self._known.popitem(last=False)
                return
        elif self.tables is None:
            return
        # It refused the new value and would go on giving the old one, or was told to forget this one meanwhile.
        await self._call(lambda: self.storage.remove(key))

    async def drop(self, key: str) -> bool:
        """Remove the copy; say whether a live one went away."""
        known = self._known.pop(key, None)
        if known is None and self.tables is None:
            return False
        item = None if known is None else at_present(known.kept, self.clock)
        gone = await self._call(lambda: self.storage.remove(key))
        return bool(gone) and not (item is not None and item.is_stale)

    async def clear(self, prefix: str) -> None:
        """Remove the copies of items whose keys begin with `prefix`."""
        if not prefix:
            await self.empty()
            return
        for key in [key for key in self._known if key.startswith(prefix)]:
            del self._known[key]
        await self._call(lambda: self.storage.clear(prefix))

    async def empty(self) -> None:
        """Give no copy any more that is here now."""
        self.emptied += 1
        known, self._known = self._known, OrderedDict()
        self._marks.forget(self._stamp)
        await self._call(self.storage.clear)
        pace = Pace()
        while known:
            known.popitem()
            if pace.is_over():
                await pace.rest()

    def kill(self, tags: Collection[str]) -> bool:
        """Give no copy any more that is here now and has one of `tags`; say whether there are too many marks."""
        self._marks.mark(tags, self._stamp)
        self._stamp += 1.0
        if self.tables is not None:
            self._marks_of_tables.mark(tags, self.tables.mark())
        return len(self._marks) > MOST_MARKS

    def _is_killed(self, known: _Known) -> bool:
        return bool(self._marks) and self._marks.killed(known.kept.item.tags, known.stamp)

    async def _call(self, act: Callable[[], Awaitable[T]]) -> T | None:
        """Give what a call of the storage gives; None where it fails or is left alone."""
        if not self._breaker.allows(self.clock.monotonic()):
            return None
        try:
            result = await act()
        except StorageError:
            self.errors += 1
            self._breaker.failed(self.clock.monotonic())
            return None
        except CacheError:  # it does not fit here
            self._breaker.succeeded(self.clock.monotonic())
            return None
        except BaseException:
            self._breaker.abandoned(self.clock.monotonic())
            raise
        self._breaker.succeeded(self.clock.monotonic())
        return result


def _is_same(one: object, other: object) -> bool:
    """Whether one value stands for the other; False where that cannot be said."""
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:  # noqa: BLE001  - of whatever kind users' values are: arrays, for one, have no one answer
        return False
