"""The file storage of one process: an index in memory decides, a thread reads and writes the files.

Rule 1: the index changes in one step on the event loop, so every condition is decided there, and a missing key costs no
access to a file.
Rule 2: a call that changes something returns when the file system has it, but for writes that are gathered: those are
there when `sync` or `close` returns.
Rule 3: whoever is cancelled while he waits stops nothing that the thread has begun, and the index knows of it.
"""

import math
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import replace

from aiocache_kit.clock import Clock
from aiocache_kit.errors import (
    CacheError,
    CorruptPayloadError,
    ProviderClosedError,
    StorageUnavailableError,
    UnsupportedError,
)
from aiocache_kit.item import Item
from aiocache_kit.management.eviction.policy import NIL
from aiocache_kit.storage.base import (
    ALWAYS,
    IF_ABSENT,
    Capabilities,
    Condition,
    ConditionKind,
    Size,
    Storage,
    stale_for,
    whole_number,
)
from aiocache_kit.storage.file.files import Files, Place, fault
from aiocache_kit.storage.file.index import FileTable, version_in
from aiocache_kit.storage.file.keeper import Keeper
from aiocache_kit.storage.file.lane import Lane
from aiocache_kit.storage.file.opening import Opening
from aiocache_kit.storage.file.sweeping import Sweeping
from aiocache_kit.storage.file.tags import FileTags
from aiocache_kit.storage.file.work import Reading, Removal, Told, all_done, whole
from aiocache_kit.storage.observer import Observer
from aiocache_kit.storage.pace import Pace
from aiocache_kit.storage.rounds import free, live_keys


