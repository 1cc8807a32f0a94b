"""What a node has missed: the changes that did not reach it, or may not have.

Rule 1: a node is never asked for what is in here. It may hold something older than the truth, under these keys and no
others; so what it holds under them is removed before it is asked again.
Rule 2: it is bounded. What does not fit makes it "everything": all that the node holds is removed then.
Rule 3: what is being made up for still counts until that is done, and what is missed meanwhile is kept apart from it.
"""

from collections.abc import Collection, Iterable
from itertools import islice
from typing import Final

MOST_KEYS: Final = 10_000
_MOST_OTHERS: Final = 100


class Gaps:
    """Keys, beginnings of keys and tags; or all there is."""

    __slots__ = ("everything", "keys", "prefixes", "tags")

    def __init__(self) -> None:
        """Start with none."""
        self.everything: bool = False
        self.keys: Final[dict[str, None]] = {}
        self.prefixes: Final[set[str]] = set()
        self.tags: Final[set[str]] = set()

    def __bool__(self) -> bool:
        return bool(self.everything or self.keys or self.prefixes or self.tags)

    def cover(self, key: str) -> bool:
        """Whether the item under `key` may be older than the truth; apart from its tags."""
        return (
            self.everything
            or key in self.keys
            or (bool(self.prefixes) and any(key.startswith(prefix) for prefix in self.prefixes))
        )

    def add(self, other: "Gaps") -> None:
        """Take over what `other` has."""
        self.keys.update(other.keys)
        self.prefixes.update(other.prefixes)
        self.tags.update(other.tags)
        self.everything = self.everything or other.everything
        self.bound()

    def bound(self) -> None:
        """Become everything where there is too much."""
        if (
            self.everything
            or len(self.keys) > MOST_KEYS
            or len(self.prefixes) > _MOST_OTHERS
            or len(self.tags) > _MOST_OTHERS
        ):
            self.everything = True
            self.keys.clear()
            self.prefixes.clear()
            self.tags.clear()


class Missed:
    """The gaps of one node: those that wait, and those that are being made up for."""

    __slots__ = ("_taken", "_waiting", "counted")

    def __init__(self) -> None:
        """Start with none."""
        self._waiting = Gaps()
        self._taken: Gaps | None = None
        self.counted: int = 0
        """How many changes were noted here since the node was added."""

    def __bool__(self) -> bool:
        return bool(self._waiting) or self._taken is not None

    @property
    def is_wide(self) -> bool:
        """Whether more than single keys were missed."""
        parts = (self._waiting, self._taken or self._waiting)
        return any(part.everything or part.prefixes or part.tags for part in parts)

    def covers(self, key: str) -> bool:
        """Whether the node is not to be asked for `key`."""
        return self._waiting.cover(key) or (self._taken is not None and self._taken.cover(key))

    def note_keys(self, keys: Iterable[str]) -> None:
        """Note that changes of `keys` did not reach the node for certain."""
        if not self._waiting.everything:
            self._waiting.keys.update(dict.fromkeys(keys))
            self._waiting.bound()
        self.counted += 1

    def note_prefix(self, prefix: str) -> None:
        """Note that a clear of what begins with `prefix` did not."""
        if prefix:
            self._waiting.prefixes.add(prefix)
        else:
            self._waiting.everything = True
        self._waiting.bound()
        self.counted += 1

    def note_tags(self, tags: Collection[str]) -> None:
        """Note that an invalidation of `tags` did not."""
        self._waiting.tags.update(tags)
        self._waiting.bound()
        self.counted += 1

    def note_everything(self) -> None:
        """Note that nothing that the node holds is to be trusted."""
        self._waiting.everything = True
        self._waiting.bound()

    def drop(self, keys: Iterable[str]) -> None:
        """Forget `keys`: the node has heard of their newest change."""
        for key in keys:
            self._waiting.keys.pop(key, None)

    def some(self, most: int) -> list[str]:
        """Give at most `most` of the keys that wait."""
        return list(islice(self._waiting.keys, most))

    def take(self, keys: Iterable[str] | None = None) -> Gaps:
        """Give what is to be made up for now, all or those of `keys` that wait; end it by `done` or `put_back`."""
        if keys is None:
            self._taken, self._waiting = self._waiting, Gaps()
        else:
            self._taken = Gaps()
            self._taken.keys.update(dict.fromkeys(key for key in keys if key in self._waiting.keys))
            self.drop(self._taken.keys)
        return self._taken

    def done(self) -> None:
        """Forget what was taken: it was made up for."""
        self._taken = None

    def put_back(self) -> None:
        """Let what was taken wait again."""
        if self._taken is not None:
            self._waiting.add(self._taken)
            self._taken = None
