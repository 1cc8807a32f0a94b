"""The memory storage: shards in this process, each with its own dict, eviction policy, expiry buckets and lock.

Shards do not make anything faster on one event loop: choosing one costs a tenth of a read. What they do is keep short
what Python does to a dict at once: growing one that holds a million entries stops everything for 50 ms, one of 32,768
for about one. So there is one shard until there would be more entries than that in it, and the hit ratio does not
suffer.
"""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final

from aiocache_kit.clock import Clock, SystemClock
from aiocache_kit.management.eviction import make_policy
from aiocache_kit.management.eviction.policy import Columns, EvictionPolicy
from aiocache_kit.storage.sizing import size_of_entry
from aiocache_kit.storage.table import Table
from aiocache_kit.storage.tables import TableStorage

if TYPE_CHECKING:
    from aiocache_kit.storage.snapshot import Snapshot

SHARD_ENTRIES: Final = 32_768
"""Entries that one shard may have before another one is made."""
SHARD_BYTES: Final = 64 * 1024 * 1024
"""The same for a bound in bytes: an entry cannot be larger than its shard, so shards stay large."""
MOST_SHARDS: Final = 64


def memory_storage(
    *,
    max_entries: int | None = 10_000,
    max_size: int | None = None,
    eviction_policy: str = "adaptive",
    shard_count: int | None = None,
    hash_func: Callable[[str], int] | None = None,
    copies: bool = False,
    sizer: Callable[[str, object], int] | None = None,
    snapshot: "Snapshot | None" = None,
    clock: Clock | None = None,
    random: Random | None = None,
) -> TableStorage:
    """Make a memory storage for at most `max_entries` entries and `max_size` bytes; None is no bound of that kind.

    `shard_count` is a power of two, or None for as many as `SHARD_ENTRIES` and `SHARD_BYTES` ask for. `sizer` gives the
    bytes of an entry from its key and value. `random` is what the policies draw from: give a seeded one to repeat a
    run.
    """
    count = shards_for(max_entries, max_size) if shard_count is None else shard_count
    used_clock = SystemClock() if clock is None else clock
    used_random = Random() if random is None else random  # noqa: S311  - chooses victims, guards nothing
    used_sizer = size_of_entry if sizer is None else sizer

    def table(place: int) -> Table:
        entries, size = _share(max_entries, count, place), _share(max_size, count, place)
        capacity = size or entries or 1

        def make(columns: Columns) -> EvictionPolicy:
            return make_policy(eviction_policy, capacity, columns, used_random)

        return Table(make=make, max_entries=entries, max_bytes=size, sizer=used_sizer, clock=used_clock)

    return TableStorage(
        [table(place) for place in range(count)],
        name="memory",
        clock=used_clock,
        hash_func=hash if hash_func is None else hash_func,
        copies=copies,
        snapshot=snapshot,
    )


def shards_for(max_entries: int | None, max_size: int | None) -> int:
    """Give the number of shards, a power of two, for these bounds."""
    wanted = 1
    if max_entries is not None:
        wanted = -(-max_entries // SHARD_ENTRIES)
    if max_size is not None:
        of_bytes = max_size // SHARD_BYTES
        wanted = of_bytes if max_entries is None else min(wanted, of_bytes)
    count = 1
    while count < wanted and count < MOST_SHARDS:
        count *= 2
    return count


def _share(bound: int | None, count: int, place: int) -> int | None:
    """Divide a bound among shards so that the shares add up to it."""
    return None if bound is None else bound // count + (place < bound % count)
