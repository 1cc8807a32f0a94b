"""Tags of files in one process: the marks are known, and kept for the next process until they have done their work."""

from collections.abc import Callable, Collection

from aiocache_kit.clock import Clock
from aiocache_kit.storage.base import SharedTags
from aiocache_kit.storage.file.files import fault
from aiocache_kit.storage.file.keeper import CHUNK, Keeper
from aiocache_kit.storage.file.opening import Opening
from aiocache_kit.storage.pace import Pace


class FileTags(SharedTags):
    """The tags of a directory that one process has to itself."""

    def __init__(self, keeper: Keeper, opening: Opening, check: Callable[[], None]) -> None:
        """Heed the tags of what `keeper` knows; `check` raises where the storage is not open."""
        self._keeper = keeper
        self._opening = opening
        self._check = check

    async def invalidate(self, tags: Collection[str]) -> None:
        """Kill every item with one of `tags` that was written before; also for processes to come, when this returns."""
        self._check()
        keeper, names = self._keeper, tuple(tags)
        version = keeper.version
        keeper.marks.mark(names, float(version))
        try:
            await keeper.lane.call(self._opening.marks.write, names, version)
        except OSError as error:
            raise fault(error, "an invalidation cannot be kept for the next start") from error

    async def reap(self, clock: Clock) -> None:
        """Free what was invalidated; the marks of before have done their work then."""
        keeper = self._keeper
        if not keeper.marks or self._opening.loading.left:
            return
        version, pace = keeper.version, Pace()
        keeper.version += 1  # marks that are made from now on are newer than those that will have done their work
        for table in keeper.tables:
            slot = 0
            while table.extras and slot < table.slots():
                if slot % CHUNK == 0 and pace.is_over():
                    await pace.rest()
                table.reap(slot, clock.monotonic())
                slot += 1
                if len(table.gone) >= CHUNK:
                    await keeper.removed(keeper.take_gone(table))
            await keeper.removed(keeper.take_gone(table))
        if not await keeper.remove_leftovers():
            return  # what a mark has killed may still be there
        keeper.marks.forget(float(version))
        try:
            await keeper.lane.call(self._opening.marks.forget, version)
        except OSError as error:
            raise fault(error, "the marks of tags cannot be removed") from error
