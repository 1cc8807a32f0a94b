"""The lru storage: one exact LRU over a single ordered dict, without shards, for small hot caches.

It forgets the entry that was not used for the longest time, always and exactly; for most traffic the memory storage
with its default policy hits more often.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiocache_kit.clock import Clock, SystemClock
from aiocache_kit.management.eviction.lru import Lru
from aiocache_kit.management.eviction.policy import Columns
from aiocache_kit.storage.sizing import size_of_entry
from aiocache_kit.storage.table import Table
from aiocache_kit.storage.tables import TableStorage

if TYPE_CHECKING:
    from aiocache_kit.storage.snapshot import Snapshot


def lru_storage(
    *,
    max_entries: int | None = 1_000,
    max_size: int | None = None,
    copies: bool = False,
    sizer: Callable[[str, object], int] | None = None,
    snapshot: "Snapshot | None" = None,
    clock: Clock | None = None,
) -> TableStorage:
    """Make an lru storage for at most `max_entries` entries and `max_size` bytes; None is no bound of that kind."""
    used_clock = SystemClock() if clock is None else clock
    capacity = max_size if max_size is not None else max_entries

    def make(columns: Columns) -> Lru:
        return Lru(1 if capacity is None else capacity, columns)

    table = Table(
        make=make,
        max_entries=max_entries,
        max_bytes=max_size,
        sizer=size_of_entry if sizer is None else sizer,
        clock=used_clock,
    )
    return TableStorage([table], name="lru", clock=used_clock, copies=copies, snapshot=snapshot)
