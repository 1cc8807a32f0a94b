"""The index of a file storage, and the order in which files follow it. Plain `def`: each call is one step of the loop.

Rule 1: a decision and the change of the index are one step; the files are changed by jobs in the order of these steps.
Rule 2: no job for a key may find another state of its file than the jobs before it left.
Rule 3: removals, and what makes an item stale, are never gathered: a crash must not bring back what was taken away, and
be it the file of an entry that had been evicted before.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias, TypeVar

from aiocache_kit.clock import Clock
from aiocache_kit.item import Item
from aiocache_kit.management.eviction.policy import NIL
from aiocache_kit.management.invalidation import TagMarks
from aiocache_kit.serializers.codec import Unsealed
from aiocache_kit.storage.base import Size, stale_for
from aiocache_kit.storage.file.files import Files, Found, Place, fault
from aiocache_kit.storage.file.form import Notes, pack_notes, read_notes
from aiocache_kit.storage.file.index import FileTable, record_of
from aiocache_kit.storage.file.lane import Call, Lane
from aiocache_kit.storage.file.work import Leftover, Removal, Write
from aiocache_kit.storage.observer import Observer
from aiocache_kit.storage.watched_table import watch

T = TypeVar("T")
Gone: TypeAlias = tuple[str, Place]
"""A key that has left, and where its file is."""

RESERVED: Final = 2**20
"""Versions that are set aside at once, so that a crash cannot let one be given twice."""
CHUNK: Final = 128
"""Files that are removed between two chances for other work of the thread."""
_ROOM: Final = 256
"""Bytes that sealing adds, at most, to a value that is still to be sealed."""
_MOST_BYTES: Final = 32 * 2**20
_MOST_WRITES: Final = 20_000


class Keeper:
    """Knows what is in the files, and what is on its way there."""

    def __init__(self, files: Files, tables: Sequence[FileTable], lane: Lane, clock: Clock, *, gathers: bool) -> None:
        """Start without entries; with `gathers`, writes wait for `flush`."""
        self.files = files
        self.tables = tuple(tables)
        self.lane = lane
        self.clock = clock
        self.gathers = gathers
        self.marks = TagMarks()
        self.version = 0
        """The newest version given or met."""
        self.reserved = 0
        """Up to here no later process begins."""
        self.errors = 0
        self.jobs: dict[str, Write] = {}
        """The newest write of each key that is not on the disk yet."""
        self.stuck: dict[str, Place] = {}
        """Keys whose files could not be removed when that was tried last; changed by the thread alone, in its order."""
        self.failure: BaseException | None = None
        """Why something that was gathered could not be written."""
        self._mask = len(tables) - 1
        self._gathered: dict[str, Write] = {}
        self._bytes = 0
        self._removals: dict[str, Removal] = {}
        """The newest removal of each key that is on its way."""
        self._evicted: dict[str, Place] = {}
        """Evicted while gathering: their files go before anything is written."""

    # --- looking -----------------------------------------------------------------------------------------------------

    def observe(self, observer: Observer) -> None:
        """Tell `observer` from now on of what the index lets go."""
        for table in self.tables:
            watch(table, observer)

    def size(self) -> Size:
        """Count what is held."""
        return Size(
            items=sum(map(len, self.tables)),
            bytes=sum(table.held for table in self.tables),
            evictions=sum(table.evictions for table in self.tables),
            expired=sum(table.expired for table in self.tables),
            errors=self.errors,
        )

    def number(self, place: Place) -> int:
        """Give the number of the table that knows the file."""
        return place[0] & self._mask

    def table(self, place: Place) -> FileTable:
        """Give the table that knows the file."""
        return self.tables[place[0] & self._mask]

    @property
    def is_full(self) -> bool:
        """Whether so much was gathered that it must be written now."""
        return self._bytes > _MOST_BYTES or len(self._gathered) > _MOST_WRITES

    # --- changing ----------------------------------------------------------------------------------------------------

    def put(self, item: Item[object], place: Place, table: FileTable) -> Write:
        """Hold `item` and have it written.

        Raises `SerializationError` or `ValueTooLargeError`; nothing has changed then.
        """
        version, value = self._lay_out(place, item)
        now = self.clock.monotonic()
        life = math.inf if item.ttl is None else item.ttl
        end = None if item.ttl is None else self.clock.time() + life
        stale = stale_for(item)
        last = None if end is None or not stale else end + stale
        stamp = float(version)
        said = Notes(item.key, version, item.ttl, end, last, stamp, item.tags, item.cost)
        notes = pack_notes(self.files.codec, place[1], said)
        record = record_of(version, len(notes) + _size_of(value))
        table.keep(item.key, record, life, now, stale_for=stale, tags=item.tags, cost=item.cost, stamp=stamp)
        return self._write(item.key, place, table, version=version, notes=notes, value=value)

    def refill(self, item: Item[object], place: Place, table: FileTable) -> Write:
        """Give the held entry under the key of `item` its value; everything else stays."""
        slot, now = table.index[item.key], self.clock.monotonic()
        version, value = self._lay_out(place, item)
        said = table.notes(item.key, slot, self.clock.time() - now)._replace(version=version)
        notes = pack_notes(self.files.codec, place[1], said)
        table.swap(slot, record_of(version, len(notes) + _size_of(value)), now)
        return self._write(item.key, place, table, version=version, notes=notes, value=value)

    def redate(self, key: str, place: Place, table: FileTable, *, at_once: bool = False) -> Write:
        """Have written what the index says of the dates of a held entry; its value and version stay."""
        said = table.notes(key, table.index[key], self.clock.time() - self.clock.monotonic())
        notes = pack_notes(self.files.codec, place[1], said)
        return self._write(key, place, table, version=said.version, notes=notes, value=None, at_once=at_once)

    def _lay_out(self, place: Place, item: Item[object]) -> tuple[int, bytes | Unsealed]:
        """Give the body for `item` with a new version; what its loader said of the value lies with that."""
        version = self.version + 1
        laid = self.files.codec.encode_now(
            Item(
                key=place[1],
                value=item.value,
                version=version,
                created_at=item.created_at,
                validators=item.validators,
            )
        )
        self.version = version
        if version > self.reserved - RESERVED // 2:
            self.reserved += RESERVED
            self.lane.start(self.files.directory.keep_number, self.reserved)
        return version, laid

    def _write(
        self,
        key: str,
        place: Place,
        table: FileTable,
        *,
        version: int,
        notes: bytes,
        value: bytes | Unsealed | None,
        at_once: bool = False,
    ) -> Write:
        """Have a file written by the job that is about to do so, or by a new one. `value` None: it stays."""
        self.remove_gone(table)
        job = self.jobs.get(key)
        # One that only has new dates written may have readers behind it, who look for the value that is there.
        if job is None or job.taken or (job.queued and job.value is None and value is not None):
            job = self.jobs[key] = Write(self, key, place, table)
        job.version, job.notes = version, notes
        self._ungather(job)
        if value is not None:
            job.value = value
        if self.gathers and not (at_once or job.queued):
            self._gather(job)
        elif not job.queued:
            self._remove_evicted()  # it may be of a key that was evicted before it was written anew
            self._queue(job)
        return job

    def _gather(self, job: Write) -> None:
        self._gathered[job.key] = job
        self._bytes += _size_of(job.value)

    def _ungather(self, job: Write) -> bool:
        if self._gathered.pop(job.key, None) is None:
            return False
        self._bytes -= _size_of(job.value)
        return True

    def _queue(self, job: Write) -> None:
        self._ungather(job)
        job.queued = True
        self.lane.add(job)

    def flush(self) -> Iterator[None]:
        """Have written what was gathered, a piece at each step; the iterator is to be run to its end."""
        self._remove_evicted()
        for key, job in list(self._gathered.items()):
            if self._gathered.get(key) is job:
                self._queue(job)
                yield

    def drop(self, key: str, place: Place, table: FileTable) -> tuple[bool, Removal] | None:
        """Let go of an entry and have its file removed; say whether it was live. None: there is nothing to remove."""
        if table.record(key) is None:
            leftover = self.drop_leftover(key, place, table)
            return None if leftover is None else (False, leftover)
        was_live = table.drop(key, self.clock.monotonic())
        table.gone.pop()
        removal = Removal(self, key, place, table, self.jobs.get(key))
        self.void(key)
        self._start(removal)
        return was_live, removal

    def drop_leftover(self, key: str, place: Place, table: FileTable) -> Removal | None:
        """Have removed, at once, what an entry may have left that has gone before; None: there is nothing."""
        if self._evicted.pop(key, None) is None and key not in self.stuck:
            return self._removals.get(key)
        removal = Leftover(self, key, place, table)
        self._start(removal)
        return removal

    def _start(self, removal: Removal) -> None:
        self._removals[removal.key] = removal
        self.lane.add(removal)

    def void(self, key: str) -> None:
        """Take back the write of a key that the thread has not begun with."""
        job = self.jobs.pop(key, None)
        if job is None or job.taken:
            return
        job.void = True
        if self._ungather(job):
            job.tell(None)

    def void_all(self) -> None:
        """Take back all writes that the thread has not begun with."""
        jobs, self.jobs = self.jobs, {}
        for job in jobs.values():
            job.void = job.queued and not job.taken
        # Nobody waits for what was gathered and does not stand in line yet.
        self._gathered, self._bytes, self._evicted = {}, 0, {}

    def set_aside(self) -> None:
        """Move all files away; in the thread."""
        self.files.set_aside()
        self.stuck.clear()

    # --- what has left -----------------------------------------------------------------------------------------------

    def take_gone(self, table: FileTable) -> list[Gone]:
        """Take what has left a table; its writes are taken back, its files are for the caller to remove."""
        if not table.gone:
            return []
        gone, table.gone = table.gone, []
        for key, _ in gone:
            self.void(key)
        return [(key, self.files.place(key)) for key, _ in gone]

    def remove_gone(self, table: FileTable) -> None:
        """Have removed what has left a table, before anything that is written from now on."""
        gone = self.take_gone(table)
        if self.gathers:
            self._evicted.update(gone)
        else:
            self._remove(gone)

    def _remove_evicted(self) -> None:
        gone, self._evicted = self._evicted, {}
        self._remove(list(gone.items()))

    def _remove(self, gone: list[Gone]) -> list[Call[None]]:
        return [self.lane.start(self._try_to_remove, chunk) for chunk in in_chunks(gone)]

    def _try_to_remove(self, gone: Sequence[Gone]) -> None:
        for key, place in gone:
            try:
                self.files.remove(place)
            except OSError:
                self.stuck[key] = place
            else:
                self.stuck.pop(key, None)

    async def removed(self, gone: list[Gone]) -> None:
        """Remove files, and wait for it. All stand in line at once, before what is written from now on."""
        for call in self._remove(gone):
            await call.result()

    def stuck_below(self, prefix: str) -> list[Gone]:
        """Give what has left and could not be removed."""
        stuck = self.stuck.copy().items()  # the thread may change it
        return [gone for gone in stuck if gone[0].startswith(prefix) and self.table(gone[1]).record(gone[0]) is None]

    async def remove_leftovers(self, prefix: str = "") -> bool:
        """Remove what has left, and whose files may still be there; say whether none is left below `prefix`."""
        gone, self._evicted = self._evicted, {}
        await self.removed([*gone.items(), *self.stuck_below(prefix)])
        return not self.stuck_below(prefix)

    # --- what became of it -------------------------------------------------------------------------------------------

    def written(self, job: Write, size: int) -> None:
        """Learn that a file is there, and how large it became."""
        if self.jobs.get(job.key) is job and not job.table.closed:
            del self.jobs[job.key]
            slot = job.table.index.get(job.key, NIL)
            record = record_of(job.version, size)
            if slot != NIL and job.table.values[slot] != record:
                job.table.swap(slot, record, self.clock.monotonic())
                self.remove_gone(job.table)
        job.tell(None)

    def removed_one(self, job: Removal) -> bool:
        """Learn that a removal is over; say whether there is none of its key after it."""
        is_newest = self._removals.get(job.key) is job
        if is_newest:
            del self._removals[job.key]
        return is_newest

    def failed(self, job: Write | Removal, old: Found | None, error: BaseException) -> None:
        """Learn that a file is as it was: gathered writes are kept for another time, others are taken back."""
        mapped = fault(error, "an item cannot be written or removed")
        newest = self.jobs.get(job.key)
        is_last = isinstance(job, Removal) and self.removed_one(job) and newest is None
        if job.table.closed:
            self.failure = mapped
        elif isinstance(job, Write) and newest is job and self.gathers and not isinstance(error, FileNotFoundError):
            self.failure = mapped
            job.taken = job.queued = False
            self._gather(job)
        elif newest is job:
            del self.jobs[job.key]
            self._restore(job, old)
        elif isinstance(job, Removal) and is_last and job.table.record(job.key) is None:
            self._restore(job, self._regather(job.instead_of, old) or old)
        job.tell(mapped)

    def _regather(self, job: Write | None, old: Found | None) -> Found | None:
        """Gather again what was taken back for a removal that failed; give what will be in the file then."""
        if job is None or not self.gathers or (job.value is None and old is None):
            return None
        notes = read_notes(self.files.codec, job.place[1], job.notes)
        job.taken = job.queued = job.void = False
        self.jobs[job.key] = job
        self._gather(job)
        return Found(notes, len(job.notes) + _size_of(job.value) if old is None or job.value is not None else old.size)

    def _restore(self, job: Write | Removal, old: Found | None) -> None:
        now = self.clock.monotonic()
        table = job.table
        if old is None or not table.take_in(old.notes, old.size, now, self.clock.time() - now):
            table.drop(job.key, now)
            self.void(job.key)
        self.remove_gone(table)


def _size_of(value: bytes | Unsealed | None) -> int:
    """Give the bytes of a value, sealed or not."""
    if value is None:
        return 0
    return len(value[4]) + _ROOM if isinstance(value, tuple) else len(value)


def in_chunks(things: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut a long list, so that the thread can do something else in between."""
    return (things[start : start + CHUNK] for start in range(0, len(things), CHUNK))
