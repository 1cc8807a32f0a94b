"""What is under way for each key: so that no copy goes up that was overtaken by a change.

Rule 1: whoever reads below, to copy upward, visits the key meanwhile. A change of the key that ends, here or by a
message of another process, makes the visits up to then void: what they have read is given and not copied.
Rule 2: two changes of a key at the same time reach the lowest layer in an order that nobody here knows. So neither is
copied upward, and what is above is removed. The same goes for one that a message about the key crosses.
Rule 3: copying and removing above are done in the key's turn, one after the other.
"""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Final

from aiocache_kit.management.key_locks import KeyLock, KeyLocks


class _Passage(KeyLock):
    """One key with something under way; the lock is its turn."""

    changes: int = 0
    is_crossed: bool = False
    """Whether the changes under way are of an order that is not known."""
    number: int = 0
    """How many changes have ended since the first of those who are here came."""


class Visit:
    """A read, or a change, of one key that is under way."""

    __slots__ = ("_emptied", "_number", "_tagged", "_traffic", "key", "turn")

    def __init__(self, traffic: "Traffic", key: str, passage: _Passage) -> None:
        """Begin to look whether something overtakes it."""
        self.key = key
        self._traffic = traffic
        self.turn: Final = passage
        """The key's turn."""
        self._number = passage.number
        self._emptied = traffic.emptied
        self._tagged = traffic.tagged

    def is_true(self, tags: tuple[str, ...]) -> bool:
        """Whether an item with `tags` that was read, or written, below during this visit may be copied upward."""
        traffic, passage = self._traffic, self.turn
        return (
            passage.number == self._number
            and not (passage.is_crossed and passage.changes)
            and traffic.emptied == self._emptied
            and (not tags or traffic.tagged == self._tagged)
        )

    def end_others(self) -> None:
        """Make the other visits up to now void."""
        self.turn.number += 1


class Traffic:
    """All that is under way in one storage."""

    __slots__ = ("_passages", "emptied", "tagged")

    def __init__(self) -> None:
        """Start with nothing under way."""
        self._passages = KeyLocks(_Passage)
        self.emptied: int = 0
        """How often many keys at once became void."""
        self.tagged: int = 0
        """How often tags were invalidated."""

    def __len__(self) -> int:
        return len(self._passages)

    @contextmanager
    def visits(self, keys: Iterable[str]) -> Generator[dict[str, Visit]]:
        """Read `keys` below."""
        visits: dict[str, Visit] = {}
        try:
            for key in keys:
                visits[key] = Visit(self, key, self._passages.join(key))
            yield visits
        finally:
            for key, visit in visits.items():
                self._passages.leave(key, visit.turn)

    @contextmanager
    def changes(self, keys: Iterable[str]) -> Generator[dict[str, Visit]]:
        """Change `keys`, each of which is given once."""
        with self.visits(keys) as visits:
            for visit in visits.values():
                visit.turn.changes += 1
                visit.turn.is_crossed = visit.turn.changes > 1
            try:
                yield visits
            finally:
                for visit in visits.values():
                    visit.turn.changes -= 1

    def cross(self, key: str) -> None:
        """Note a change of `key` by somebody else."""
        passage = self._passages.find(key)
        if passage is not None:
            passage.number += 1
            passage.is_crossed = True
