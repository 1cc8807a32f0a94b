"""Tags on a storage that does not heed marks by itself, and on one in this process that does.

A storage that heeds tags for all who share it (`Storage.tags`) has no need of this. A storage inside the process stamps
its entries on its own clock and heeds the marks while it reads. For any other one the provider stamps each item when it
writes it (`Item.created_at`) and looks at the marks itself.

Rule 1: stamps and marks come from one source, and a write after an invalidation is stamped later than its mark, an
invalidation after a write marked no earlier than its stamp, whatever somebody does to the wall clock.
Rule 2: a mark is dropped when no item that it kills can be left: after a sweep where the storage sweeps, otherwise when
the last tagged item written, or prolonged, before it has died of age.
"""

import math
from collections import deque
from collections.abc import Iterable
from typing import Final

from aiocache_kit.clock import Clock
from aiocache_kit.item import Item
from aiocache_kit.management.invalidation import TagMarks
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.tables import TableStorage

LATENESS: Final = 60.0
"""Seconds by which a write may be late: a storage counts an item's ttl from when it gets it."""


class Tagging:
    """The marks of one storage, shared by all namespaces on it."""

    __slots__ = ("_clock", "_last", "_latest_death", "_longest_stale", "_newest_mark", "_tables", "_until", "marks")

    def __init__(self, storage: Storage, clock: Clock) -> None:
        """Start without marks."""
        self.marks = TagMarks()
        self._clock = clock
        self._tables = storage if isinstance(storage, TableStorage) else None
        self._last = 0.0
        """The newest stamp or mark given."""
        self._newest_mark = 0.0
        self._latest_death = -math.inf
        """When the last item with tags written so far dies of age, on the monotonic clock."""
        self._longest_stale = 0.0
        """The longest time for which an item with tags is kept beyond its end."""
        self._until: deque[tuple[float, float]] = deque()
        """For each invalidation its mark, and until when there may be an item that it kills."""
        if self._tables is not None:
            self._tables.heed(self.marks)

    def stamp(self) -> float:
        """Give the instant of a write that begins now."""
        now = self._clock.time()
        if now <= self._newest_mark:
            now = math.nextafter(self._newest_mark, math.inf)
        self._last = max(self._last, now)
        return now

    def note(self, life: float, stale_for: float = 0.0) -> None:
        """Remember that an item with tags lives for `life` seconds from now, and is kept for `stale_for` more."""
        self._longest_stale = max(self._longest_stale, stale_for)
        self._latest_death = max(self._latest_death, self._clock.monotonic() + life + stale_for + LATENESS)

    def note_touch(self, life: float) -> None:
        """Remember the same of one whose time to be stale is not known: it is one of those noted before."""
        self.note(life, self._longest_stale)

    def invalidate(self, tags: Iterable[str]) -> None:
        """Kill every item that has one of `tags` and was written before."""
        if self._tables is not None:
            self.marks.mark(tags, self._tables.mark())
            return
        self._newest_mark = self._last = max(self._clock.time(), self._last)
        self.marks.mark(tags, self._newest_mark)
        if self._until and self._until[-1][1] == self._latest_death:
            self._until.pop()
        self._until.append((self._newest_mark, self._latest_death))

    def has_killed(self, item: Item[object]) -> bool:
        """Whether `item`, just read, was invalidated; storages that heed the marks never give such a one."""
        return (
            bool(self.marks)
            and self._tables is None
            and bool(item.tags)
            and self.marks.killed(item.tags, item.created_at)
        )

    @property
    def must_ask(self) -> bool:
        """Whether what the storage takes for live may have been invalidated."""
        return self._tables is None and bool(self.marks)

    def tidy(self) -> None:
        """Drop the marks that have nothing left to kill."""
        now = self._clock.monotonic()
        while self._until and self._until[0][1] <= now:
            self.marks.forget(self._until.popleft()[0])
