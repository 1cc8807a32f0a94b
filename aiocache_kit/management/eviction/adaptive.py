"""The default: three queues of which the small one finds its own size, and newcomers that must prove a shorter reuse.

Its own composition. The queues and the counter are those of J. Yang, Y. Zhang, Z. Qiu, Y. Yue, K. V. Rashmi, "FIFO
queues are all you need for cache eviction", ACM SOSP 2023. The small queue's size moves by marginal gains as in
N. Megiddo, D. S. Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", USENIX FAST 2003. The reuse test is of
S. Jiang, X. Zhang, "LIRS: An Efficient Low Inter-reference Recency Set Replacement Policy", ACM SIGMETRICS 2002.

Its weak spot is a walk to and fro over somewhat more than there is room for: what comes back at once is what was met
last, and lru, which keeps just that, answers more.

Small queue S, main queue M (a clock), ghost G (keys only), f = `Columns.hits` (0 to 3). Time is counted in misses.

Rule 1: a hit raises f and does nothing else. An entry out of time counts as f = 0.
Rule 2: until something had to leave for the first time, S takes 5 % of the capacity and the rest goes straight to M.
Rule 3: a key not in G enters S.
Rule 4: a key in G that left S fewer evictions of S ago than 5 % of the entries makes the target of S one entry larger;
one that left M that recently makes it one smaller. The target stays within 1 % and 90 % of the capacity.
Rule 5: a key in G enters M if S is above its target by as much, so that S will make the room. Else the clock is asked
for its first entry with f = 0, within 8 entries: if that has been idle for longer than the newcomer's reuse took, it
goes and the newcomer enters M; if not, the newcomer enters S. So a part of a loop larger than the cache stays, and a
scan drives out nothing that is in use. Targets are whole numbers and M has none of its own: were there a fraction
between the two, newcomers would enter M untested in turn, and of the loop nothing would stay.
Rule 6: to make room, the back of S while S has reached its target: f of 2 or 3 moves to M, else it goes. Otherwise the
back of M: with f above 0 it turns round to the front with f - 1, at most 16 times; then it goes.
Rule 7: so no call looks at more than 41 entries, and no list is ever walked.
Rule 8: the newest stands outside the queues until another is the newest, so it cannot be met at a back.
"""

from array import array
from math import inf
from random import Random
from typing import ClassVar, Final, final

from aiocache_kit.management.eviction.ghost import WRAP, Ghost
from aiocache_kit.management.eviction.policy import NIL, Columns, EvictionPolicy
from aiocache_kit.management.eviction.queues import Queues

SMALL: Final = 1
MAIN: Final = 2

SHARE: Final = 20
"""S starts with one part in so many; a ghost is recent if it left within as many evictions."""

WORTHY: Final = 2
"""Hits in S that let an entry move to M."""

LOOKS: Final = 8
"""Entries at the back of M that the reuse test may look at."""

TURNS: Final = 16
"""Entries that may move to M, and that may turn round in M, before one goes regardless."""


