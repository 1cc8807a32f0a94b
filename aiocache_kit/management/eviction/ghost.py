"""Keys that left lately, and what was known of them: three flat columns, no object a key.

To know a key by some bits of its hash in one of two places is the idea of B. Fan, D. G. Andersen, M. Kaminsky,
M. D. Mitzenmacher, "Cuckoo Filter: Practically Better Than Bloom", ACM CoNEXT 2014; nothing is ever moved here, because
a ghost may be forgotten.

Rule 1: a key has two places, side by side. Where both are taken, the one with the older stamp gives way.
Rule 2: the place is the rest and the tag the quotient of the hash, divided by an odd number: tables are often picked by
the hash's low bits, which thus do not matter here.
Rule 3: it may forget, and about one time in fifteen thousand it takes a key for another. Both cost a worse choice of
victim, no more.
"""

from array import array
from typing import Final, final

from aiocache_kit.management.eviction.policy import NIL

WRAP: Final = (1 << 32) - 1
"""The mask for numbers and stamps, which are kept in 32 bits; only differences of them are looked at."""

_TAG: Final = 0x7FFF
_TAKEN: Final = 0x8000


@final
class Ghost:
    """A memory of up to twice as many keys as the cache holds, at 20 bytes for each entry of the cache."""

    __slots__ = ("numbers", "pairs", "stamps", "tags")

    def __init__(self, entries: int) -> None:
        """Start empty, beside a cache of so many `entries`."""
        self.pairs = max(entries, 4) | 1
        self.tags = array("H", bytes(4)) * self.pairs
        """Zero: nothing is here."""
        self.numbers = array("I", bytes(8)) * self.pairs
        self.stamps = array("I", bytes(8)) * self.pairs

    def note(self, key: object, number: int, stamp: int) -> None:
        """Remember `key` with a `number` and a `stamp`, both of 32 bits."""
        hashed = hash(key)
        place = hashed % self.pairs * 2
        tags, stamps = self.tags, self.stamps
        if tags[place] and stamps[place + 1] < stamps[place]:
            place += 1
        tags[place] = hashed // self.pairs & _TAG | _TAKEN
        self.numbers[place] = number
        stamps[place] = stamp

    def take(self, key: object) -> int:
        """Forget `key` and give its place, where its number and stamp still stand; `NIL` where it is not remembered."""
        hashed = hash(key)
        tags = self.tags
        place = hashed % self.pairs * 2
        tag = hashed // self.pairs & _TAG | _TAKEN
        if tags[place] != tag:
            place += 1
            if tags[place] != tag:
                return NIL
        tags[place] = 0
        return place
