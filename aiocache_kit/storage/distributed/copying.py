"""Copying items from the owner that decides to another one, whose keys the caller holds.

Rule: an item is copied only where nothing is, and taken back where the first owner has another one afterwards, or none.
So what another process removes meanwhile does not come back, unless its removals reach the two nodes further apart in
time than the copying takes; and what it writes meanwhile stays.
"""

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Final

from aiocache_kit.clock import Clock
from aiocache_kit.errors import StorageError
from aiocache_kit.item import Item
from aiocache_kit.storage.base import IF_ABSENT, if_version
from aiocache_kit.storage.distributed.member import Member, side_by_side

_SAME: Final = 0.05
"""Seconds between two instants that may be one, told by nodes each of which counts by a clock of its own."""


async def copy_missing(keys: Collection[str], source: Member, target: Member, clock: Clock) -> None:
    """Copy those of `keys` that `target` lacks; raises the first `StorageError`."""
    there = await target.call(partial(target.storage.read_multi, keys))
    missing = [key for key in keys if key not in there]
    if missing:
        await _copy(missing, source, target, clock)


async def copy_anew(keys: Collection[str], source: Member, target: Member, clock: Clock) -> None:
    """Replace what `target` holds under `keys` by what `source` does; raises the first `StorageError`."""
    await target.call(partial(target.storage.remove_multi, keys))
    await _copy(keys, source, target, clock)


def as_it_is(item: Item[object], now: float) -> Item[object]:
    """Give `item` as it is to be written elsewhere at the instant `now`: with the time that it has left."""
    if item.expiration is None:
        return item
    left = max(item.expiration - now, 0.0)
    return replace(item, ttl=left, expiration=now + left)


async def _copy(keys: Collection[str], source: Member, target: Member, clock: Clock) -> None:
    items = await source.call(partial(source.storage.read_multi, keys))
    copies = [as_it_is(item, clock.time()) for item in items.values()]
    outcomes = await side_by_side([(target, partial(target.storage.write, copy, IF_ABSENT)) for copy in copies])
    written = [key for key, (done, error) in zip(items, outcomes, strict=True) if done or error is not None]
    if written:
        after = await source.call(partial(source.storage.read_multi, written))
        for key in written:
            if key not in after or after[key].version != items[key].version:
                await _take_back(target, key, items[key])
    for _, error in outcomes:
        if isinstance(error, StorageError):  # one that refuses the item goes without it
            raise error


async def _take_back(target: Member, key: str, item: Item[object]) -> None:
    """Remove the copy of `item`, but nothing that was written since."""
    copy = await target.call(partial(target.storage.read, key))
    if copy is not None and abs(copy.created_at - item.created_at) < _SAME:
        await target.call(partial(target.storage.remove, key, if_version(copy.version)))