@final
class Adaptive(EvictionPolicy):
    """Evicts from the small queue or the main one, as the last misses advise. 33 bytes an entry, its ghost included."""

    name: ClassVar[str] = "adaptive"
    ceiling: ClassVar[int] = 3

    __slots__ = ("full", "ghost", "left_main", "left_small", "limit", "misses", "queues", "reuse", "stamps", "target")

    def __init__(self, capacity: int, columns: Columns, random: Random | None = None) -> None:
        """Start empty, with S at 5 %."""
        super().__init__(capacity, columns, random)
        self.queues = Queues(columns, MAIN)
        self.stamps = array("I")
        """The miss at which the entry was inserted, or last turned round."""
        self.misses = 0
        self.left_small = 0
        """Twice the evictions from S, as `left_main` is twice those from M, and one: a number tells its queue."""
        self.left_main = 1
        self.limit = capacity
        """The weight there is room for: the capacity, or what was held when another bound made the table evict."""
        self.target = max(1, capacity // SHARE)
        """The weight of S from which on room is made there."""
        self.reuse = 0
        """The misses that the newest's reuse took, while it has yet to pass the test; else 0."""
        self.ghost = Ghost(0)
        self.full = False
        """Whether something had to leave already; the ghost is made for so many entries then."""

    def add_slot(self) -> None:
        """Make room in the columns."""
        self.queues.add_slot()
        self.stamps.append(0)

    def insert(self, slot: int) -> None:
        """Choose the queue by what the ghost knows of the key."""
        queues, ghost = self.queues, self.ghost
        queues.enter(slot, SMALL)
        self.misses = misses = self.misses + 1 & WRAP
        self.stamps[slot] = misses
        self.reuse = 0
        if not self.full:
            if self.target <= queues.weights[SMALL] and sum(queues.weights) < self.capacity:
                queues.where[slot] = MAIN
            return
        place = ghost.take(self.columns.keys[slot])
        if place != NIL:
            weight = 1 if self.columns.weights is None else self.columns.weights[slot]
            self._adapt(ghost.numbers[place], weight)
            if queues.weights[SMALL] >= self.target + weight:
                queues.where[slot] = MAIN
            else:
                self.reuse = misses - ghost.stamps[place] & WRAP

    def remove(self, slot: int) -> None:
        """Leave the queue; the ghost is not told, for room was not the reason."""
        self.queues.remove(slot)
        self.reuse = 0

    def rewrite(self, slot: int, old_weight: int) -> None:
        """Count a hit and keep the place, unless the entry has grown and so may have to be spared."""
        super().rewrite(slot, old_weight)
        self.queues.rewrite(slot, old_weight)
        self.reuse = 0

    def evict(self, now: float) -> int:
        """Take the entry that the rules name."""
        if not self.full or self.columns.weights is not None:
            self._take_measure()
        victim = self._idlest(now) if self.reuse else NIL
        if victim == NIL:
            victim = self._from_small(now)
        if victim == NIL:
            victim = self._from_main(now)
        if victim == NIL:
            victim = self.queues.give_up_newest()
        return victim

    def _adapt(self, number: int, step: int) -> None:
        """Move the target of S if the key, whose eviction had this number, left lately."""
        recent = 2 * (len(self.stamps) // SHARE or 1)
        if number & 1:
            if self.left_main - number & WRAP < recent:
                self.target = max(self.target - step, self.limit // 100, 1)
        elif self.left_small - number & WRAP < recent:
            self.target = max(min(self.target + step, self.limit * 9 // 10), 1)

    def _take_measure(self) -> None:
        """Find out how much there is room for, and set up a ghost for as many entries as there are."""
        queues = self.queues
        self.limit = limit = min(sum(queues.weights), self.capacity)
        entries = len(self.stamps)
        self.target = max(1, min(self.target, limit * 9 // 10) if self.full else limit // SHARE)
        if not self.full or entries > 2 * self.ghost.pairs:
            self.full = True
            self.ghost = Ghost(entries)

    def _idlest(self, now: float) -> int:
        """Let the newest take the reuse test: give the entry of M that goes for it, `NIL` where it fails."""
        queues, stamps, hits, fresh = self.queues, self.stamps, self.columns.hits, self.columns.fresh
        reuse, self.reuse = self.reuse, 0
        for _ in range(LOOKS):
            slot = queues.lists[MAIN].back
            if slot == NIL:
                break
            if not hits[slot] or -inf < fresh[slot] <= now:
                if self.misses - stamps[slot] & WRAP <= reuse:
                    break
                queues.where[queues.newest] = MAIN
                return self._leave_main()
            queues.turn(MAIN)
            stamps[slot] = self.misses
        return NIL

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
                self.left_small = number = self.left_small + 2 & WRAP
                self.ghost.note(self.columns.keys[slot], number, self.stamps[slot])
                return slot
            hits[slot] = 0
            queues.put(slot, MAIN)
        return NIL

    def _from_main(self, now: float) -> int:
        """Give the entry of M that goes, `NIL` where M is empty."""
        queues, stamps, hits, fresh = self.queues, self.stamps, self.columns.hits, self.columns.fresh
        for _ in range(TURNS):
            slot = queues.lists[MAIN].back
            if slot == NIL or not hits[slot] or -inf < fresh[slot] <= now:
                break
            queues.turn(MAIN)
            stamps[slot] = self.misses
        return self._leave_main()

    def _leave_main(self) -> int:
        """Let the back of M go; `NIL` where M is empty."""
        slot = self.queues.pop(MAIN)
        if slot != NIL:
            self.left_main = number = self.left_main + 2 & WRAP
            self.ghost.note(self.columns.keys[slot], number, self.stamps[slot])
        return slot
