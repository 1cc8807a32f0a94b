"""Greedy-Dual-Size-Frequency: the entry that earns the fewest hits for the room it takes goes first.

L. Cherkasova, "Improving WWW proxies performance with Greedy-Dual-Size-Frequency caching policy", HP Laboratories
report HPL-98-69, 1998; after N. Young, "On-line caching as cache size varies", SODA 1991. It is for bounds in bytes and
as few loads as can be; large entries pay for that, so it serves fewer bytes than `adaptive` does.

Rule 1: an entry ranks at L + (1 + hits) / weight, where L is the rank of the last victim: who comes or is hit later
starts higher, so old fame wears off.
Rule 2: a hit is counted and nothing else. Its rank is made good when the entry surfaces in the heap, with L as it is
then; compared with ranks made good at once this changes the hit ratio by a tenth of a point at most.
Rule 3: the newest stands outside the heap until another is the newest, so it cannot surface.
"""

import sys
from array import array
from math import inf
from random import Random
from typing import ClassVar, final

from aiocache_kit.management.eviction.heap import MOST_REPAIRS, LazyHeap
from aiocache_kit.management.eviction.policy import NIL, Columns, EvictionPolicy


@final
class Gdsf(EvictionPolicy):
    """Evicts the entry with the lowest rank. About 180 bytes an entry."""

    name: ClassVar[str] = "gdsf"
    ceiling: ClassVar[int] = sys.maxsize

    __slots__ = ("counted", "heap", "newest", "serial", "threshold")

    def __init__(self, capacity: int, columns: Columns, random: Random | None = None) -> None:
        """Start empty, with L = 0."""
        super().__init__(capacity, columns, random)
        self.newest = NIL
        self.heap = LazyHeap()
        self.serial = 0
        self.threshold = 0.0
        self.counted = array("Q")
        """The hits that each slot's place in the heap knows of."""

    def add_slot(self) -> None:
        """Make room in the columns."""
        self.counted.append(0)
        self.heap.add_slot()

    def insert(self, slot: int) -> None:
        """Come in outside the heap."""
        self._admit_newest()
        self.newest = slot

    def rewrite(self, slot: int, old_weight: int) -> None:
        """Count a hit and leave the heap: with its new weight the entry may rank lower than before."""
        del old_weight
        self.columns.hits[slot] += 1
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
        """Take the lowest whose rank is up to date, or whose time is over; its rank is the new L."""
        heap, counted, hits, fresh = self.heap, self.counted, self.columns.hits, self.columns.fresh
        if not heap.held:
            slot, self.newest = self.newest, NIL
            return slot
        for _ in range(MOST_REPAIRS):
            self.threshold, _, slot = heap.lowest()
            if counted[slot] == hits[slot] or -inf < fresh[slot] <= now:
                break
            heap.sink(*self._place(slot))
        return heap.pop()

    def _admit_newest(self) -> None:
        slot = self.newest
        if slot != NIL:
            self.heap.push(*self._place(slot), slot)

    def _place(self, slot: int) -> tuple[float, int]:
        """Give the rank of the entry as it is now, with a new serial number."""
        columns = self.columns
        hits = columns.hits[slot]
        weight = 1 if columns.weights is None else columns.weights[slot] or 1
        self.counted[slot] = hits
        self.serial = serial = self.serial + 1
        return self.threshold + (1 + hits) / weight, serial
