"""Keys that left lately, and what was known of them: one flat table of words, no object a key.

The idea of remembering a key by a few bits of its hash in one of two places is that of B. Fan, D. G. Andersen,
M. Kaminsky, M. D. Mitzenmacher, "Cuckoo Filter: Practically Better Than Bloom", ACM CoNEXT 2014; nothing is moved here,
because a ghost may be forgotten.

Rule 1: a word is, from the top: 1 bit that is set, 12 bits of the key's hash, 1 bit for the queue that the key left (0
small, 1 main), 25 bits of the number of that eviction, 25 bits of the stamp. Numbers and stamps wrap; only differences
are looked at, and those stay true for caches of some ten million entries.
Rule 2: a key has two places, side by side. When both are taken, the word with the older stamp is driven out.
Rule 3: it may forget, and about one time in two thousand it takes a key for another. Both cost a worse choice, no more.
"""

from array import array
from typing import Final, final

FIELD: Final = (1 << 25) - 1
"""The bits of a number or a stamp, and the mask for differences of them."""

MAIN_BIT: Final = 50
"""Where in a word the bit for the main queue is."""

NUMBER_BITS: Final = 25
"""Where in a word the number begins; below it is the stamp."""

UNKNOWN: Final = -1
"""What `Ghost.take` gives for a key that is not remembered."""

_MIX: Final = 0x9E3779B97F4A7C15
_WORD: Final = (1 << 64) - 1
_TAG_BITS: Final = 51
_TAG: Final = (1 << 12) - 1
_TAKEN: Final = 1 << 12
_TOLD: Final = (1 << _TAG_BITS) - 1


@final
class Ghost:
    """A memory of about twice as many keys as the cache holds, at 16 bytes for each of its entries."""

    __slots__ = ("pairs", "words")

    def __init__(self, entries: int) -> None:
        """Start empty, beside a cache of so many `entries`."""
        self.pairs = max(entries, 4)
        self.words = array("Q", bytes(16)) * self.pairs

    def note(self, key: object, main: int, number: int, stamp: int) -> None:
        """Remember that `key` left the small queue (`main` 0) or the main one (1), as its `number`th, with this `stamp`."""
        words = self.words
        # The hash of a whole number is the number: mixed, neighbours part. The middle bits of a product are the best.
        mixed = hash(key) * _MIX & _WORD
        place = (mixed >> 32) % self.pairs * 2
        if words[place] and (stamp - words[place + 1] & FIELD) > (stamp - words[place] & FIELD):
            place += 1
        words[place] = (mixed >> 20 & _TAG | _TAKEN) << _TAG_BITS | main << MAIN_BIT | number << NUMBER_BITS | stamp

    def take(self, key: object) -> int:
        """Forget `key` and give its word without the bits of its hash; `UNKNOWN` where it is not remembered."""
        words = self.words
        mixed = hash(key) * _MIX & _WORD
        place = (mixed >> 32) % self.pairs * 2
        tag = mixed >> 20 & _TAG | _TAKEN
        if words[place] >> _TAG_BITS != tag:
            place += 1
            if words[place] >> _TAG_BITS != tag:
                return UNKNOWN
        word = words[place]
        words[place] = 0
        return word & _TOLD
