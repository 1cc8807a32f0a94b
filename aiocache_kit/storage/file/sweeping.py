"""Letting go of many items: what is cleared, what has died, and what crashes have left. In slices, for the event loop.

Rule: whatever stops in the middle goes on the next time; nothing is cleared that was written after.
"""

from typing import TYPE_CHECKING

from aiocache_kit.storage.file.files import fault
from aiocache_kit.storage.file.freeing import free as free_files
from aiocache_kit.storage.file.index import FileTable
from aiocache_kit.storage.file.keeper import CHUNK, Keeper
from aiocache_kit.storage.file.loading import Loading
from aiocache_kit.storage.pace import Pace
from aiocache_kit.storage.rounds import STEP, free

if TYPE_CHECKING:
    from collections.abc import Iterator


class Sweeping:
    """Frees what a keeper does not need any more."""

    def __init__(self, keeper: Keeper, loading: Loading) -> None:
        """Work for `keeper`, whose tables `loading` fills."""
        self.remains: list[Iterator[None]] = []
        """What tables held that are empty now."""
        self.was_stopped = False
        """Whether a `clear` that did not end has left files which `clean` is to free."""
        self._keeper = keeper
        self._loading = loading

    async def clear(self, table: FileTable, prefix: str) -> None:
        """Remove the items of a table whose keys begin with `prefix`, and their files."""
        pace, keeper = Pace(), self._keeper
        slot = 0
        while slot < table.slots():  # fewer, once somebody clears everything
            key = table.columns.keys[slot]
            if key and key.startswith(prefix):
                table.drop(key, keeper.clock.monotonic())
            slot += 1
            if len(table.gone) >= CHUNK:
                await keeper.removed(keeper.take_gone(table))
            if slot % STEP == 0 and pace.is_over():
                await pace.rest()
        await keeper.removed(keeper.take_gone(table))

    async def clear_all(self) -> None:
        """Set all files aside at once, then free them a few at a time. Raises `StorageError`."""
        keeper = self._keeper
        await self._loading.stop()
        keeper.void_all()
        self.remains += [table.start_again() for table in keeper.tables]
        self.was_stopped = True
        try:
            await keeper.lane.call(keeper.set_aside)
        except OSError as error:
            self._loading.begin(range(len(keeper.tables)))
            raise fault(error, "the items cannot be removed") from error
        await free(self.remains)
        await self._free_files()

    async def tidy(self) -> None:
        """Free what has died."""
        await free(self.remains)
        pace, keeper = Pace(), self._keeper
        for table in keeper.tables:
            while table.sweep_one(keeper.clock.monotonic()):
                if len(table.gone) >= CHUNK:
                    await keeper.removed(keeper.take_gone(table))
                if pace.is_over():
                    await pace.rest()
            await keeper.removed(keeper.take_gone(table))

    async def clean(self) -> None:
        """Free files that could not be removed before, and what a crash or a `clear` that was stopped has left."""
        self.was_stopped = False  # where it cannot be done, it is tried again in the interval
        await self._keeper.remove_leftovers()
        await self._free_files()

    async def _free_files(self) -> None:
        try:
            while await self._keeper.lane.call(free_files, self._keeper.files.directory, CHUNK):
                pass
        except OSError as error:
            raise fault(error, "what was cleared cannot be removed") from error
        self.was_stopped = False
