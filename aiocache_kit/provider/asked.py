"""What a call that may load asks for, once its arguments were checked: handed on as one thing until a value is there.

Rule: it never changes. What a loader decides while it runs, and what is found out on the way, is in its context.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from aiocache_kit.provider.loading import FullContext


class Asked(NamedTuple):
    """One value."""

    key: str
    """The stored key."""
    loader: Callable[..., object]
    told: bool
    """Whether the loader takes the context."""
    kind: type[Any] | None
    """What the value is to be given as; None: as it was stored."""
    context: FullContext


class AskedMany(NamedTuple):
    """The values of several keys, to be loaded by one call."""

    names: Mapping[str, str]
    """What the loader knows each stored key by."""
    loader: Callable[[list[str]], object]
    context: FullContext
    tags: tuple[str, ...]
    """Stored ones, of each value."""

    def only(self, keys: Iterable[str]) -> "AskedMany":
        """Give the part of it that is about these stored keys."""
        names, loader, context, tags = self
        return AskedMany({key: names[key] for key in keys}, loader, context, tags)
