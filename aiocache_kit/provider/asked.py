"""What a call that may load asks for, once its arguments were checked: one thing, handed on until a value is there."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from aiocache_kit.provider.loading import FullContext


class Asked(FullContext):
    """One value: the context of its load, with where the value belongs and how to come by it.

    One object and not two, since a miss makes one of them each time.
    """

    __slots__ = ("loader", "stored", "told")

    loader: Callable[..., object]
    stored: str
    """The stored key; `key` is what the caller of `get_or_set` calls it."""
    told: bool
    """Whether the loader takes the context."""


class AskedMany(NamedTuple):
    """The values of several keys, to be loaded by one call."""

    names: Mapping[str, str]
    """What the loader knows each stored key by."""
    loader: Callable[[list[str]], object]
    context: FullContext
    tags: tuple[str, ...]
    """Stored ones, of each value."""

    def part(self, names: Mapping[str, str]) -> "AskedMany":
        """Give the part of it that is about these `names`."""
        return AskedMany(names, self.loader, self.context, self.tags)
