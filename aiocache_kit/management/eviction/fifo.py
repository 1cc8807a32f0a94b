"""First in, first out: the entry that came first goes first, whatever was read meanwhile.

The plain queue, as old as paging itself: L. A. Belady, "A study of replacement algorithms for a virtual-storage
computer", IBM Systems Journal, 1966. It is here as the floor that the others are measured against: a hit does nothing.

Rule 1: an entry keeps its place when it is given a new value.
Rule 2: every call is O(1).
"""

from array import array
from random import Random
from typing import ClassVar, final

from aiocache_kit.management.eviction.policy import NIL, Columns, EvictionPolicy, SlotList


@final
class Fifo(EvictionPolicy):
    """Evicts the entry that was inserted longest ago. 8 bytes an entry."""

    name: ClassVar[str] = "fifo"
    ceiling: ClassVar[int] = 0

    __slots__ = ("newest", "queue")

    def __init__(self, capacity: int, columns: Columns, random: Random | None = None) -> None:
        """Start with an empty queue."""
        super().__init__(capacity, columns, random)
        self.newest = NIL
        self.queue = SlotList(array("i"), array("i"))

    def add_slot(self) -> None:
        """Make room in the queue's two columns."""
        self.queue.add_slot()

    def insert(self, slot: int) -> None:
        """Queue up at the front."""
        self.newest = slot
        self.queue.push_front(slot)

    def remove(self, slot: int) -> None:
        """Leave the queue from wherever it is."""
        self.queue.remove(slot)

    def rewrite(self, slot: int, old_weight: int) -> None:
        """Keep the place, and be the newest."""
        super().rewrite(slot, old_weight)
        self.newest = slot

    def evict(self, now: float) -> int:
        """Take the back of the queue, or the one before it where the back was rewritten just now."""
        del now
        queue = self.queue
        victim = queue.back
        if victim == self.newest and queue.before[victim] != NIL:
            victim = queue.before[victim]
        queue.remove(victim)
        return victim
