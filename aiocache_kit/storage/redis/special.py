"""Names that need special care: those of large items, and those whose plain writes were forgotten while Redis was away.

Rule: both are bounded. A large item that is not remembered is read by the lane for small ones, which is only slower; a
forgotten write that cannot be remembered must not be forgotten, and is an error.
"""

from collections.abc import Collection
from typing import Final

from aiocache_kit.storage.redis.link import LARGE

_MOST_UNWRITTEN: Final = 10_000
_MOST_LARGE: Final = 4096


class SpecialNames:
    """What is known of some names in Redis."""

    __slots__ = ("large", "unwritten")

    def __init__(self) -> None:
        """Know of none."""
        self.unwritten: dict[bytes, None] = {}
        """Names under which there may be an item that was to be written over: they count as missing."""
        self.large: dict[bytes, None] = {}
        """Names of items that were large when last seen."""

    def note_size(self, name: bytes, size: int) -> None:
        """Note how large an item is."""
        if size < LARGE:
            if self.large:
                self.large.pop(name, None)
            return
        self.large[name] = None
        if len(self.large) > _MOST_LARGE:
            del self.large[next(iter(self.large))]

    def forget_write(self, names: Collection[bytes]) -> bool:
        """Remember that writes under `names` were forgotten; False where there is no room for that."""
        if len(self.unwritten) + len(names) > _MOST_UNWRITTEN:
            return False
        self.unwritten.update(dict.fromkeys(names))
        return True

    def written(self, name: bytes) -> None:
        """Know that what was there has been written over."""
        if self.unwritten:
            self.unwritten.pop(name, None)
