"""SIEVE: a queue, and a hand that walks it from back to front and takes the first entry without a hit.

Y. Zhang, J. Yang, Y. Yue, Y. Vigfusson, K. V. Rashmi, "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction
Algorithm for Web Caches", USENIX NSDI 2024.

Rule 1: a hit sets a mark, the hand takes marks away, and neither moves an entry. Newcomers join in front.
Rule 2: the hand rests before the place of its last victim and starts there the next time, at the back after the front.
Rule 3: each mark costs the hand one step, so a miss costs as many steps as there were hits since the last one: O(1)
amortised. No single call takes more than `LONGEST_WALK` steps: after that the entry under the hand goes, marked or not.
"""

from array import array
from math import inf
from random import Random
from typing import ClassVar, Final, final

from aiocache_kit.management.eviction.policy import NIL, Columns, EvictionPolicy, SlotList

LONGEST_WALK: Final = 10_000
"""Steps of the hand in one call: about a millisecond. Real traffic does not come near it."""


@final
class Sieve(EvictionPolicy):
    """Evicts the first entry without a hit since the hand last passed it. 8 bytes an entry."""

    name: ClassVar[str] = "sieve"
    ceiling: ClassVar[int] = 1

    __slots__ = ("hand", "newest", "queue")

    def __init__(self, capacity: int, columns: Columns, random: Random | None = None) -> None:
        """Start with an empty queue and the hand at its back."""
        super().__init__(capacity, columns, random)
        self.newest = NIL
        self.queue = SlotList(array("i"), array("i"))
        self.hand = NIL

    def add_slot(self) -> None:
        """Make room in the queue's two columns."""
        self.queue.add_slot()

    def insert(self, slot: int) -> None:
        """Queue up at the front."""
        self.newest = slot
        self.queue.push_front(slot)

    def remove(self, slot: int) -> None:
        """Leave the queue; the hand steps on if it rested here."""
        if slot == self.hand:
            self.hand = self.queue.before[slot]
        self.queue.remove(slot)

    def rewrite(self, slot: int, old_weight: int) -> None:
        """Keep the place, and be the newest."""
        super().rewrite(slot, old_weight)
        self.newest = slot

    def evict(self, now: float) -> int:
        """Walk the hand to the first entry without a mark, or out of time, and take it."""
        queue, newest = self.queue, self.newest
        before, hits, fresh = queue.before, self.columns.hits, self.columns.fresh
        steps = LONGEST_WALK
        slot = self.hand
        while True:
            if slot == NIL:
                slot = queue.back
            if slot == newest and queue.front != queue.back:
                slot = before[slot]
                continue
            if not hits[slot] or -inf < fresh[slot] <= now or not steps:
                break
            hits[slot] = 0
            steps -= 1
            slot = before[slot]
        rest = before[slot]
        self.hand = before[rest] if rest == newest and rest != NIL else rest
        queue.remove(slot)
        return slot
