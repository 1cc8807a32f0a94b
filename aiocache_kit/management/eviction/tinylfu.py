"""W-TinyLFU: newcomers pass through a window, and enter the main part only if asked for more often than who must go.

G. Einziger, R. Friedman, B. Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM Transactions on Storage,
2017; and for the window that finds its own size G. Einziger, O. Eytan, R. Friedman, B. Manes, "Adaptive Software Cache
Management", ACM/IFIP Middleware 2018.

Window W, and a main part in two segments, probation P and protected Q; each is kept least recently used at the back.

Rule 1: a key is counted in the sketch at each hit and at its insertion. A hit in P moves the entry to Q, and what Q
then has too much falls back to the front of P.
Rule 2: to make room, the back of W is the candidate and moves to P while W is over its share. The back of P is the
victim. The candidate stays, and the victim goes, if the sketch has seen the candidate more often; else the candidate
goes. One time in 128 a candidate seen often stays anyway: keys made up to collide with popular ones gain nothing.
Rule 3: every ten requests an entry, W's share moves on by a step in the direction in which the hit rate last rose.
Steps grow smaller, until the hit rate jumps and they start anew. Entries follow the shares as they are met.
Rule 4: hits are noted in a ring and worked off at the next insertion, so a hit costs one append. Of more than
`RING` hits in a row the first are forgotten: nothing is being evicted meanwhile.
Rule 5: an entry out of time goes without being compared.
"""

from collections import deque
from collections.abc import Callable
from math import inf
from random import Random
from typing import ClassVar, Final, final

from aiocache_kit.management.eviction.policy import NIL, Columns, EvictionPolicy
from aiocache_kit.management.eviction.queues import Queues
from aiocache_kit.management.eviction.sketch import Sketch

WINDOW: Final = 1
PROBATION: Final = 2
PROTECTED: Final = 3

RING: Final = 128
"""Hits that are remembered until the next insertion."""

MOVES: Final = 8
"""Entries that leave the window in one call."""

FIRST_SHARE: Final = 0.01
"""The window's part of the capacity at first."""

SHARED: Final = FIRST_SHARE + 0.8 * (1 - FIRST_SHARE)
"""The part of the capacity that window and protected segment have together; what one gains the other loses."""

FIRST_STEP: Final = 0.0625
"""By how much of the capacity the window's share moves at first."""

DECAY: Final = 0.98
JUMP: Final = 0.05
"""A change of the hit rate that starts the steps anew."""

PERIOD: Final = 10
"""Requests for each entry between two steps."""

SEEN_OFTEN: Final = 6
ONE_TIME_IN: Final = 128


