"""When things end: what a ttl may be, and the buckets that find what has ended.

A ttl becomes a *life*: seconds as a float, infinity for "never". A deadline is an instant on the monotonic clock.

Entries wait in buckets of one second, found by the second in which they end, or of more where that is far off; a heap
orders the buckets. So putting an entry in, taking it out and finding the next one that has ended are O(1) in the number
of entries, and a sweep touches only what has ended, and what comes nearer (the timing-wheel idea of Varghese and Lauck,
"Hashed and Hierarchical Timing Wheels", SOSP 1987, with one hash of buckets in place of the wheels).

Rule 1: an entry waits in one bucket, never later than the second of its deadline. A deadline that moves away leaves the
entry where it is; who finds it there puts it in again. So a hot key that is written over and over costs nothing here.
Rule 2: nothing here reads a clock.
Rule 3: the second of an entry takes four bytes, which reach for 68 years from the zero of the clock. What ends after
that waits in the last bucket; once the clock has come there, seconds take eight bytes: what is found in that bucket and
lives on has to be put into another one, or it would be found again at once, for ever.
Rule 4: a bucket that emptied stays until its second is over, so there must not be many of them, however many entries
come and go before they end. What is due in more than about an hour waits in a bucket for some part of the time until
then, a sixteenth at most: it is found somewhat early and put in again, and all buckets together are some thousands.
"""

import heapq
import math
import re
from array import array
from datetime import timedelta
from typing import Final, TypeAlias

from aiocache_kit.errors import InvalidTTLError
from aiocache_kit.management.eviction.policy import NIL

TTL: TypeAlias = float | timedelta | str | None
"""What a caller may give as a ttl: seconds, a `timedelta`, text such as ``"1h30m"``, or None for "never"."""

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_TEXT: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_ALLOWED: Final = 'a positive number of seconds, a timedelta, text such as "1h30m", or None for never'
_LAST: Final = 2**31 - 2
"""The last second that fits into four bytes, and leaves one number for "in no bucket"."""
_LAST_OF_ALL: Final = 2**63 - 2
_NEAR: Final = 4096
"""Seconds from now within which each has a bucket of its own."""
_PARTS: Final = 5
"""How many binary digits of the time until it is due decide on the bucket of what is not near."""


def life_of(ttl: object) -> float:
    """Give the life in seconds that `ttl` asks for, infinity for None.

    Raises `InvalidTTLError` for anything but a positive, finite number (`bool` is none), a positive `timedelta`, text
    of numbers with the units ms, s, m, h, d and w (a bare number is seconds), or None.
    """
    if ttl is None:
        return math.inf
    if isinstance(ttl, bool):
        life = math.nan
    elif isinstance(ttl, int | float):
        life = _as_float(ttl)
    elif isinstance(ttl, timedelta):
        life = ttl.total_seconds()
    elif isinstance(ttl, str):
        life = _life_of_text(ttl)
    else:
        msg = f"ttl must be {_ALLOWED}, not {type(ttl).__name__}"
        raise InvalidTTLError(msg)
    if not 0.0 < life < math.inf:
        # Python refuses to write an int of some thousand digits, with an error of its own.
        given = "an int of so many digits" if isinstance(ttl, int) and abs(ttl) > _LAST else repr(ttl)
        msg = f"ttl must be {_ALLOWED}, not {given}"
        raise InvalidTTLError(msg)
    return life


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _life_of_text(text: str) -> float:
    compact = "".join(text.split()).lower()
    if _NUMBER.fullmatch(compact):
        return float(compact)
    if not _TEXT.fullmatch(compact):
        return math.nan
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(compact))


def ttl_of(life: float) -> float | None:
    """Give the ttl that a life stands for, as `Item.ttl` shows it: None for infinity."""
    return None if life == math.inf else life


class ExpiryBuckets:
    """Slots, by the second in which they are due."""

    __slots__ = ("_after", "_before", "_due", "_first", "_last", "_now", "_order")

    def __init__(self, now: float = 0.0) -> None:
        """Start without slots at about the instant `now`."""
        self._now = int(now)
        """The second in which somebody last asked for what is due."""
        self._first: dict[int, int] = {}
        """The first slot of each bucket by its second; `NIL` for one that emptied before its second was over."""
        self._order: list[int] = []
        """A heap of the seconds in `_first`, each once."""
        self._due = array("i")
        """The second of each slot's bucket; more than `_last`: it is in none."""
        self._last = _LAST
        """The second of the last bucket, where all that ends later waits as well."""
        self._before = array("i")
        self._after = array("i")

    def add_slot(self) -> None:
        """Make room for the next slot number."""
        self._due.append(self._last + 1)
        self._before.append(NIL)
        self._after.append(NIL)

    def schedule(self, slot: int, deadline: float) -> None:
        """Let `slot` be found once `deadline` is over; infinity: no need to find it, though it may be.

        It may be found before, and is to be put in again then, if more than `_NEAR` seconds are left (rule 4).
        """
        if deadline == math.inf:
            return
        last = self._last
        second = min(int(deadline) + 1, last)
        left = second - self._now
        if left > _NEAR:
            second &= -1 << left.bit_length() - _PARTS
        due = self._due[slot]
        if second >= due:
            return
        if due <= last:
            self.remove(slot)
        head = self._first.get(second)
        if head is None:
            heapq.heappush(self._order, second)
            head = NIL
        elif head != NIL:
            self._before[head] = slot
        self._first[second] = slot
        self._before[slot] = NIL
        self._after[slot] = head
        self._due[slot] = second

    def remove(self, slot: int) -> None:
        """Take `slot` out; fine where it is in no bucket."""
        due = self._due[slot]
        if due > self._last:
            return
        before, after = self._before[slot], self._after[slot]
        if after != NIL:
            self._before[after] = before
        if before != NIL:
            self._after[before] = after
        else:
            self._first[due] = after
        self._due[slot] = self._last + 1

    def next_due(self, now: float) -> int:
        """Take one slot out whose second is over and return it; `NIL` where there is none."""
        order = self._order
        self._now = int(min(now, _LAST_OF_ALL))
        while order and order[0] <= now:
            if order[0] == _LAST == self._last:
                self._reach_further()
            slot = self._first[order[0]]
            if slot != NIL:
                self.remove(slot)
                return slot
            del self._first[heapq.heappop(order)]
        return NIL

    def _reach_further(self) -> None:
        """Let seconds take eight bytes (rule 3). In one step, though it grows with the slots: once in 68 years."""
        self._last, none = _LAST_OF_ALL, _LAST + 1
        self._due = array("q", (_LAST_OF_ALL + 1 if due == none else due for due in self._due))
