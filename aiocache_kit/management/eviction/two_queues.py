"""A small queue and a main queue over the same slots: what `s3fifo` and `adaptive` are made of.

Rule 1: a slot is in one of them or in neither; `where` says which. The newest entry stands outside until another is
the newest: `where` already says which queue it will be in, and nothing can meet it at a back.
Rule 2: the weights are sums over what is in a queue, whole numbers, so they never drift.
"""

from typing import Final, final

from aiocache_kit.management.eviction.policy import NIL, Columns, SlotList

SMALL: Final = 1
MAIN: Final = 2


@final
class TwoQueues:
    """Two FIFO queues with their weights: bytes where the columns have weights, else entries. 17 bytes an entry."""

    __slots__ = ("columns", "main", "main_weight", "small", "small_weight", "where")

    def __init__(self, columns: Columns) -> None:
        """Start with both empty."""
        before: list[int] = []
        after: list[int] = []
        self.columns = columns
        self.small = SlotList(before, after)
        self.main = SlotList(before, after)
        self.small_weight = 0
        self.main_weight = 0
        self.where = bytearray()
        """`SMALL`, `MAIN`, or 0 where the slot is not held."""

    def add_slot(self) -> None:
        """Make room for the next slot number."""
        self.small.add_slot()
        self.where.append(0)

    def link(self, slot: int) -> None:
        """Put the slot in front of the queue that `where` says."""
        weights = self.columns.weights
        weight = 1 if weights is None else weights[slot]
        if self.where[slot] == SMALL:
            self.small_weight += weight
            self.small.push_front(slot)
        else:
            self.main_weight += weight
            self.main.push_front(slot)

    def unlink(self, slot: int, weight: int) -> None:
        """Take the slot, which counts for `weight`, out of its queue; `where` stays."""
        if self.where[slot] == SMALL:
            self.small.remove(slot)
        else:
            self.main.remove(slot)
        self.add_weight(slot, -weight)

    def add_weight(self, slot: int, growth: int) -> None:
        """Let the slot's queue weigh so much more."""
        if self.where[slot] == SMALL:
            self.small_weight += growth
        else:
            self.main_weight += growth

    def pop_small(self) -> int:
        """Take the back of the small queue out; `NIL` where it is empty."""
        slot = self.small.pop_back()
        if slot != NIL:
            weights = self.columns.weights
            self.small_weight -= 1 if weights is None else weights[slot]
            self.where[slot] = 0
        return slot

    def pop_main(self) -> int:
        """Take the back of the main queue out; `NIL` where it is empty."""
        slot = self.main.pop_back()
        if slot != NIL:
            weights = self.columns.weights
            self.main_weight -= 1 if weights is None else weights[slot]
            self.where[slot] = 0
        return slot

    def promote(self, slot: int) -> None:
        """Put a slot that was just taken out in front of the main queue, its hits used up."""
        self.columns.hits[slot] = 0
        self.where[slot] = MAIN
        self.link(slot)

    def turn_main(self) -> None:
        """Let the back of the main queue, which is not empty, turn round to its front for one of its hits."""
        slot = self.main.pop_back()
        self.columns.hits[slot] -= 1
        self.main.push_front(slot)
