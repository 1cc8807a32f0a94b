"""What lies in the directory, in memory: tables as those of the memory storage, with a number in the place of a value.

Rule 1: that number is the version of an item and the size of its file; the value stays in the file.
Rule 2: whatever leaves a table stands in `gone` until somebody takes it: its file is to be removed.
Rule 3: tags are heeded by versions: an item is dead once one of its tags was invalidated after it was written.
"""

import math
from typing import Final, TypeAlias

from aiocache_kit.management.eviction.policy import NIL
from aiocache_kit.management.invalidation import TagMarks
from aiocache_kit.storage.base import Condition, ConditionKind
from aiocache_kit.storage.file.form import Notes
from aiocache_kit.storage.table import Table

_SIZE_BITS: Final = 40
_SIZE: Final = 2**_SIZE_BITS - 1
TABLE_ENTRIES: Final = 32_768
"""Entries from which on there are more tables: growing a larger one at once would hold the event loop too long."""
TABLE_BYTES: Final = 2**30
"""The same for a bound in bytes: an item cannot be larger than its table."""


State: TypeAlias = tuple[int, float | None, float | None, tuple[str, ...], int | None, float | None, bool]
"""An entry: its number, ttl, expiration, tags, cost, `stale_until`, and whether it is stale."""


def record_of(version: int, size: int) -> int:
    """Give the number for a version and a size."""
    return version << _SIZE_BITS | size


def version_in(record: object) -> int:
    """Give the version in a number."""
    return int(record) >> _SIZE_BITS if isinstance(record, int) else 0


def size_in(record: object) -> int:
    """Give the size in a number."""
    return int(record) & _SIZE if isinstance(record, int) else 0


def weigh(key: str, record: object) -> int:
    """Say what an entry counts against a bound in bytes: its file."""
    del key
    return size_in(record)


def tables_for(max_entries: int | None, max_size: int | None, most: int) -> int:
    """Give how many tables there are for these bounds: a power of two, at most `most`."""
    wanted = most if max_entries is None else -(-max_entries // TABLE_ENTRIES)
    if max_size is not None:
        wanted = min(wanted, max_size // TABLE_BYTES)
    count = 1
    while count < wanted and count < most:
        count *= 2
    return count


def share(bound: int | None, count: int, place: int) -> int | None:
    """Divide a bound so that the shares add up to it."""
    return None if bound is None else bound // count + (place < bound % count)


class FileTable(Table):
    """Knows some of the files."""

    __slots__ = ("gone", "held")

    gone: list[tuple[str, int]]
    """Keys and numbers of what has left."""
    held: int
    """Bytes of the files."""

    def _start(self) -> None:
        super()._start()
        self.gone = []
        self.held = 0

    def obey(self, marks: TagMarks) -> None:
        """Take nothing for live that `marks` kill; stamps are the versions."""
        self._marks = marks

    def record(self, key: str) -> int | None:
        """Give the number of what is held under `key`, live or not."""
        slot = self.index.get(key)
        return None if slot is None else self._record(slot)

    def _record(self, slot: int) -> int:
        record = self.values[slot]
        return record if isinstance(record, int) else 0

    def state(self, key: str, now: float) -> State | None:
        """Give what is known of the entry under `key`, a stale one included; None once it is dead or not there."""
        slot = self.index.get(key)
        if slot is None:
            return None
        until, life = self.fresh[slot], self.lives[slot]
        record, ttl = self._record(slot), None if life < 0.0 else life
        extra = self.extras.get(slot) if self.extras else None
        if now < until and extra is None:
            return record, ttl, None if until == math.inf else until + self._clock.time() - now, (), None, None, False
        if extra is None:
            return None
        until, dead_at, stamp, cost, *tags = extra
        if now >= dead_at or self._marks.killed(tags, stamp):
            return None
        to_date = self._clock.time() - now
        end = None if until == math.inf else until + to_date
        last = None if dead_at <= until else dead_at + to_date
        return record, ttl, end, tuple(tags), cost, last, now >= until

    def allows(self, condition: Condition, key: str, now: float) -> bool:
        """Decide a condition, leases excepted, for the live entry under `key`."""
        if condition.kind is not ConditionKind.VERSION:
            return super().allows(condition, key, now)
        slot = self.live_slot(key, now)
        return slot != NIL and version_in(self._record(slot)) == condition.version

    def keep(
        self,
        key: str,
        record: int,
        life: float,
        now: float,
        *,
        stale_for: float,
        tags: tuple[str, ...],
        cost: int | None,
        stamp: float,
    ) -> None:
        """Hold an entry; raises `ValueTooLargeError` where it is larger than this table may become."""
        old = size_in(self.record(key))
        self.put(key, record, life, now, stale_for=stale_for, tags=tags, cost=cost, created=stamp)
        self.held += size_in(record) - old

    def take_in(self, notes: Notes, size: int, now: float, to_date: float) -> bool:
        """Hold what an earlier process has written; False: it is dead.

        Wall clocks may have been set meanwhile, so no item lives longer than it once was to.
        """
        life = math.inf if notes.ttl is None else notes.ttl
        left = math.inf if notes.expiration is None else notes.expiration - to_date - now
        left = min(left, life)
        stale_for = 0.0
        if notes.stale_until is not None and notes.expiration is not None:
            stale_for = max(notes.stale_until - notes.expiration, 0.0)
        if left + stale_for <= 0.0 or self._marks.killed(notes.tags, notes.stamp):
            return False
        # It was written in the past; of what never ends nothing but a positive instant is asked.
        written = now if left == math.inf else now + left - life
        self.keep(
            notes.key,
            record_of(notes.version, size),
            life,
            written,
            stale_for=stale_for,
            tags=notes.tags,
            cost=notes.cost,
            stamp=notes.stamp,
        )
        return True

    def set_end(self, slot: int, life: float, now: float, stale_for: float = 0.0) -> None:
        """Give the entry another end, and a ttl that counts from `now`: when it was created is known to its file."""
        super().set_end(slot, life, now, stale_for)
        self.lives[slot] = -now if life == math.inf else life

    def notes(self, key: str, slot: int, to_date: float) -> Notes:
        """Give what is to be written of the entry at `slot`; `to_date` makes instants those of the wall clock."""
        extra = self.extras.get(slot)
        until, dead_at, stamp, cost, *tags = extra or (self.fresh[slot], self.fresh[slot], 0.0, None)
        life = self.lives[slot]
        return Notes(
            key,
            version_in(self._record(slot)),
            None if life < 0.0 else life,
            None if until == math.inf else until + to_date,
            None if dead_at <= until else dead_at + to_date,
            stamp,
            tuple(tags),
            cost,
        )

    def swap(self, slot: int, record: int, now: float) -> None:
        """Give an entry another number; everything else stays."""
        old = self._record(slot)
        self.values[slot] = record
        self.held += size_in(record) - size_in(old)
        if self.weights is None or size_in(record) == size_in(old) or self._cost(slot) is not None:
            return
        weight, self.weights[slot] = self.weights[slot], size_in(record)
        self.bytes += size_in(record) - weight
        self._policy.rewrite(slot, weight)
        self._make_room(now)

    def _cost(self, slot: int) -> int | None:
        extra = self.extras.get(slot)
        return None if extra is None else extra[3]

    def _release(self, slot: int) -> None:
        record = self._record(slot)
        self.gone.append((self.columns.keys[slot], record))
        self.held -= size_in(record)
        super()._release(slot)