@final
class TinyLfu(EvictionPolicy):
    """Evicts who was asked for less often, of the oldest newcomer and the oldest on probation. 18 bytes an entry."""

    name: ClassVar[str] = "tinylfu"
    ceiling: ClassVar[int] = 0
    touches: ClassVar[bool] = True

    __slots__ = (
        "candidate",
        "hits",
        "last_rate",
        "protected",
        "queues",
        "requests",
        "ring",
        "room",
        "share",
        "sketch",
        "step",
        "touch",
        "window",
    )

    touch: Callable[[int], None]  # pyright: ignore[reportIncompatibleMethodOverride]  - an attribute, never bound

    def __init__(self, capacity: int, columns: Columns, random: Random | None = None) -> None:
        """Start empty, with one per cent for the window."""
        super().__init__(capacity, columns, random)
        self.queues = Queues(columns, PROTECTED)
        self.sketch = Sketch()
        self.ring: deque[int] = deque(maxlen=RING)
        self.touch = self.ring.append
        self.candidate = NIL
        """Who left the window for the present newest, while it is on probation."""
        self.requests = 0
        self.hits = 0
        self.last_rate = 0.0
        self.share = FIRST_SHARE
        self.step = -FIRST_STEP
        self._divide(capacity)

    def add_slot(self) -> None:
        """Make room in the columns and in the sketch."""
        self.queues.add_slot()
        self.sketch.make_room(len(self.queues.where))

    def insert(self, slot: int) -> None:
        """Work off the hits since the last insertion, and enter the window."""
        self._work_off()
        self.queues.enter(slot, WINDOW)
        self.sketch.count(self.columns.keys[slot])
        self.requests += 1
        if self.requests > PERIOD * len(self.queues.where):
            self._climb()
        self.candidate = NIL
        self._leave_window()

    def remove(self, slot: int) -> None:
        """Leave the queue; hits of it that are still in the ring are passed over."""
        self.queues.remove(slot)

    def rewrite(self, slot: int, old_weight: int) -> None:
        """Note a hit, and follow the weight."""
        super().rewrite(slot, old_weight)
        self.queues.rewrite(slot, old_weight)

    def evict(self, now: float) -> int:
        """Take the candidate or the victim."""
        if self.columns.weights is not None:
            self._work_off()
            self._divide(min(self.capacity, sum(self.queues.weights)))
            self._leave_window()
        queues, fresh = self.queues, self.columns.fresh
        candidate = self.candidate
        if candidate != NIL and queues.where[candidate] != PROBATION:
            candidate = NIL
        victim = self._victim(candidate)
        if victim == NIL:
            return queues.give_up_newest()
        if candidate not in {NIL, victim} and not -inf < fresh[victim] <= now:
            keys = self.columns.keys
            expired = -inf < fresh[candidate] <= now
            if expired or not self._admits(keys[candidate], keys[victim]):
                victim = candidate
        queues.remove(victim)
        return victim

    def _leave_window(self) -> None:
        """Let who is too much in the window go on probation; the first of them is the candidate."""
        queues, weights = self.queues, self.columns.weights
        limit = self.window
        newest = queues.newest
        if newest != NIL and queues.where[newest] == WINDOW:
            limit -= 1 if weights is None else weights[newest]
        for _ in range(MOVES):
            if queues.weights[WINDOW] <= limit:
                break
            slot = queues.pop(WINDOW)
            if slot == NIL:
                break
            queues.put(slot, PROBATION)
            if self.candidate == NIL:
                self.candidate = slot

    def _victim(self, candidate: int) -> int:
        """Give who must go if the candidate stays; the candidate itself, or `NIL`, where there is nobody."""
        _, window, probation, protected = self.queues.lists
        for victim in (probation.back, protected.back):
            if victim not in {NIL, candidate}:
                return victim
        return window.back if candidate == NIL else candidate

    def _admits(self, candidate: str, victim: str) -> bool:
        sketch = self.sketch
        seen = sketch.estimate(candidate)
        if seen > sketch.estimate(victim):
            return True
        return seen >= SEEN_OFTEN and self.random.random() * ONE_TIME_IN < 1

    def _work_off(self) -> None:
        """Bring counts and orders up to date with the hits in the ring."""
        ring = self.ring
        if not ring:
            return
        queues, sketch, keys = self.queues, self.sketch, self.columns.keys
        for slot in ring:
            queue = queues.where[slot]
            if not queue:
                continue
            self.hits += 1
            self.requests += 1
            sketch.count(keys[slot])
            if slot == queues.newest:
                continue
            if queue == PROBATION:
                queues.remove(slot)
                queues.put(slot, PROTECTED)
                self._demote()
            else:
                turning = queues.lists[queue]
                turning.remove(slot)
                turning.push_front(slot)
        ring.clear()

    def _demote(self) -> None:
        """Let up to two fall back from the protected segment: one for who came, and one for a share that shrank."""
        queues = self.queues
        for _ in range(2):
            if queues.weights[PROTECTED] > self.protected:
                queues.put(queues.pop(PROTECTED), PROBATION)

    def _climb(self) -> None:
        """Move the window's share by a step up the hit rate."""
        rate = self.hits / self.requests
        change = rate - self.last_rate
        step = self.step if change >= 0 else -self.step
        self.share = min(max(self.share + step, 0.0), SHARED)
        if abs(change) >= JUMP:
            self.step = FIRST_STEP if step >= 0 else -FIRST_STEP
        else:
            self.step = DECAY * step
        self.last_rate = rate
        self.requests = self.hits = 0
        self._divide(self.room)

    def _divide(self, room: int) -> None:
        """Set the shares for so much room."""
        self.room = room
        self.window = max(1, int(room * self.share))
        self.protected = int(room * (SHARED - self.share))
