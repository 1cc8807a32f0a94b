"""A heap of slots that is repaired lazily, for the policies that rank entries by a number.

Rule 1: a hit does not touch the heap. A rank may only grow while its entry is held, so the lowest rank here is at worst
too low; the policy compares it with the rank as it is now, and calls `sink` where they differ.
Rule 2: an entry that leaves stays behind as litter until it surfaces. It is known by its serial number, which is never
used again, while its slot is.
Rule 3: litter never outweighs the entries by much. Once it does, this heap is the *old* one, and is emptied from its
end, a few places a call, into a new one: the rest of a heap without its last place is a heap. So no call costs more
than O(log n), and there is no rebuild to wait for.
"""

from array import array
from heapq import heappop, heappush, heapreplace
from typing import Final, final

LEAST_LITTER: Final = 64
"""Litter below this is never worth moving away from."""

MOVES: Final = 4
"""Places of the old heap that are emptied a call: it is gone long before the new one is full of litter."""

MOST_REPAIRS: Final = 10_000
"""Places that a policy makes good in one call, before it takes the lowest as it is: some milliseconds."""


@final
class LazyHeap:
    """Slots by rank, lowest first; equal ranks by serial number, lower first. About 150 bytes an entry."""

    __slots__ = ("heap", "held", "old", "serials")

    def __init__(self) -> None:
        """Start empty."""
        self.heap: list[tuple[float, int, int]] = []
        self.old: list[tuple[float, int, int]] = []
        self.serials = array("Q")
        """The serial number of each slot's place in a heap, zero for none."""
        self.held = 0

    def __len__(self) -> int:
        """Count the places, litter included."""
        return len(self.heap) + len(self.old)

    def add_slot(self) -> None:
        """Make room for the next slot number."""
        self.serials.append(0)

    def push(self, rank: float, serial: int, slot: int) -> None:
        """Take `slot`, which is not here, in; `serial` is above zero and was never used before."""
        if self.old:
            self._move_on()
        self.serials[slot] = serial
        self.held += 1
        heappush(self.heap, (rank, serial, slot))

    def discard(self, slot: int) -> None:
        """Leave the place of `slot` behind as litter."""
        self.serials[slot] = 0
        self.held -= 1
        if self.old:
            self._move_on()
        elif len(self.heap) > 2 * self.held + LEAST_LITTER:
            self.old, self.heap = self.heap, []

    def lowest(self) -> tuple[float, int, int]:
        """Give rank, serial number and slot of the lowest entry; never called where there is none."""
        while True:
            heap = self._lower()
            top = heap[0]
            if self.serials[top[2]] == top[1]:
                return top
            heappop(heap)

    def sink(self, rank: float, serial: int) -> None:
        """Give the lowest entry, which `lowest` has just told, this rank and serial number instead."""
        heap = self._lower()
        slot = heap[0][2]
        self.serials[slot] = serial
        if heap is self.heap:
            heapreplace(heap, (rank, serial, slot))
        else:
            heappop(heap)
            heappush(self.heap, (rank, serial, slot))

    def pop(self) -> int:
        """Take the lowest entry out and return its slot; never called where there is none."""
        _, _, slot = self.lowest()
        heappop(self._lower())
        self.serials[slot] = 0
        self.held -= 1
        return slot

    def _lower(self) -> list[tuple[float, int, int]]:
        """Choose the heap whose top is lower."""
        if self.old and (not self.heap or self.old[0] < self.heap[0]):
            return self.old
        return self.heap

    def _move_on(self) -> None:
        """Empty a few places of the old heap."""
        old, serials = self.old, self.serials
        for _ in range(min(MOVES, len(old))):
            place = old.pop()
            if serials[place[2]] == place[1]:
                heappush(self.heap, place)
