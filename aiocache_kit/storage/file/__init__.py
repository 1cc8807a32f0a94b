"""The file storage: a file an item, in a directory that one process has to itself, or several share.

lane                 how work comes to a thread: one hop for all that is waiting
directory            opening, reading, replacing and removing, safe against what is planted there
form, files          what is in a file, and where it lies
index, keeper, work  what is known of the files in memory, and in which order they follow it
catalogue, opening   how the index is made at a start
storage              the storage itself
"""

from random import Random
from typing import Final

from aiocache_kit.clock import Clock, SystemClock
from aiocache_kit.management.eviction import make_policy
from aiocache_kit.management.eviction.policy import Columns, EvictionPolicy
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.key_hashing import KeyHasher
from aiocache_kit.storage.file.directory import SUBDIRECTORIES, Directory
from aiocache_kit.storage.file.files import Files
from aiocache_kit.storage.file.index import FileTable, share, tables_for, weigh
from aiocache_kit.storage.file.shared import SharedFileStorage
from aiocache_kit.storage.file.storage import FileStorage

__all__ = ["FileStorage", "SharedFileStorage", "file_storage"]

JANITOR_INTERVAL: Final = 60.0


def file_storage(
    directory: str,
    codec: Codec,
    *,
    max_entries: int | None = 10_000,
    max_size: int | None = None,
    eviction_policy: str = "adaptive",
    hasher: KeyHasher | None = None,
    prefix: str = "cache-",
    file_perm: int = 0o600,
    dir_perm: int = 0o700,
    janitor_interval: float = JANITOR_INTERVAL,
    gathers: bool = False,
    fsync: bool = False,
    shared: bool = False,
    strict: bool = False,
    clock: Clock | None = None,
    random: Random | None = None,
) -> FileStorage | SharedFileStorage:
    """Make a file storage in `directory` for at most `max_entries` entries and `max_size` bytes; None is no bound.

    `codec` writes values, and `hasher` hides keys in the names of files. With `gathers`, writes wait in memory until
    `Storage.sync` or `close`; with `fsync`, what a call has done survives a loss of power. `random` is what the
    policies draw from: give a seeded one to repeat a run. With `shared`, other processes use the directory as well, and
    nothing is gathered, and what was written first is evicted first. `strict`: what cannot be read is raised, instead
    of being a miss.
    """
    place = Directory(directory, file_perm=file_perm, dir_perm=dir_perm, fsync=fsync)
    files = Files(place, codec, prefix, hasher)
    used_clock = SystemClock() if clock is None else clock
    if shared:
        return SharedFileStorage(
            files,
            clock=used_clock,
            max_entries=max_entries,
            max_size=max_size,
            janitor_interval=janitor_interval,
            strict=strict,
        )
    used_random = Random() if random is None else random  # noqa: S311  - chooses victims, guards nothing
    count = tables_for(max_entries, max_size, SUBDIRECTORIES)

    def table(number: int) -> FileTable:
        entries, size = share(max_entries, count, number), share(max_size, count, number)

        def make(columns: Columns) -> EvictionPolicy:
            return make_policy(eviction_policy, size or entries or 1, columns, used_random)

        return FileTable(make=make, max_entries=entries, max_bytes=size, sizer=weigh, clock=used_clock)

    return FileStorage(
        files,
        [table(number) for number in range(count)],
        clock=used_clock,
        janitor_interval=janitor_interval,
        gathers=gathers,
        strict=strict,
    )
