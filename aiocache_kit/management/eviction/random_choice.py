"""Random replacement: any entry may go, each with the same chance.

L. A. Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems Journal, 1966. It keeps no
order, so nothing can be learned from one and no access pattern can defeat it: a loop larger than the cache still hits.

Rule 1: the generator is seeded by the caller; the same calls choose the same victims.
Rule 2: the slots lie in one list without gaps; who leaves is replaced by the last. Every call is O(1).
"""

from random import Random
from typing import ClassVar, final

from aiocache_kit.management.eviction.policy import NIL, Columns, EvictionPolicy


@final
class RandomChoice(EvictionPolicy):
    """Evicts an entry drawn evenly from all but the newest. 16 bytes an entry."""

    name: ClassVar[str] = "random"
    ceiling: ClassVar[int] = 0

    __slots__ = ("newest", "position", "slots")

    def __init__(self, capacity: int, columns: Columns, random: Random | None = None) -> None:
        """Start empty."""
        super().__init__(capacity, columns, random)
        self.newest = NIL
        self.slots: list[int] = []
        self.position: list[int] = []

    def add_slot(self) -> None:
        """Make room for one more position."""
        self.position.append(NIL)

    def insert(self, slot: int) -> None:
        """Join at the end."""
        self.newest = slot
        self.position[slot] = len(self.slots)
        self.slots.append(slot)

    def remove(self, slot: int) -> None:
        """Give the place to the last of the list."""
        slots = self.slots
        place = self.position[slot]
        last = slots.pop()
        if last != slot:
            slots[place] = last
            self.position[last] = place

    def rewrite(self, slot: int, old_weight: int) -> None:
        """Keep the place, and be the newest."""
        super().rewrite(slot, old_weight)
        self.newest = slot

    def evict(self, now: float) -> int:
        """Draw among all but the newest: the last of the list stands in where the newest was drawn."""
        del now
        slots = self.slots
        others = len(slots) - 1
        victim = slots[int(self.random.random() * others)]
        if victim == self.newest:
            victim = slots[others]
        self.remove(victim)
        return victim
