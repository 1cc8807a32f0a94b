"""How often keys were asked for lately, in half a byte a counter and without keeping a key.

G. Cormode, S. Muthukrishnan, "An improved data stream summary: the count-min sketch and its applications", Journal of
Algorithms, 2005; counters of 4 bits that are halved from time to time are those of G. Einziger, R. Friedman,
B. Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM Transactions on Storage, 2017.

Rule 1: a key has one word of 64 bits: four rows of four counters. It counts in one counter of each row, and the least of
the four is the estimate: never below the truth since the last halving (as far as 15), seldom above.
Rule 2: after ten counts for each word all counters are halved. Each word is halved when it is next looked at, by the
halvings that it has missed, so there is no moment at which the whole table is walked.
Rule 3: the table doubles by being written twice: with one more bit of its hash a key finds its counters in either half.
"""

from array import array
from typing import Final, final

LARGEST: Final = 15
"""What a counter holds at most."""

PERIOD: Final = 10
"""Counts for each word between two halvings."""

_MIX: Final = 0x9E3779B97F4A7C15
_KEEP: Final = (
    0xFFFF_FFFF_FFFF_FFFF,
    0x7777_7777_7777_7777,
    0x3333_3333_3333_3333,
    0x1111_1111_1111_1111,
)
"""What is left of a word's bits after so many halvings."""

_SHIFTS: Final = tuple(
    tuple(16 * row + 4 * (choice >> 2 * row & 3) for row in range(4)) for choice in range(256)
)
"""The four counters of a word that a key has, by 8 bits of its hash."""


@final
class Sketch:
    """Counts for as many keys as there are words, 9 bytes each."""

    __slots__ = ("age", "ages", "counts", "mask", "words")

    def __init__(self) -> None:
        """Start with room for 64 keys, all counts zero."""
        self.words = array("Q", bytes(8 * 64))
        self.ages = bytearray(64)
        """The halvings that each word has been through, modulo 256."""
        self.age = 0
        self.counts = 0
        self.mask = 63

    def make_room(self, entries: int) -> None:
        """Grow to at least a word for each of `entries` entries, keeping all estimates."""
        while self.mask + 1 < entries:
            self.words *= 2
            self.ages *= 2
            self.mask = 2 * self.mask + 1

    def count(self, key: object) -> None:
        """Count `key` once, and halve everything when it is time."""
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
        first, second, third, fourth = _SHIFTS[mixed >> 24 & 255]
        return min(word >> first & 15, word >> second & 15, word >> third & 15, word >> fourth & 15)

    def _word(self, place: int) -> int:
        """Give the word, halved as often as it is due."""
        word = self.words[place]
        missed = self.age - self.ages[place] & 255
        if missed:
            word = word >> missed & _KEEP[missed] if missed < len(_KEEP) else 0
            self.words[place] = word
            self.ages[place] = self.age
        return word
