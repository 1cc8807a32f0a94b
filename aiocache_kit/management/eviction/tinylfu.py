"""W-TinyLFU: newcomers stay in a small window, and leave it for the main part only if asked for more often than who goes.

G. Einziger, R. Friedman, B. Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM Transactions on Storage,
2017; G. Einziger, O. Eytan, R. Friedman, B. Manes, "Adaptive Software Cache Management", ACM/IFIP Middleware 2018, for
the window that finds its own size.
"""

from collections import deque
from collections.abc import Callable
from math import inf
from random import Random
from typing import ClassVar, Final, final

from aiocache_kit.management.eviction.policy import NIL, Columns, EvictionPolicy, SlotList
from aiocache_kit.management.eviction.sketch import Sketch

WINDOW: Final = 1
PROBATION: Final = 2
PROTECTED: Final = 3


@final
class TinyLfu(EvictionPolicy):
    name: ClassVar[str] = "tinylfu"
    ceiling: ClassVar[int] = 0
    touches: ClassVar[bool] = True

    __slots__ = ("candidate", "hits_drained", "lists", "limits", "previous", "requests", "sketch", "step", "touch", "touched", "weights", "where")

    touch: Callable[[int], None]  # pyright: ignore[reportIncompatibleMethodOverride]  - an attribute, never bound

    def __init__(self, capacity: int, columns: Columns, random: Random | None = None) -> None:
        super().__init__(capacity, columns, random)
        before: list[int] = []
        after: list[int] = []
        self.lists = [SlotList(before, after) for _ in range(4)]
        self.weights = [0, 0, 0, 0]
        window = max(1, capacity // 100)
        self.limits = [0, window, 0, (capacity - window) * 4 // 5]
        self.where = bytearray()
        self.sketch = Sketch()
        self.touched: deque[int] = deque(maxlen=128)
        self.touch = self.touched.append
        self.candidate = NIL
        self.requests = 0
        self.hits_drained = 0
        self.previous = 0.0
        self.step = -0.0625 * capacity

    def add_slot(self) -> None:
        self.lists[0].add_slot()
        self.where.append(0)
        self.sketch.make_room(len(self.where))

    def _move(self, slot: int, to: int) -> None:
        weights = self.columns.weights
        weight = 1 if weights is None else weights[slot]
        part = self.where[slot]
        self.lists[part].remove(slot)
        self.weights[part] -= weight
        self.lists[to].push_front(slot)
        self.weights[to] += weight
        self.where[slot] = to

    def insert(self, slot: int) -> None:
        self.drain()
        self.candidate = NIL
        self.newest = slot
        weights = self.columns.weights
        self.where[slot] = WINDOW
        self.lists[WINDOW].push_front(slot)
        self.weights[WINDOW] += 1 if weights is None else weights[slot]
        self.sketch.count(self.columns.keys[slot])
        self.requests += 1
        if self.requests > 10 * max(100, len(self.where)):
            self.climb()

    def climb(self) -> None:
        rate = self.hits_drained / self.requests
        change = rate - self.previous
        amount = self.step if change >= 0 else -self.step
        self.step = (0.0625 * self.capacity * (1 if amount >= 0 else -1)) if abs(change) >= 0.05 else 0.98 * amount
        self.previous = rate
        self.requests = self.hits_drained = 0
        window, protected = self.limits[WINDOW], self.limits[PROTECTED]
        w = int(max(1, min(window + amount, window+protected)))
        self.limits[WINDOW] = w
        self.limits[PROTECTED] = window + protected - w
        if EAGER:
            while self.weights[PROTECTED] > self.limits[PROTECTED]:
                self._move(self.lists[PROTECTED].back, PROBATION)
            while self.weights[WINDOW] > w:
                self._move(self.lists[WINDOW].back, PROBATION)
            q = amount
            while q > 0 and self.weights[WINDOW] < w and self.lists[PROBATION].back != NIL:
                self._move(self.lists[PROBATION].back, WINDOW)
                q-=1

    def drain(self) -> None:
        where, lists = self.where, self.lists
        keys = self.columns.keys
        for slot in self.touched:
            part = where[slot]
            if not part:
                continue
            self.hits_drained += 1
            self.requests += 1
            self.sketch.count(keys[slot])
            if part == PROBATION:
                self._move(slot, PROTECTED)
                while self.weights[PROTECTED] > self.limits[PROTECTED]:
                    self._move(lists[PROTECTED].back, PROBATION)
            else:
                lists[part].remove(slot)
                lists[part].push_front(slot)
        self.touched.clear()

    def remove(self, slot: int) -> None:
        weights = self.columns.weights
        part = self.where[slot]
        self.lists[part].remove(slot)
        self.weights[part] -= 1 if weights is None else weights[slot]
        self.where[slot] = 0

    def evict(self, now: float) -> int:
        lists, sketch, keys = self.lists, self.sketch, self.columns.keys
        n=0
        while self.weights[WINDOW] > self.limits[WINDOW] and lists[WINDOW].back != self.newest:
            slot = lists[WINDOW].back
            self._move(slot, PROBATION)
            if self.candidate == NIL:
                self.candidate = slot
            n+=1
            if not EAGER and n>=8: break
        candidate = self.candidate
        victim = lists[PROBATION].back
        if victim == candidate:
            victim = lists[PROTECTED].back
        if victim == NIL:
            victim = candidate
        if victim == NIL:
            victim = lists[WINDOW].back
        if candidate != NIL and victim != candidate:
            c = sketch.estimate(keys[candidate]); v = sketch.estimate(keys[victim])
            if not (c > v or (c >= 6 and self.random.random() < 1/128)):
                victim = candidate
                self.candidate = NIL
        elif candidate != NIL:
            self.candidate = NIL
        self.remove(victim)
        return victim
EAGER=False
