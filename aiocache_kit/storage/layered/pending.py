"""What the lowest layer has missed while it was away, until it is made up for: the last change of each key.

Rule 1: a key that is in here is answered from here, not by what the lowest layer may hold under it.
Rule 2: it is bounded. What does not fit is refused, so that nothing is lost that nobody knows of.
Rule 3: clearing and invalidating take what they concern out of here, and are made up for before single keys: what is
still in here then came later. What is written later and is not in here may not be written before that (`takes`).
Rule 4: what was noted again while it was made up for is made up for again: nobody knows which of the two was done.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Final, NamedTuple

from aiocache_kit.clock import Clock
from aiocache_kit.item import Item
from aiocache_kit.storage.base import Kept

MOST_KEYS: Final = 10_000
_MOST_OTHERS: Final = 100


class Change(NamedTuple):
    """The last change of one key; compared by what it is, not by what it holds."""

    key: str
    kept: Kept | None
    """What was written, with its value; None: it was removed."""
    instant: float
    """When, by the wall clock."""
    is_contested: bool = False
    """Whether somebody else has changed the key since: if nothing is there, it was removed after this."""

    def item(self, clock: Clock) -> Item[object] | None:
        """Give the item as it is now; None where it was removed, or is dead by now."""
        return None if self.kept is None else self.kept.at_present(clock)


class Pending:
    """The changes that one layer has to be told of."""

    def __init__(self, most: int = MOST_KEYS) -> None:
        """Start with none, and hold at most `most` keys."""
        self.most: Final = most
        self.queued: int = 0
        """Changes that were put in here so far."""
        self._keys: OrderedDict[str, Change] = OrderedDict()
        self._prefixes: dict[str, int] = {}
        """When each was noted, as `queued` counts."""
        self._tags: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._keys or self._prefixes or self._tags)

    def __len__(self) -> int:
        return len(self._keys) + len(self._prefixes) + len(self._tags)

    # --- noting ------------------------------------------------------------------------------------------------------

    def has_room(self, keys: Collection[str]) -> bool:
        """Whether changes of `keys` fit."""
        room = self.most - len(self._keys)
        return len(keys) <= room or sum(key not in self._keys for key in keys) <= room

    def write(self, item: Item[object], clock: Clock) -> None:
        """Note that `item` is to be written."""
        self._note(Change(item.key, Kept.from_now(item, clock), item.created_at or clock.time()))

    def remove(self, keys: Iterable[str], clock: Clock) -> None:
        """Note that `keys` are to be removed."""
        for key in keys:
            self._note(Change(key, None, clock.time()))

    def _note(self, change: Change) -> None:
        self.queued += 1
        self._keys[change.key] = change
        self._keys.move_to_end(change.key)

    def clear(self, prefix: str) -> bool:
        """Note that what begins with `prefix` is to be removed; say whether that fits."""
        others = {other: number for other, number in self._prefixes.items() if not other.startswith(prefix)}
        if len(others) >= _MOST_OTHERS:
            return False
        self.queued += 1
        self.forget_prefix(prefix)
        self._prefixes = {**others, prefix: self.queued}
        return True

    def invalidate(self, tags: Collection[str], clock: Clock) -> bool:
        """Note that `tags` are to be invalidated; say whether that fits."""
        if len(self._tags.keys() | set(tags)) > _MOST_OTHERS:
            return False
        self.queued += 1
        self.kill(tags, clock)
        self._tags.update(dict.fromkeys(tags, self.queued))
        return True

    def contest(self, keys: Iterable[str]) -> None:
        """Note that somebody else has changed `keys`."""
        for key in keys if self._keys else ():
            change = self._keys.get(key)
            if change is not None:
                self._keys[key] = change._replace(is_contested=True)

    def contest_prefix(self, prefix: str) -> None:
        """Note that somebody else has removed all that begins with `prefix`."""
        self.contest(self.keys(prefix))

    # --- forgetting --------------------------------------------------------------------------------------------------

    def drop(self, keys: Iterable[str]) -> None:
        """Forget `keys`: the layer has heard of a newer change."""
        for key in keys:
            self._keys.pop(key, None)

    def forget_prefix(self, prefix: str) -> None:
        """Forget the changes of what begins with `prefix`: it was cleared since."""
        self.drop(self.keys(prefix))

    def kill(self, tags: Collection[str], clock: Clock) -> None:
        """Let what was written with one of `tags` be removed instead: they were invalidated since."""
        gone = set(tags)
        for key, change in list(self._keys.items()):
            if change.kept is not None and not gone.isdisjoint(change.kept.item.tags):
                self._keys[key] = Change(key, None, clock.time())

    def done(self, change: Change) -> bool:
        """Forget a change that the layer has heard of, unless there is a newer one of its key by now."""
        if self._keys.get(change.key) is not change:
            return False
        del self._keys[change.key]
        return True

    def done_prefixes(self, done: Mapping[str, int]) -> None:
        """Forget clears, as `prefixes` gave them before they were done."""
        _forget(self._prefixes, done)

    def done_tags(self, done: Mapping[str, int]) -> None:
        """Forget invalidations, as `tags` gave them before they were done."""
        _forget(self._tags, done)

    # --- asking ------------------------------------------------------------------------------------------------------

    def get(self, key: str) -> Change | None:
        """Give the change of `key` that waits, a removal where its prefix is to be cleared."""
        change = self._keys.get(key)
        if change is None and self._prefixes and any(key.startswith(prefix) for prefix in self._prefixes):
            return Change(key, None, 0.0)
        return change

    def kills(self, item: Item[object]) -> bool:
        """Whether an item of the layer has a tag that is to be invalidated."""
        return bool(self._tags) and any(tag in self._tags for tag in item.tags)

    def takes(self, item: Item[object]) -> bool:
        """Whether an item that was written now would be taken away by what is to be cleared or invalidated."""
        return self.kills(item) or any(item.key.startswith(prefix) for prefix in self._prefixes)

    def waits(self, key: str) -> bool:
        """Whether a change of `key` itself waits."""
        return key in self._keys

    def keys(self, prefix: str) -> list[str]:
        """Give the keys with `prefix` of which changes wait."""
        return [key for key in self._keys if key.startswith(prefix)]

    def some(self, most: int) -> list[Change]:
        """Give the changes of some keys, the oldest first."""
        return list(islice(self._keys.values(), most))

    def prefixes(self, under: str = "") -> dict[str, int]:
        """Give the prefixes that are to be cleared and begin with `under`, each with when it was noted."""
        return {prefix: number for prefix, number in self._prefixes.items() if prefix.startswith(under)}

    def tags(self) -> dict[str, int]:
        """Give the tags that are to be invalidated, each with when it was noted."""
        return dict(self._tags)

    def written(self, prefix: str, clock: Clock) -> Iterator[str]:
        """Give the keys with `prefix` of live items that wait."""
        for key, change in list(self._keys.items()):
            item = change.item(clock)
            if key.startswith(prefix) and item is not None and not item.is_stale:
                yield key


def _forget(noted: dict[str, int], done: Mapping[str, int]) -> None:
    for name, number in done.items():
        if noted.get(name) == number:
            del noted[name]


def as_it_is(change: Change, clock: Clock) -> Item[object] | None:
    """Give the item to write now, with the time that it has left; None where nothing is."""
    item = change.item(clock)
    if item is None or item.expiration is None:
        return item
    return replace(item, ttl=max(item.expiration - clock.time(), 0.0))
