"""Least recently used: the entry that has been left alone longest goes first.

P. J. Denning, "The working set model for program behavior", Communications of the ACM, 1968, is where the idea was
given its reason: what was used lately will be used again soon. One long scan empties such a cache.

Rule 1: the order is an `OrderedDict` of slots, oldest first; its own method is the `touch`, with no frame around it.
Rule 2: insert and rewrite both move the entry to the end, so the newest is never the victim while another is held.
Rule 3: every call is O(1).
"""

from collections import OrderedDict
from collections.abc import Callable
from random import Random
from typing import ClassVar, final

from aiocache_kit.management.eviction.policy import Columns, EvictionPolicy


@final
class Lru(EvictionPolicy):
    """Evicts the entry whose last hit, rewrite or insertion is longest ago. About 100 bytes an entry."""

    name: ClassVar[str] = "lru"
    ceiling: ClassVar[int] = 0
    touches: ClassVar[bool] = True

    __slots__ = ("order", "touch")

    touch: Callable[[int], None]  # pyright: ignore[reportIncompatibleMethodOverride]  - an attribute, never bound

    def __init__(self, capacity: int, columns: Columns, random: Random | None = None) -> None:
        """Start with an empty order."""
        super().__init__(capacity, columns, random)
        self.order: OrderedDict[int, None] = OrderedDict()
        self.touch = self.order.move_to_end

    def add_slot(self) -> None:
        """Do nothing: there are no columns."""

    def insert(self, slot: int) -> None:
        """Become the most recently used."""
        self.order[slot] = None

    def remove(self, slot: int) -> None:
        """Leave the order."""
        del self.order[slot]

    def evict(self, now: float) -> int:
        """Take the least recently used."""
        del now
        return self.order.popitem(last=False)[0]
