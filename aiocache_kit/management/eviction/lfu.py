"""Least frequently used: the entry with the fewest hits goes first, and among these the one left alone longest.

J. T. Robinson, M. V. Devarakonda, "Data cache management using frequency-based replacement", ACM SIGMETRICS 1990,
describe it and its weakness: it never forgets. What was popular once stays, so it suits steady traffic only.

Rule 1: counts are exact, and so is the order among equal counts: a hit writes a count and a turn, and moves nothing.
Rule 2: the heap learns of hits when their entry surfaces in it; each hit is made good at most once, in O(log n), and
no single call makes good more than `MOST_REPAIRS`.
Rule 3: the newest stands outside the heap until another is the newest, so it cannot surface.
"""

from array import array
from math import inf
from random import Random
from typing import ClassVar, final

from aiocache_kit.management.eviction.heap import MOST_REPAIRS, LazyHeap
from aiocache_kit.management.eviction.policy import NIL, Columns, EvictionPolicy


@final
class Lfu(EvictionPolicy):
    """Evicts the entry with the fewest hits since its insertion. About 170 bytes an entry."""

    name: ClassVar[str] = "lfu"
    ceiling: ClassVar[int] = 0
    touches: ClassVar[bool] = True

    __slots__ = ("clock", "heap", "last", "newest")

    def __init__(self, capacity: int, columns: Columns, random: Random | None = None) -> None:
        """Start empty."""
        super().__init__(capacity, columns, random)
        self.newest = NIL
        self.heap = LazyHeap()
        self.clock = 0
        self.last = array("Q")
        """The turn of each slot's last hit or insertion; no two have the same."""

    def add_slot(self) -> None:
        """Make room in the columns."""
        self.last.append(0)
        self.heap.add_slot()

    def insert(self, slot: int) -> None:
        """Come in with no hits, outside the heap."""
        self._admit_newest()
        self.newest = slot
        self.clock = clock = self.clock + 1
        self.last[slot] = clock

    def touch(self, slot: int, /) -> None:
        """Count the hit and note its turn."""
        self.columns.hits[slot] += 1
        self.clock = clock = self.clock + 1
        self.last[slot] = clock

    def rewrite(self, slot: int, old_weight: int) -> None:
        """Count a hit and leave the heap."""
        del old_weight
        self.touch(slot)
        if slot != self.newest:
            self._admit_newest()
            self.heap.discard(slot)
            self.newest = slot

    def remove(self, slot: int) -> None:
        """Forget the slot."""
        if slot == self.newest:
            self.newest = NIL
        else:
            self.heap.discard(slot)

    def evict(self, now: float) -> int:
        """Take the lowest whose place in the heap is up to date, or whose time is over."""
        heap, last, hits, fresh = self.heap, self.last, self.columns.hits, self.columns.fresh
        if not heap.held:
            slot, self.newest = self.newest, NIL
            return slot
        for _ in range(MOST_REPAIRS):
            _, turn, slot = heap.lowest()
            if turn == last[slot] or -inf < fresh[slot] <= now:
                break
            heap.sink(hits[slot], last[slot])
        return heap.pop()

    def _admit_newest(self) -> None:
        slot = self.newest
        if slot != NIL:
            self.heap.push(self.columns.hits[slot], self.last[slot], slot)
