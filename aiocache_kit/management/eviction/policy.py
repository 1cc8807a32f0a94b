"""What an eviction policy is, and the list that most of them are made of.

Entries are known here by *slot*: a small whole number that the table gives an entry for as long as it is held, and
gives to another one afterwards. What a policy needs to know of an entry it reads in `Columns`, at that slot; what it
has to remember it keeps in columns of its own. Nothing here is an object an entry: that is what keeps an entry small,
and the garbage collector's pauses short, at a million entries.

Rule 1: a policy decides, the table acts. No policy touches values, reads a clock or draws an unseeded random number.
Rule 2: no call costs more with a larger capacity; `evict` looks at a bounded number of entries, amortised.
Rule 3: a hit costs the caller a counter at most (`ceiling`), unless the policy must reorder at once (`touches`).
Rule 4: links are arrays of numbers: half the size of lists, and nothing that the garbage collector walks.
"""

from abc import ABC, abstractmethod
from random import Random
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from array import array

NIL: Final = -1
"""The slot that is none: the end of a list."""


class Columns:
    """What a policy may see of the table's entries: lists that run in step, one place a slot.

    The table appends to each of them when it makes a new slot and fills the place before `EvictionPolicy.insert`;
    a policy reads them, and writes `hits` alone.
    """

    __slots__ = ("fresh", "hits", "keys", "weights")

    def __init__(self, *, weighted: bool = False) -> None:
        self.keys: list[str] = []
        self.hits: list[int] = []
        """Hits since the policy last set it; the table adds one a hit while it is below `EvictionPolicy.ceiling`."""
        self.fresh: list[float] = []
        """The instant on the monotonic clock from which the entry is no plain hit; minus infinity: ask the table."""
        self.weights: list[int] | None = [] if weighted else None
        """Bytes of the entry where the bound is in bytes; None where each entry counts as one."""


class EvictionPolicy(ABC):
    """Chooses which entry gives up its place.

    It is driven in one thread by the table, in one order for all policies, *insert, then evict*:

    - new slot number: the table appends to `Columns`, then calls `add_slot`; numbers come in order from zero;
    - key not held: the table fills the slot's place in every column (`hits` with 0), calls `insert`, then calls `evict`
      as long as its bound is exceeded. Within that one step it may thus hold one entry more than the bound;
    - key held, new value: the table sets `fresh` and `weights`, calls `rewrite`, then `evict` in the same way; that
      can be needed only where the weight has grown;
    - hit: `hits` is raised below `ceiling`, and `touch` is called where `touches` says so;
    - an entry leaves for any other reason: `remove`, while its columns are still filled; `evict` needs no `remove`.

    A policy holds exactly the slots that were inserted and neither removed nor evicted since. The *newest*, the slot
    that was inserted last, or rewritten last with a greater weight, is no victim while another is held: what was just
    stored can be read. An entry that weighs more than the whole bound is refused by the table before it comes here.

    Where the table keeps two bounds (entries and bytes), `capacity` is the one in bytes and `evict` may be called for
    either of them.
    """

    name: ClassVar[str]
    """The word for it in a configuration."""
    ceiling: ClassVar[int]
    """`Columns.hits` of a slot is raised by one at each hit up to this; zero: hits are not recorded."""
    touches: ClassVar[bool] = False
    """Whether `touch` must be called at each hit."""

    __slots__ = ("capacity", "columns", "random")

    def __init__(self, capacity: int, columns: Columns, random: Random | None = None) -> None:
        """Start empty, for `capacity` entries, or bytes where `columns.weights` is there; it is at least 1."""
        self.capacity = capacity
        self.columns = columns
        self.random = Random(0) if random is None else random  # noqa: S311  - chooses victims, guards nothing

    @abstractmethod
    def add_slot(self) -> None:
        """Make room in the policy's own columns for the next slot number."""

    @abstractmethod
    def insert(self, slot: int) -> None:
        """Take in the entry now at `slot`, which is the newest: its key was not in the table a moment ago."""

    @abstractmethod
    def remove(self, slot: int) -> None:
        """Forget the entry at `slot`: it was deleted, or its time is over."""

    @abstractmethod
    def evict(self, now: float) -> int:
        """Choose the victim, forget it and return its slot; never called while nothing is held.

        It is the newest only where nothing else is held. `now` is the instant on the clock of `Columns.fresh`; an entry
        past its instant has no hits to its credit. The victim's columns are still filled.
        """

    def touch(self, slot: int, /) -> None:
        """Learn of a hit at once; called only where `touches` says so."""
        del slot

    def rewrite(self, slot: int, old_weight: int) -> None:
        """Learn that the entry at `slot` was given a new value: a hit, perhaps another weight, and now the newest.

        `old_weight` is what `Columns.weights` said before (1 where there are no weights). The key stays in its place.
        """
        del old_weight
        hits = self.columns.hits
        if self.touches:
            self.touch(slot)
        elif hits[slot] < self.ceiling:
            hits[slot] += 1


class SlotList:
    """A doubly linked list over slots, front to back, in two columns that several lists may share.

    Each slot is in at most one of the lists that share the columns. Every call is O(1) and allocates nothing.
    """

    __slots__ = ("after", "back", "before", "front")

    def __init__(self, before: "array[int]", after: "array[int]") -> None:
        """Start empty over the columns `before` (towards the front) and `after` (towards the back)."""
        self.before = before
        self.after = after
        self.front = NIL
        self.back = NIL

    def add_slot(self) -> None:
        """Make room in both columns for the next slot number; one of the lists that share them is asked."""
        self.before.append(NIL)
        self.after.append(NIL)

    def push_front(self, slot: int) -> None:
        """Put `slot`, which is in no list, at the front."""
        front = self.front
        self.before[slot] = NIL
        self.after[slot] = front
        if front == NIL:
            self.back = slot
        else:
            self.before[front] = slot
        self.front = slot

    def pop_back(self) -> int:
        """Take the slot at the back out and return it, `NIL` where the list is empty."""
        slot = self.back
        if slot != NIL:
            before = self.before[slot]
            self.back = before
            if before == NIL:
                self.front = NIL
            else:
                self.after[before] = NIL
        return slot

    def remove(self, slot: int) -> None:
        """Take `slot`, which is in this list, out."""
        before = self.before[slot]
        after = self.after[slot]
        if before == NIL:
            self.front = after
        else:
            self.after[before] = after
        if after == NIL:
            self.back = before
        else:
            self.before[after] = before
