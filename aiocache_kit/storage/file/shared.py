"""The file storage of several processes: the files are the truth, and nothing is remembered of them.

Rule 1: every call is one job of the thread, whole in itself; a missing key costs an attempt to open its file.
Rule 2: bounds hold roughly: a process looks over the directory when it has written a tenth of what may be there, and
in every janitor's interval; what was written first goes first, whatever the eviction policy.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from typing import Final, ParamSpec, TypeVar

from aiocache_kit.clock import Clock
from aiocache_kit.errors import (
    CacheError,
    CorruptPayloadError,
    ProviderClosedError,
    StorageError,
    StorageUnavailableError,
)
from aiocache_kit.item import Item
from aiocache_kit.storage.base import ALWAYS, Capabilities, Condition, Size, Storage
from aiocache_kit.storage.file.catalogue import NAME
from aiocache_kit.storage.file.files import NAMES, Files, fault
from aiocache_kit.storage.file.keeper import CHUNK, in_chunks
from aiocache_kit.storage.file.lane import Call, Lane
from aiocache_kit.storage.file.shared_files import SharedFiles
from aiocache_kit.storage.file.sharing import FileLeases, FileLocks, SharedMarks, result_of
from aiocache_kit.storage.file.trimming import Trimming
from aiocache_kit.storage.file.witness import check_witness
from aiocache_kit.storage.pace import Pace

P = ParamSpec("P")
T = TypeVar("T")
_REFUSED: Final = "the file system refuses"


class SharedFileStorage(Storage):
    """Keeps each item in a file of its own, in a directory that other processes use as well."""

    capabilities = Capabilities(shared=True, persistent=True, leases=True, tags=True, locks=True)
    name = "file"

    def __init__(
        self,
        files: Files,
        *,
        clock: Clock,
        max_entries: int | None,
        max_size: int | None,
        janitor_interval: float,
        strict: bool,
    ) -> None:
        """Hold about `max_entries` items and `max_size` bytes; see `file_storage`, which makes the parts.

        `strict`: what cannot be read is raised and no miss.
        """
        self._strict = strict
        self.clock = clock
        self.files = files
        self._lane = Lane()
        self._shared = SharedFiles(files, clock)
        self._trimming = Trimming(self._shared, self._lane, max_entries, max_size)
        self._janitor_interval = janitor_interval
        self._cleaned = -math.inf
        self._is_open = False
        self.leases = FileLeases(self._shared, self._lane)
        self.locks = FileLocks(self._shared, self._lane)
        self.tags = SharedMarks(self._shared, self._lane)

    def __repr__(self) -> str:
        return "<SharedFileStorage>"

    # --- life --------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Begin to use the directory; does nothing where it is open.

        Raises `StorageError` where it cannot be used, as `StorageUnavailableError` where a process has it to itself and
        as `StorageAccessError` where what lies there was written under other secrets.
        """
        if self._is_open:
            return
        self._shared.clock = self.clock
        self._lane.stay()
        try:
            await self._lane.call(self._take_directory)
        except asyncio.CancelledError:
            self._lane.start(self.files.directory.close)  # the thread takes the directory all the same
            self._lane.leave()
            raise
        except Exception as error:
            self._lane.leave()
            if isinstance(error, OSError):
                raise fault(error, "the directory cannot be opened") from error
            raise
        self._is_open = True

    def _take_directory(self) -> None:
        directory = self.files.directory
        directory.open(shared=True)
        try:
            check_witness(self.files)
            directory.drop(NAME)  # what a single owner has noted is no longer so
        except BaseException:
            directory.close()
            raise

    async def close(self) -> None:
        """Let go of the directory."""
        if not self._is_open:
            return
        self._is_open = False
        closing = self._lane.start(self.files.directory.close)
        self._lane.leave()
        await closing.result()
        await self._lane.idle()

    async def ping(self) -> None:
        """Look whether the directory is there; raise `StorageUnavailableError` if not."""
        if not await self._do(self.files.directory.is_there):
            raise StorageUnavailableError("the directory was moved or removed")

    @property
    def is_busy(self) -> bool:
        """Whether anything is with the thread, or on its way there or back."""
        return self._lane.is_busy

    async def idle(self) -> None:
        """Wait until nothing is."""
        await self._lane.idle()

    def _start(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Call[T]:
        if not self._is_open:
            raise ProviderClosedError
        return self._lane.start(function, *args, **kwargs)

    async def _do(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await result_of(self._start(function, *args, **kwargs))

    # --- items -------------------------------------------------------------------------------------------------------

    async def read(self, key: str) -> Item[object] | None:
        """Give the item under `key`; what the system does not let us read is a miss that is counted."""
        return self._read(*await self._start(self._shared.read, key).outcome)

    def _read(self, item: Item[object] | None, error: BaseException | None) -> Item[object] | None:
        if error is None:
            return item
        if isinstance(error, CorruptPayloadError) or (
            isinstance(error, OSError) and not isinstance(error, StorageError)
        ):
            self._shared.errors += 1
            if not self._strict:
                return None
        raise fault(error, "an item cannot be read")

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Store `item` if `condition` holds."""
        done = await self._do(self._shared.write, item, self._shared.laid_out(item), condition)
        await self._relieve()
        return done

    async def _relieve(self) -> None:
        if self._trimming.is_due:
            await self._trim()

    async def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Remove the item under `key` if `condition` holds."""
        return await self._do(self._shared.remove, key, condition)

    async def clear(self, prefix: str = "") -> None:
        """Remove the items that are there now and begin with `prefix`."""
        for number in range(len(NAMES)):
            await self._do(self._shared.end_leases, number, prefix)
            for chunk in in_chunks(await self._do(self._shared.places, number)):
                await self._do(self._shared.clear_some, list(chunk), prefix)

    async def scan(self, prefix: str = "") -> AsyncIterator[str]:
        """Give the live keys that begin with `prefix`."""
        for number in range(len(NAMES)):
            for chunk in in_chunks(await self._do(self.files.listed, number)):
                for key in await self._do(self._shared.keys_at, list(chunk), prefix):
                    yield key

    async def read_multi(self, keys: Collection[str]) -> dict[str, Item[object]]:
        """Give the items under `keys`; their files are read together."""
        pace = Pace()
        found: dict[str, Item[object]] = {}
        calls = {key: self._start(self._shared.read, key) for key in keys}
        for key, call in calls.items():
            item = self._read(*await call.outcome)
            if item is not None:
                found[key] = item
            if pace.is_over():
                await pace.rest()
        return found

    async def write_multi(self, items: Iterable[Item[object]]) -> None:
        """Store each item; their files are written together. The first error is raised when all have been tried."""
        pace = Pace()
        calls: list[Call[bool]] = []
        refused: list[CacheError] = []
        for item in items:
            try:
                laid = self._shared.laid_out(item)
            except CacheError as error:
                refused.append(error)
            else:
                calls.append(self._start(self._shared.write, item, laid, ALWAYS))
            if pace.is_over():
                await pace.rest()
        await _results(calls, refused)
        await self._relieve()

    async def remove_multi(self, keys: Iterable[str]) -> int:
        """Remove each key; their files are removed together."""
        return sum(await _results([self._start(self._shared.remove, key) for key in keys]))

    async def increment(self, item: Item[int], delta: int) -> int:
        """Add `delta`, whoever else does so at the same time."""
        return await self._do(self._shared.increment, item, delta)

    async def touch(self, item: Item[None]) -> bool:
        """Give the live item another end."""
        return await self._do(self._shared.touched, item)

    async def expire(self, key: str) -> bool:
        """Make the live item stale."""
        return await self._do(self._shared.expired, key)

    # --- background --------------------------------------------------------------------------------------------------

    async def size(self) -> Size:
        """Count what is there, whoever wrote it; what was evicted or has expired is counted by who removed it."""
        items = size = 0
        for number in range(len(NAMES)):
            counted = await self._do(self.files.count, number)
            items, size = items + counted[0], size + counted[1]
        trimming = self._trimming
        return Size(items, size, trimming.evictions, trimming.expired, self._shared.errors)

    async def tidy(self) -> None:
        """In the janitor's interval, or where much was written, remove what is dead, or too much."""
        if not self._is_open:
            raise ProviderClosedError
        now = self.clock.monotonic()
        if now - self._cleaned >= self._janitor_interval:
            await self._trim()
            before = self.clock.time() - max(self._janitor_interval, 60.0)
            while await self._do(self._trimming.free, CHUNK, before):
                pass
        else:
            await self._relieve()

    async def _trim(self) -> None:
        self._cleaned = self.clock.monotonic()
        try:
            await self._trimming.run()
        except OSError as error:
            raise fault(error, _REFUSED) from error


async def _results(calls: Iterable[Call[T]], refused: Sequence[CacheError] = ()) -> list[T]:
    """Wait for all calls; raise the first error when all are done, what was `refused` before included."""
    outcomes = [await call.outcome for call in calls]
    if refused:
        raise refused[0]
    for _, error in outcomes:
        if error is not None:
            raise fault(error, _REFUSED) from error.__cause__
    return [result for result, _ in outcomes]
