"""Keeping a shared directory small: what is dead goes, and what was written first where there is too much.

Rule 1: it works in the thread, a few files at a time, and one process at a time.
Rule 2: marks of tags go when no item, and no lease, is left that is older than they are.
"""

from typing import Final

from aiocache_kit.storage.file.files import NAMES, Place
from aiocache_kit.storage.file.freeing import free
from aiocache_kit.storage.file.keeper import in_chunks
from aiocache_kit.storage.file.lane import Lane
from aiocache_kit.storage.file.shared_files import SharedFiles

_SHARE: Final = 10
"""A part of this size of the bound may be written before somebody looks."""
_LEAST: Final = 64


class Trimming:
    """Looks over a shared directory."""

    def __init__(self, shared: SharedFiles, lane: Lane, max_entries: int | None, max_size: int | None) -> None:
        """Leave at most `max_entries` items and `max_size` bytes; None is no bound of that kind."""
        self.evictions = 0
        self.expired = 0
        self._shared = shared
        self._lane = lane
        self._max_entries = max_entries
        self._max_size = max_size

    @property
    def is_due(self) -> bool:
        """Whether so much was written by this process that somebody should look."""
        shared = self._shared
        if self._max_entries is not None and shared.writes > max(self._max_entries // _SHARE, _LEAST):
            return True
        return self._max_size is not None and shared.written > self._max_size // _SHARE

    async def run(self) -> None:
        """Look over everything once. Raises `OSError`."""
        shared, lane = self._shared, self._lane
        shared.writes = shared.written = 0
        begun = await lane.call(shared.files.directory.next_number)
        kept: list[tuple[int, int, Place]] = []
        oldest_lease = begun
        for number in range(len(NAMES)):
            oldest_lease = min(oldest_lease, await lane.call(shared.sweep_claims, number, begun))
            for chunk in in_chunks(await lane.call(shared.places, number)):
                found, removed = await lane.call(shared.look_over, list(chunk))
                self.expired += removed
                kept += [(item.notes.version, item.size, place) for place, item in found]
        await self._evict(kept)
        await lane.call(shared.marks.forget, min(begun, oldest_lease) - 1)

    async def _evict(self, kept: list[tuple[int, int, Place]]) -> None:
        items, size = len(kept), sum(size for _, size, _ in kept)
        if not self._is_too_much(items, size):
            return
        kept.sort()
        places: list[tuple[Place, int]] = []
        for version, its_size, place in kept:
            if not self._is_too_much(items, size):
                break
            places.append((place, version))
            items, size = items - 1, size - its_size
        for chunk in in_chunks(places):
            self.evictions += await self._lane.call(self._shared.evict, list(chunk))

    def _is_too_much(self, items: int, size: int) -> bool:
        if self._max_entries is not None and items > self._max_entries:
            return True
        return self._max_size is not None and size > self._max_size

    def free(self, most: int, before: float) -> bool:
        """Remove temporary files of before an instant of the wall clock; say whether to go on."""
        return free(self._shared.files.directory, most, before)
