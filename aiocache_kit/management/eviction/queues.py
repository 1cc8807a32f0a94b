"""Several queues over the same slots, with their weights: what `s3fifo`, `adaptive` and `tinylfu` are made of.

Rule 1: a slot is in one of the queues or in none; `where` says which. Queue 0 stands for none and is always empty.
Rule 2: the newest entry stands outside until another is the newest: `where` already says which queue it will join, and
nothing can meet it at a back.
Rule 3: the weights are sums over what is in a queue, whole numbers, so they never drift.
"""

from array import array
from typing import final

from aiocache_kit.management.eviction.policy import NIL, Columns, SlotList


@final
class Queues:
    """Queues with their weights: bytes where the columns have weights, else entries. 9 bytes an entry."""

    __slots__ = ("columns", "lists", "newest", "weights", "where")

    def __init__(self, columns: Columns, count: int) -> None:
        """Start with `count` empty queues, numbered from one."""
        before = array("i")
        after = array("i")
        self.columns = columns
        self.lists = tuple(SlotList(before, after) for _ in range(count + 1))
        self.weights = [0] * (count + 1)
        self.where = bytearray()
        """The queue that each slot is in, or for the newest will be in; zero where the slot is not held."""
        self.newest = NIL

    def add_slot(self) -> None:
        """Make room for the next slot number."""
        self.lists[0].add_slot()
        self.where.append(0)

    def enter(self, slot: int, queue: int) -> None:
        """Let `slot`, bound for `queue`, be the newest; who was it joins its queue."""
        if self.newest != NIL:
            self.link(self.newest)
        self.newest = slot
        self.where[slot] = queue

    def link(self, slot: int) -> None:
        """Put the slot in front of the queue that `where` says."""
        weights = self.columns.weights
        queue = self.where[slot]
        self.weights[queue] += 1 if weights is None else weights[slot]
        self.lists[queue].push_front(slot)

    def pop(self, queue: int) -> int:
        """Take the back of `queue` out, and let `where` say so; `NIL` where it is empty."""
        slot = self.lists[queue].pop_back()
        if slot != NIL:
            weights = self.columns.weights
            self.weights[queue] -= 1 if weights is None else weights[slot]
            self.where[slot] = 0
        return slot

    def put(self, slot: int, queue: int) -> None:
        """Put a slot that is nowhere in front of `queue`."""
        self.where[slot] = queue
        self.link(slot)

    def turn(self, queue: int) -> None:
        """Let the back of `queue`, which is not empty, turn round to its front for one of its hits."""
        turning = self.lists[queue]
        slot = turning.pop_back()
        self.columns.hits[slot] -= 1
        turning.push_front(slot)

    def remove(self, slot: int) -> None:
        """Take the slot out of its queue, or from outside where it is the newest."""
        if slot == self.newest:
            self.newest = NIL
        else:
            weights = self.columns.weights
            queue = self.where[slot]
            self.lists[queue].remove(slot)
            self.weights[queue] -= 1 if weights is None else weights[slot]
        self.where[slot] = 0

    def rewrite(self, slot: int, old_weight: int) -> None:
        """Follow the slot's weight; where it has grown, the slot is the newest and has to be spared."""
        weights = self.columns.weights
        if weights is None or slot == self.newest:
            return
        growth = weights[slot] - old_weight
        queue = self.where[slot]
        self.weights[queue] += growth
        if growth > 0:
            self.remove(slot)
            self.enter(slot, queue)

    def give_up_newest(self) -> int:
        """Let the newest go, for there is nothing else; return its slot."""
        slot = self.newest
        self.remove(slot)
        return slot