class FileStorage(Storage):
    """Keeps each item in a file of its own; one process, and one storage in it, has the directory to itself."""

    capabilities = Capabilities(persistent=True, tags=True)
    name = "file"

    def __init__(
        self,
        files: Files,
        tables: Sequence[FileTable],
        *,
        clock: Clock,
        janitor_interval: float,
        gathers: bool,
        strict: bool,
    ) -> None:
        """Use `tables`, a power of two of them and not more than there are directories; see `file_storage`.

        With `gathers`, writes wait in memory until `sync`. `strict`: what cannot be read is raised and no miss.
        """
        self._strict = strict
        self.capabilities = Capabilities(persistent=True, tags=True, bounded=all(each.is_bounded for each in tables))
        self.clock = clock
        self.files = files
        self._keeper = Keeper(files, tables, Lane(), clock, gathers=gathers)
        self._lane = self._keeper.lane
        self._opening = Opening(self._keeper)
        self._loading = self._opening.loading
        self._janitor_interval = janitor_interval
        self._cleaned = -math.inf
        self._sweeping = Sweeping(self._keeper, self._loading)
        self._is_open = False
        self._tags = FileTags(self._keeper, self._opening, self._check)
        self.tags = self._tags

    def __repr__(self) -> str:
        tables = self._keeper.tables
        return f"<FileStorage, {len(tables)} tables, {sum(map(len, tables))} entries>"

    # --- life --------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Take the directory; what lies there is found out in the background, and waited for where it is asked for.

        Does nothing where it is open: whoever opened it may not have heard of that.

        Raises `StorageError` where the directory cannot be used, as it says; `StorageUnavailableError` where it is in
        use, and `StorageAccessError` where what lies there was written under other secrets.
        """
        if self._is_open:
            return
        self._keeper.clock = self.clock
        for table in self._keeper.tables:
            table.use(self.clock)
            table.obey(self._keeper.marks)
        await self._opening.open()
        self._is_open = True

    async def close(self) -> None:
        """Write out what was gathered and what the next start needs, and let go of the directory, whatever happens."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            await self._loading.stop(ProviderClosedError())
            await self._sync()
            await self._lane.call(self._opening.note)
        finally:
            closing = self._lane.start(self._opening.close)
            self._lane.leave()
            try:
                await closing.result()
                await self._lane.idle()
            finally:
                self._sweeping.remains += [table.shut() for table in self._keeper.tables]
            await free(self._sweeping.remains)

    async def sync(self) -> None:
        """Write out what was gathered; raises `StorageError` where that cannot be: it stays gathered then."""
        self._check()
        await self._sync()

    async def _sync(self) -> None:
        keeper, pace = self._keeper, Pace()
        keeper.failure = None  # of before: who waited for that was told, and it is tried again now
        for _ in keeper.flush():
            if pace.is_over():
                await pace.rest()
        await self._lane.call(_nothing)
        failure, keeper.failure = keeper.failure, None
        if failure is not None:
            raise failure

    async def ping(self) -> None:
        """Look whether the directory is there; raise `StorageUnavailableError` if not."""
        self._check()
        if not await self._lane.call(self._keeper.files.directory.is_there):
            raise StorageUnavailableError("the directory was moved or removed")

    async def size(self) -> Size:
        """Count what is held, once all of it is known."""
        await self._all_known()
        return self._keeper.size()

    def observe(self, observer: Observer) -> None:
        """Tell of removals, and of calls."""
        super().observe(observer)
        self._keeper.observe(observer)

    @property
    def is_busy(self) -> bool:
        """Whether anything is with the thread, or on its way there or back."""
        return self._lane.is_busy

    async def idle(self) -> None:
        """Wait until nothing is."""
        await self._lane.idle()

    def _check(self) -> None:
        if not self._is_open:
            raise ProviderClosedError

    async def _all_known(self) -> None:
        for number in range(len(self._keeper.tables)):
            await self._table_known(number)

    async def _table_known(self, number: int) -> None:
        self._check()
        try:
            await self._loading.known(number)
        except OSError as error:
            raise fault(error, "the directory cannot be read") from error
        self._check()

    async def _known_at(self, key: str) -> tuple[Place, FileTable]:
        place = self._keeper.files.place(key)
        if self._loading.left or not self._is_open:
            await self._table_known(self._keeper.number(place))
        return place, self._keeper.table(place)

    # --- the five ----------------------------------------------------------------------------------------------------

    async def read(self, key: str) -> Item[object] | None:
        """Give the item under `key`."""
        place, table = await self._known_at(key)
        reading = self._begin(key, place, table)
        return await self._end(key, table, reading) if isinstance(reading, Reading) else reading

    def _begin(self, key: str, place: Place, table: FileTable) -> Reading | Item[object] | None:
        """Find the item in the index and have its file read; None: there is none. What is to be written is there."""
        state = table.state(key, self.clock.monotonic())
        if state is None:
            return None
        table.record_hit(table.index[key])
        keeper = self._keeper
        if keeper.jobs:
            job = keeper.jobs.get(key)
            if job is not None and job.value is not None:
                item = keeper.files.codec.read(place[1], job.opened())
                return whole(key, item.value, item.created_at, state, item.validators)
        reading = Reading(keeper.files, place, state)
        self._lane.add(reading)
        return reading

    async def _end(self, key: str, table: FileTable, reading: Reading) -> Item[object] | None:
        fetched, error = await reading.outcome
        if error is None:
            value, created_at, opened = fetched
            if opened is None:
                return whole(key, value, created_at, reading.state)
            try:
                item = self._keeper.files.codec.read(reading.place[1], opened)
                return whole(key, item.value, created_at, reading.state, item.validators)
            except CorruptPayloadError as corrupt:
                error = corrupt
        self._unreadable(key, table, reading, error)
        return None

    def _unreadable(self, key: str, table: FileTable, reading: Reading, error: BaseException) -> None:
        """Count what cannot be read, as a miss unless the storage is strict."""
        if not isinstance(error, CorruptPayloadError | OSError):
            raise error
        self._keeper.errors += 1
        # What the system refuses it may refuse only now; the rest is gone, unless somebody has written it meanwhile.
        is_gone = isinstance(error, CorruptPayloadError | FileNotFoundError)
        if is_gone and table.record(key) == reading.state[0] and self._is_open:
            table.drop(key, self.clock.monotonic())
            self._keeper.remove_gone(table)
        if self._strict and not isinstance(error, FileNotFoundError):
            raise fault(error, "an item cannot be read")

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Store `item` if `condition` holds."""
        if condition.kind is ConditionKind.LEASE:
            raise UnsupportedError("the storage file gives no leases: within one process a provider needs none")
        place, table = await self._known_at(item.key)
        if not table.allows(condition, item.key, self.clock.monotonic()):
            return False
        job = self._keeper.put(item, place, table)
        await (self._relieve() if self._keeper.gathers else job.done())
        return True

    async def _relieve(self) -> None:
        """Write out what was gathered if it is too much."""
        if self._keeper.is_full:
            await self._sync()

    async def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Remove the item under `key` if `condition` holds."""
        place, table = await self._known_at(key)
        removal = self._remove(key, place, table, condition)
        if removal is None:
            return False
        was_live, job = removal
        await job.done()
        return was_live

    def _remove(
        self, key: str, place: Place, table: FileTable, condition: Condition = ALWAYS
    ) -> tuple[bool, Removal] | None:
        if condition.kind is ConditionKind.LEASE:
            raise UnsupportedError("the storage file gives no leases: within one process a provider needs none")
        is_allowed = table.allows(condition, key, self.clock.monotonic())
        return self._keeper.drop(key, place, table) if is_allowed else None

    async def clear(self, prefix: str = "") -> None:
        """Remove the items that are there now and begin with `prefix`."""
        self._check()
        if not prefix:
            await self._sweeping.clear_all()
            return
        for number, table in enumerate(self._keeper.tables):
            await self._table_known(number)
            await self._sweeping.clear(table, prefix)
        if not await self._keeper.remove_leftovers(prefix):
            raise StorageUnavailableError("some items cannot be removed: their files cannot be")

    def scan(self, prefix: str = "") -> AsyncIterator[str]:
        """Give the live keys that begin with `prefix`."""
        return live_keys(self._keeper.tables, prefix, self.clock, known=self._table_known)

    # --- faster than by way of the five ------------------------------------------------------------------------------

    async def read_multi(self, keys: Collection[str]) -> dict[str, Item[object]]:
        """Give the items under `keys`; their files are read together."""
        pace = Pace()
        found: dict[str, Item[object]] = {}
        begun: list[tuple[str, FileTable, Reading]] = []
        for key in keys:
            place, table = await self._known_at(key)
            reading = self._begin(key, place, table)
            if isinstance(reading, Reading):
                begun.append((key, table, reading))
            elif reading is not None:
                found[key] = reading
            if pace.is_over():
                await pace.rest()
        for key, table, reading in begun:
            item = await self._end(key, table, reading)
            if item is not None:
                found[key] = item
            if pace.is_over():
                await pace.rest()
        return found

    async def write_multi(self, items: Iterable[Item[object]]) -> None:
        """Store each item; their files are written together. The first error is raised when all have been tried."""
        pace, keeper = Pace(), self._keeper
        jobs: list[Told] = []
        refused: list[CacheError] = []
        for item in items:
            place, table = await self._known_at(item.key)
            try:
                jobs.append(keeper.put(item, place, table).outcome())
            except CacheError as error:
                refused.append(error)
            if pace.is_over():
                await pace.rest()
            if keeper.gathers:
                await self._relieve()
        await all_done([] if keeper.gathers else jobs, refused)

    async def remove_multi(self, keys: Iterable[str]) -> int:
        """Remove each key; their files are removed together."""
        pace = Pace()
        count = 0
        jobs: list[Told] = []
        for key in keys:
            place, table = await self._known_at(key)
            removal = self._remove(key, place, table)
            if removal is not None:
                count += removal[0]
                jobs.append(removal[1].outcome())
            if pace.is_over():
                await pace.rest()
        await all_done(jobs)
        return count

    async def increment(self, item: Item[int], delta: int) -> int:
        """Add `delta`; what is being written is counted on without waiting for it."""
        key, keeper = item.key, self._keeper
        while True:
            current = await self.read(key)
            place, table = await self._known_at(key)
            if current is None or current.is_stale:
                total = item.value + delta
                if await self.write(replace(item, value=total), IF_ABSENT):
                    return total
                continue
            total = whole_number(current.value) + delta
            slot = table.live_slot(key, self.clock.monotonic())
            if slot != NIL and version_in(table.values[slot]) == current.version:
                job = keeper.refill(replace(current, value=total, validators=None), place, table)
                await (self._relieve() if keeper.gathers else job.done())
                return total

    async def touch(self, item: Item[None]) -> bool:
        """Give the live item another end."""
        place, table = await self._known_at(item.key)
        life = math.inf if item.ttl is None else item.ttl
        if not table.touch_entry(item.key, life, stale_for(item), self.clock.monotonic()):
            return False
        job = self._keeper.redate(item.key, place, table)
        await (self._relieve() if self._keeper.gathers else job.done())
        return True

    async def expire(self, key: str) -> bool:
        """Make the live item stale."""
        place, table = await self._known_at(key)
        live = table.expire_entry(key, self.clock.monotonic())
        if table.item(key, self.clock.monotonic(), with_version=False) is not None:  # be it stale already
            await self._keeper.redate(key, place, table, at_once=True).done()
        elif table.record(key) is None and (leftover := self._keeper.drop_leftover(key, place, table)) is not None:
            await leftover.done()
        return live

    async def tidy(self) -> None:
        """Free what has expired, what was invalidated, what `clear` left; and, in its interval, what crashes left."""
        self._check()
        await self._sweeping.tidy()
        await self._tags.reap(self.clock)
        now = self.clock.monotonic()
        if self._sweeping.was_stopped or now - self._cleaned >= self._janitor_interval:
            self._cleaned = now
            await self._sweeping.clean()


def _nothing() -> None:
    """Come to its turn in the line of jobs."""
