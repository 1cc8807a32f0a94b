"""S3-FIFO: a small queue that most entries pass through once, a main queue for those that were hit there, and a ghost.

J. Yang, Y. Zhang, Z. Qiu, Y. Yue, K. V. Rashmi, "FIFO queues are all you need for cache eviction", ACM SOSP 2023.

Small queue S, main queue M (a clock), ghost G (keys only), f = `Columns.hits` (0 to 3).

Rule 1: a hit raises f and does nothing else. An entry out of time counts as f = 0.
Rule 2: a key in G enters M, any other enters S. Until something had to leave for the first time, S takes a tenth of the
capacity and the rest goes straight to M.
Rule 3: to make room, the back of S while S has reached its tenth: f of 2 or 3 moves to M, else it goes, and G remembers
it for as many evictions as there are entries. Otherwise the back of M: with f above 0 it turns round to the front with
f - 1; else it goes.
Rule 4: after 16 that moved and 16 that turned round, one goes regardless: no call looks at more than 33 entries. The
paper walks on; that is worth some hundredths of a point.
Rule 5: the newest stands outside the queues until another is the newest.
"""

from math import inf
from random import Random
from typing import ClassVar, Final, final

from aiocache_kit.management.eviction.ghost import WRAP, Ghost
from aiocache_kit.management.eviction.policy import NIL, Columns, EvictionPolicy
from aiocache_kit.management.eviction.queues import Queues

SMALL: Final = 1
MAIN: Final = 2

SHARE: Final = 10
"""S has one part in so many."""

WORTHY: Final = 2
"""Hits in S that let an entry move to M."""

TURNS: Final = 16
"""Entries that may move to M, and that may turn round in M, before one goes regardless."""


@final
class S3Fifo(EvictionPolicy):
    """Evicts the oldest without enough hits, from S or M. 29 bytes an entry, its ghost included."""

    name: ClassVar[str] = "s3fifo"
    ceiling: ClassVar[int] = 3

    __slots__ = ("full", "ghost", "left", "queues", "target")

    def __init__(self, capacity: int, columns: Columns, random: Random | None = None) -> None:
        """Start empty, with a tenth of the capacity for S."""
        super().__init__(capacity, columns, random)
        self.queues = Queues(columns, MAIN)
        self.target = max(1, capacity // SHARE)
        self.left = 0
        self.ghost = Ghost(0)
        self.full = False
        """Whether something had to leave already; the ghost is made for so many entries then."""

    def add_slot(self) -> None:
        """Make room in the columns."""
        self.queues.add_slot()

    def insert(self, slot: int) -> None:
        """Choose the queue by whether the key left lately."""
        queues, ghost = self.queues, self.ghost
        queues.enter(slot, SMALL)
        if not self.full:
            if self.target <= queues.weights[SMALL] and sum(queues.weights) < self.capacity:
                queues.where[slot] = MAIN
            return
        place = ghost.take(self.columns.keys[slot])
        if place != NIL and self.left - ghost.numbers[place] & WRAP < len(queues.where):
            queues.where[slot] = MAIN

    def remove(self, slot: int) -> None:
        """Leave the queue; the ghost is not told, for room was not the reason."""
        self.queues.remove(slot)

    def rewrite(self, slot: int, old_weight: int) -> None:
        """Count a hit and keep the place, unless the entry has grown and so may have to be spared."""
        super().rewrite(slot, old_weight)
        self.queues.rewrite(slot, old_weight)

    def evict(self, now: float) -> int:
        """Take the entry that the rules name."""
        if not self.full or self.columns.weights is not None:
            self._take_measure()
        victim = self._from_small(now)
        if victim == NIL:
            victim = self._from_main(now)
        if victim == NIL:
            victim = self.queues.give_up_newest()
        return victim

    def _take_measure(self) -> None:
        """Find out how much there is room for, and set up a ghost for as many entries as there are."""
        queues = self.queues
        self.target = max(1, min(self.capacity, sum(queues.weights)) // SHARE)
        entries = len(queues.where)
        if not self.full or entries > 2 * self.ghost.pairs:
            self.full = True
            self.ghost = Ghost(entries)

    def _from_small(self, now: float) -> int:
        """Give the entry of S that goes, `NIL` where it is M's turn."""
        queues, hits, fresh = self.queues, self.columns.hits, self.columns.fresh
        for _ in range(TURNS):
            if queues.weights[SMALL] < self.target and queues.lists[MAIN].back != NIL:
                break
            slot = queues.pop(SMALL)
            if slot == NIL:
                break
            if hits[slot] < WORTHY or -inf < fresh[slot] <= now:
                self.left = left = self.left + 1 & WRAP
                self.ghost.note(self.columns.keys[slot], left, left)
                return slot
            hits[slot] = 0
            queues.put(slot, MAIN)
        return NIL

    def _from_main(self, now: float) -> int:
        """Give the entry of M that goes, `NIL` where M is empty."""
        queues, hits, fresh = self.queues, self.columns.hits, self.columns.fresh
        for _ in range(TURNS):
            slot = queues.lists[MAIN].back
            if slot == NIL or not hits[slot] or -inf < fresh[slot] <= now:
                break
            queues.turn(MAIN)
        return queues.pop(MAIN)
