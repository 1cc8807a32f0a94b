"""How often keys were asked for lately, in half a byte a counter and without keeping a key.

G. Cormode, S. Muthukrishnan, "An improved data stream summary: the count-min sketch and its applications", Journal of
Algorithms, 2005; counters of 4 bits that are halved from time to time are those of G. Einziger, R. Friedman, B. Manes,
"TinyLFU: A Highly Efficient Cache Admission Policy", ACM Transactions on Storage, 2017.

Rule 1: a key has one word of 64 bits: four rows of four counters. It counts in one counter of each row, and the least
of the four is the estimate: up to 15 never below the truth since the last halving, and seldom above.
Rule 2: after ten counts for each word all counters are halved. A word is halved when it is next looked at, by as many
halvings as it has missed, so there is no moment at which the whole table is walked.
Rule 3: the table doubles by being written twice; with one more bit of its hash a key finds its counts in either half.
"""

from array import array
from typing import Final, final

LARGEST: Final = 15
"""What a counter holds at most."""

PERIOD: Final = 10
"""Counts for each word between two halvings."""

LEAST: Final = 64
"""Words at the start."""

_MIX: Final = 0x9E3779B97F4A7C15
_KEEP: Final = (0xFFFFFFFFFFFFFFFF, 0x7777777777777777, 0x3333333333333333, 0x1111111111111111)
"""What a word may keep of its bits, shifted, after none to three halvings; after four nothing is left."""

_SHIFTS: Final = tuple(tuple(16 * row + 4 * (choice >> 2 * row & 3) for row in range(4)) for choice in range(256))
"""Where the four counters of a key are in its word, by eight bits of its hash."""


@final
class Sketch:
    """Counts for as many keys as there are words, 9 bytes each."""

    __slots__ = ("age", "ages", "counts", "mask", "words")

    def __init__(self) -> None:
        """Start with few words, all counts zero."""
        self.words = array("Q", bytes(8 * LEAST))
        self.ages = bytearray(LEAST)
        """The halvings that each word has been through, modulo 256."""
        self.age = 0
        self.counts = 0
        self.mask = LEAST - 1

    def make_room(self, entries: int) -> None:
        """Grow to at least a word for each of `entries` entries, keeping all estimates."""
        while self.mask + 1 < entries:
            self.words *= 2
            self.ages *= 2
            self.mask = 2 * self.mask + 1

    def count(self, key: object) -> None:
        """Count `key` once, and let everything be halved when it is time."""
        # The hash of a whole number is the number, and a table may have been picked by the low bits of any hash.
        mixed = hash(key) * _MIX
        place = mixed >> 32 & self.mask
        word = self._word(place)
        for shift in _SHIFTS[mixed >> 24 & 255]:
            if word >> shift & LARGEST != LARGEST:
                word += 1 << shift
        self.words[place] = word
        self.counts += 1
        if self.counts > PERIOD * self.mask:
            self.counts //= 2
            self.age = self.age + 1 & 255

    def estimate(self, key: object) -> int:
        """Tell how often `key` was counted: 0 to 15."""
        mixed = hash(key) * _MIX
        word = self._word(mixed >> 32 & self.mask)
        return min([word >> shift & LARGEST for shift in _SHIFTS[mixed >> 24 & 255]])

    def _word(self, place: int) -> int:
        """Give the word, halved as often as it is due."""
        word = self.words[place]
        missed = self.age - self.ages[place] & 255
        if missed:
            word = word >> missed & _KEEP[missed] if missed < len(_KEEP) else 0
            self.words[place] = word
            self.ages[place] = self.age
        return word
