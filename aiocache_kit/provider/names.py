"""The keys, tags and prefixes of one namespace: as its users write them, and as the storage has them."""

from collections.abc import Iterable
from typing import cast

from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.keys import check_key, check_prefix, check_tags, stored, unstored


class Names:
    """Translates for the namespace whose stored keys begin with `prefix`; "" is the root."""

    __slots__ = ("prefix",)

    def __init__(self, prefix: str) -> None:
        """Translate for `prefix`."""
        self.prefix = prefix

    def key(self, key: object) -> str:
        """Check a key and give its stored form; raise `InvalidKeyError`."""
        return stored(self.prefix, check_key(key))

    def keys(self, keys: object) -> dict[str, str]:
        """Check a collection of keys and give it by stored form, each once, in order.

        Raises `InvalidKeyError`, and `InvalidArgumentError` for what is no collection, a single `str` included.
        """
        if isinstance(keys, str) or not isinstance(keys, Iterable):
            msg = f"keys must be a collection of str, not {type(keys).__name__}"
            raise InvalidArgumentError(msg)
        return {self.key(key): cast("str", key) for key in cast("Iterable[object]", keys)}

    def own_key(self, stored_key: str) -> str | None:
        """Give a key as users write it; None where it belongs to another namespace."""
        return unstored(self.prefix, stored_key)

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
