"""How long an item lives, counted from now: what layers hand to one another is time left, and never a date.

The storage that read an item says its dates by the wall clock of this process, whatever clock it counts by itself. So
what is left of it holds however wrong the clocks of servers are.
"""

import math
from dataclasses import replace
from typing import Final

from aiocache_kit.clock import Clock
from aiocache_kit.item import Item
from aiocache_kit.storage.base import Kept, stale_for

_ROUNDING: Final = 0.001
"""Seconds by which a date may be off for having been counted by two clocks."""


def as_read(item: Item[object], clock: Clock) -> Kept:
    """Give an item that was just read with its ends, from what it has left; without its value."""
    now, today = clock.monotonic(), clock.time()
    fresh_until = math.inf if item.expiration is None else now + item.expiration - today
    dead_at = fresh_until if item.stale_until is None else max(now + item.stale_until - today, fresh_until)
    return Kept(without_value(item), min(fresh_until, now) if item.is_stale else fresh_until, dead_at)


def as_written(item: Item[object], begun: float) -> Kept:
    """Give an item whose writing began at `begun` with its ends; without its value, and of no known version.

    The layer below began to count at some time after that: a copy may end before the item, and never after it.
    """
    fresh_until = begun + (math.inf if item.ttl is None else item.ttl)
    return Kept(replace(item, value=None, version=0), fresh_until, fresh_until + stale_for(item))


def at_present(kept: Kept, clock: Clock) -> Item[object] | None:
    """Give what is known of an item as it is now; None once it is dead. Dates that hold stay as they are."""
    item = kept.at_present(clock)
    if item is None or not _is_near(item.expiration, kept.item.expiration):
        return item
    stale_until = kept.item.stale_until if _is_near(item.stale_until, kept.item.stale_until) else item.stale_until
    return replace(item, expiration=kept.item.expiration, stale_until=stale_until)


def without_value(item: Item[object]) -> Item[object]:
    """Give what is known of an item, and leave its value to where it lies."""
    return replace(item, value=None)


def copy_of(value: object, kept: Kept, clock: Clock, most: float, *, with_tags: bool) -> Item[object] | None:
    """Give what to write for an item with these ends into a layer that keeps it for `most` seconds.

    It is fresh there for as long as it is fresh at all, and stale afterwards only if it is really stale then. None
    where nothing is left of it.
    """
    now = clock.monotonic()
    fresh, whole = max(min(kept.fresh_until - now, most), 0.0), min(kept.dead_at - now, most)
    if whole <= 0.0:
        return None
    expiration = None if fresh == math.inf else clock.time() + fresh
    item = kept.item
    return Item(
        key=item.key,
        value=value,
        ttl=None if fresh == math.inf else fresh,
        expiration=expiration,
        tags=item.tags if with_tags else (),
        cost=item.cost,
        created_at=item.created_at,
        stale_until=None if expiration is None or whole <= fresh else expiration + whole - fresh,
    )


def _is_near(instant: float | None, other: float | None) -> bool:
    return instant is not None and other is not None and abs(instant - other) < _ROUNDING
