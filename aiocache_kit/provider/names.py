"""The keys, tags and prefixes of one namespace: as its users write them, and as the storage has them."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Final, cast

from aiocache_kit.errors import InvalidArgumentError, PartialFailureError
from aiocache_kit.keys import MARK, check_key, check_prefix, check_tags, stored, unstored
from aiocache_kit.storage.pace import Pace

PART: Final = 1000
"""Keys that one call hands to its storage at once; more are handed on one part after the other."""


class Names:
    """Translates for the namespace whose stored keys begin with `prefix`; "" is the root."""

    __slots__ = ("_when_marked", "marked", "prefix")

    def __init__(self, prefix: str, when_marked: Callable[[], None] | None = None) -> None:
        """Translate for `prefix`; `when_marked` is called once, before the first key that `mark` is about is given."""
        self.prefix = prefix
        self.marked = False
        """Whether stored forms differ from keys by more than the prefix: see `mark`."""
        self._when_marked = when_marked

    def key(self, key: object) -> str:
        """Check a key and give its stored form; raise `InvalidKeyError`."""
        text = check_key(key)
        if text[0] == MARK and not self.marked:
            self.mark()
        return stored(self.prefix, text)

    def mark(self) -> None:
        """From now on there may be stored keys that begin with the mark of namespaces: of those, or doubled."""
        self.marked = True
        if self._when_marked is not None:
            self._when_marked()

    def keys(self, keys: object) -> dict[str, str]:
        """Check a collection of keys and give it by stored form, each once, in order.

        Raises `InvalidKeyError`, and `InvalidArgumentError` for what is no collection, a single `str` included.
        """
        if isinstance(keys, str) or not isinstance(keys, Iterable):
            msg = f"keys must be a collection of str, not {type(keys).__name__}"
            raise InvalidArgumentError(msg)
        prefix, stored_key = self.prefix, self.key
        return {
            # What `key` would give: a call for each would cost as much as all the rest.
            prefix + key if key.__class__ is str and key and key[0] != MARK else stored_key(key): key
            for key in cast("Iterable[str]", keys)
        }

    async def parts(self, keys: object) -> list[dict[str, str]]:
        """Do what `keys` does, in parts of at most `PART` keys; where there are many, in slices of the event loop."""
        if isinstance(keys, str) or not isinstance(keys, Iterable):
            return [self.keys(keys)]
        given = list(cast("Iterable[object]", keys))  # it may change while others have their turn
        if len(given) <= PART:
            return [self.keys(given)]
        pace, seen = Pace(), set[str]()
        parts: list[dict[str, str]] = []
        for start in range(0, len(given), PART):
            part = {full: key for full, key in self.keys(given[start : start + PART]).items() if full not in seen}
            seen.update(part)
            parts.append(part)
            if pace.is_over():
                await pace.rest()
        return parts

    async def joined(self, keys: object) -> dict[str, str]:
        """Do what `keys` does, in slices of the event loop where there are many."""
        parts = await self.parts(keys)
        return parts[0] if len(parts) == 1 else {full: key for part in parts for full, key in part.items()}

    def own_key(self, stored_key: str) -> str | None:
        """Give a key as users write it; None where it belongs to another namespace."""
        return unstored(self.prefix, stored_key)

    @contextmanager
    def as_users_write(self) -> Generator[None]:
        """Let the keys that a `PartialFailureError` names be as users write them."""
        try:
            yield
        except PartialFailureError as error:
            found = {cast("str", self.own_key(key)): value for key, value in error.found.items()}
            raise PartialFailureError(found, [cast("str", self.own_key(key)) for key in error.failed]) from error

    def tags(self, tags: object) -> tuple[str, ...]:
        """Check tags and give their stored form; raise `InvalidTagError`."""
        return () if tags == () else tuple(stored(self.prefix, tag) for tag in check_tags(tags))

    def own_tags(self, stored_tags: Iterable[str]) -> tuple[str, ...]:
        """Give tags as users write them."""
        return tuple(tag for each in stored_tags if (tag := unstored(self.prefix, each)) is not None)

    def start(self, prefix: object, *, may_be_empty: bool) -> str:
        """Check what keys are to begin with, and give what their stored forms begin with."""
        text = check_prefix(prefix, may_be_empty=may_be_empty)
        return stored(self.prefix, text) if text else self.prefix
