"""Tags in Redis: each has a generation, and an item remembers those of its tags when its value began to come about.

An item is dead when one of its tags has another generation by now, or none. So invalidating a tag is one write, however
many items it kills, no clock has a say in it, and a generation that Redis had to evict kills and never revives.

Rule 1: a generation is kept for at least as long as any item that remembers it, and no longer.
Rule 2: a generation begins with the microsecond, by the server's clock, of the invalidation that made it (0: it came
about with the first item). Only a load that learns its tags at its end needs that, to see what was invalidated since.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from os import urandom
from typing import Final

from aiocache_kit.item import Item
from aiocache_kit.storage.base import SharedTags
from aiocache_kit.storage.redis.layout import Layout
from aiocache_kit.storage.redis.link import Channel
from aiocache_kit.storage.redis.payloads import CENTURY
from aiocache_kit.storage.redis.scripts import NEXT_GENERATION, NOTE_TAG
from aiocache_kit.storage.redis.server_time import ServerTime
from aiocache_kit.storage.redis.unreached import as_a_whole

SPARE: Final = 3600.0
"""Seconds that a generation is kept beyond the items that remember it, or half of that: for what is under way."""
_DIGITS: Final = 16
_SIZE: Final = _DIGITS + 8
"""Characters of a generation: the microsecond, then what chance gives."""


class RedisTags(SharedTags):
    """The generations of the tags of one Redis storage."""

    def __init__(self, channel: Channel, layout: Layout, time: ServerTime) -> None:
        """Keep them by `channel`."""
        self._channel = channel
        self._layout = layout
        self._time = time

    async def invalidate(self, tags: Collection[str]) -> None:
        """Give each tag another generation."""
        next_one = _generation(int(self._time.now() * 1_000_000))
        kept = math.ceil(SPARE * 1000)
        with as_a_whole():
            await NEXT_GENERATION.run_many(self._channel, [(self._layout.tag(tag), (next_one, kept)) for tag in tags])

    async def note(self, tags: Collection[str], life: float) -> dict[str, str]:
        """Give the generations of `tags`, and keep them for items that live for `life` seconds from now."""
        lasts = life > CENTURY  # as long as that no item does, and Redis knows no such time
        kept: str | int = "" if lasts else math.ceil((life + SPARE) * 1000)
        enough: str | int = "" if lasts else math.ceil((life + SPARE / 2) * 1000)
        first = _generation(0)
        calls = [(self._layout.tag(tag), (first, kept, enough)) for tag in tags]
        with as_a_whole():
            found = await NOTE_TAG.run_many(self._channel, calls)
        return {tag: bytes(each).decode() for tag, each in zip(tags, found, strict=True)}

    async def living(self, items: Iterable[Item[object]]) -> list[Item[object]]:
        """Give those of `items` none of whose tags was invalidated, with their tags as users know them."""
        all_items = list(items)
        tags = list(dict.fromkeys(tag[_SIZE:] for item in all_items for tag in item.tags))
        if not tags:
            return all_items
        with as_a_whole():
            found = await self._channel.read_many([self._layout.tag(tag) for tag in tags])
        # What is no generation, in an encoding that knows all bytes, is that of no item.
        now = {tag: None if each is None else each.decode("latin-1") for tag, each in zip(tags, found, strict=True)}
        return [item for item in all_items if all(now.get(tag[_SIZE:]) == tag[:_SIZE] for tag in item.tags)]


def remembered(generations: Mapping[str, str], tags: Iterable[str]) -> tuple[str, ...]:
    """Give `tags` as an item remembers them."""
    return tuple(generations[tag] + tag for tag in tags)


def plain(tags: Iterable[str]) -> tuple[str, ...]:
    """Give tags as users know them, from those that an item remembers."""
    return tuple(tag[_SIZE:] for tag in tags)


def made_before(generation: str, instant: float) -> bool:
    """Whether a generation was there at an instant of the server's clock."""
    return int(generation[:_DIGITS], 16) <= instant * 1_000_000


def _generation(micros: int) -> str:
    return f"{micros:0{_DIGITS}x}{urandom(4).hex()}"
