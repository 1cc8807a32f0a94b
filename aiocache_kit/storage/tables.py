"""A storage inside the process: one or more tables, chosen by the hash of the key.

Rule 1: what does not wait is done by the table in one step; an asyncio lock is waited for only where somebody holds it
over awaits (`Table.exclusive`), and reading never waits.
Rule 2: whatever touches many entries works in slices, by slot number, so that it may stop anywhere.
"""

import math
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from aiocache_kit.clock import Clock
from aiocache_kit.errors import UnsupportedError, ValueTooLargeError
from aiocache_kit.item import Item, Validators
from aiocache_kit.management.eviction.policy import NIL
from aiocache_kit.management.invalidation import TagMarks
from aiocache_kit.sentinels import MISSING
from aiocache_kit.storage.base import ALWAYS, Capabilities, Condition, ConditionKind, Size, Storage, stale_for
from aiocache_kit.storage.observer import Observer
from aiocache_kit.storage.pace import Pace
from aiocache_kit.storage.rounds import STEP, free, live_keys
from aiocache_kit.storage.table import Table
from aiocache_kit.storage.watched_table import watch

if TYPE_CHECKING:
    from aiocache_kit.storage.snapshot import Snapshot


class TableStorage(Storage):
    """Keeps items in memory, by reference or as copies; see `memory_storage` and `lru_storage`."""

    capabilities = Capabilities(by_reference=True)

    def __init__(
        self,
        tables: Sequence[Table],
        *,
        name: str,
        clock: Clock,
        hash_func: Callable[[str], int] = hash,
        copies: bool = False,
        snapshot: "Snapshot | None" = None,
    ) -> None:
        """Use `tables`, a power of two of them; `hash_func` chooses among them.

        With `copies`, values go in and come out as deep copies. A `snapshot` is loaded by `open` and written by `sync`
        and `close`.
        """
        self.tables = tuple(tables)
        self.mask = len(tables) - 1
        self.hash_func = hash_func
        self.name = name
        self.clock = clock
        self.own: Callable[[object], object] | None = None
        """What makes values one's own on their way in and out; None: they are kept by reference."""
        self._snapshot = snapshot
        self._is_loaded = False
        """Whether all that is in the snapshot was read, so that another one may take its place."""
        self._remains: list[Iterator[None]] = []
        self._marks: TagMarks = TagMarks()
        self.capabilities = Capabilities(
            by_reference=not copies, bounded=all(table.is_bounded for table in self.tables)
        )
        if copies:
            # Only here, because knowing many immutable types means importing where they come from.
            from aiocache_kit.storage.isolation import own_copy  # noqa: PLC0415  - few ask for copies

            self.own = own_copy

    @property
    def is_persistent(self) -> bool:
        """Whether items of an earlier process may be here."""
        return self._snapshot is not None

    def __repr__(self) -> str:
        return f"<TableStorage {self.name}, {len(self.tables)} tables, {sum(map(len, self.tables))} entries>"

    # --- inside the process ------------------------------------------------------------------------------------------

    def table_of(self, key: str) -> Table:
        """Give the table that holds `key`."""
        return self.tables[self.hash_func(key) & self.mask]

    def lookup(self, key: str, now: float) -> object:
        """Give the live value under `key` at the instant `now` of the clock, or `MISSING`; never waits."""
        value = self.table_of(key).lookup(key, now)
        return value if self.own is None or value is MISSING else self.own(value)

    def holds(self, key: str) -> bool:
        """Whether a value is live under `key`; no hit for the policy."""
        return self.table_of(key).live_slot(key, self.clock.monotonic()) != NIL

    def may_put(self, keys: Iterable[str]) -> bool:
        """Whether `put` may be called for `keys` now: nobody holds their tables over awaits."""
        return not any(self.table_of(key).busy for key in keys)

    def put(
        self,
        key: str,
        value: object,
        life: float,
        *,
        tags: tuple[str, ...] = (),
        cost: int | None = None,
        stale_for: float = 0.0,
        condition: Condition = ALWAYS,
        validators: Validators | None = None,
    ) -> bool:
        """Store the value for `life` seconds if `condition` holds, without waiting; see `may_put`."""
        table, now = self.table_of(key), self.clock.monotonic()
        if condition is not ALWAYS and not table.allows(condition, key, now):
            return False
        own = value if self.own is None else self.own(value)
        table.put(key, own, life, now, stale_for=stale_for, tags=tags, cost=cost)
        if validators is not None:
            table.attach(key, validators)
        return True

    def young(self, key: str, ahead: float | None) -> tuple[object] | None:
        """Give the live value under `key`, in a tuple, unless the share `ahead` of its ttl is over; a use of the key.

        None: its whole ttl is its youth.
        """
        table, now = self.table_of(key), self.clock.monotonic()
        slot = table.live_slot(key, now)
        if slot == NIL or (ahead is not None and not table.is_young(slot, now, 1.0 - ahead)):
            return None
        table.record_hit(slot)
        value = table.values[slot]
        return (value if self.own is None else self.own(value),)

    async def turn(self, key: str) -> None:
        """Wait until `put` may be called for `key`."""
        table = self.table_of(key)
        if table.busy:
            await table.turn()

    async def turns(self, keys: Collection[str]) -> None:
        """Wait until `put` may be called for all of `keys`."""
        while not self.may_put(keys):
            for key in keys:
                await self.turn(key)

    def observe(self, observer: Observer) -> None:
        """Tell of removals; calls are too short to be traced."""
        for table in self.tables:
            watch(table, observer)

    def mark(self) -> float:
        """Give an instant after every write so far and before every write to come, in all tables."""
        instant = max([self.clock.monotonic(), *(table.last for table in self.tables)])
        for table in self.tables:
            table.last = instant
        return instant

    def heed(self, marks: TagMarks) -> None:
        """Take no item for live, from now on, that was written before one of its tags was invalidated in `marks`."""
        self._marks = marks
        for table in self.tables:
            table.heed(marks)

    # --- the five ----------------------------------------------------------------------------------------------------

    async def read(self, key: str) -> Item[object] | None:
        """Give the item under `key`."""
        table = self.table_of(key)
        item = table.item(key, self.clock.monotonic())
        if item is None:
            return None
        table.record_hit(table.index[key])
        return self._with_own_value(item)

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Store `item` if `condition` holds."""
        if condition.kind is ConditionKind.LEASE:
            msg = f"the storage {self.name} gives no leases: within one process a provider needs none"
            raise UnsupportedError(msg)
        table = self.table_of(item.key)
        if table.busy:
            await table.turn()
        return self._put(table, item, condition)

    def _put(self, table: Table, item: Item[object], condition: Condition) -> bool:
        now = self.clock.monotonic()
        if not table.allows(condition, item.key, now):
            return False
        table.put(
            item.key,
            item.value if self.own is None else self.own(item.value),
            math.inf if item.ttl is None else item.ttl,
            now,
            stale_for=stale_for(item),
            tags=item.tags,
            cost=item.cost,
            created=item.created_at,
        )
        if item.validators is not None:
            table.attach(item.key, item.validators)
        return True

    async def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Remove the item under `key` if `condition` holds."""
        table = self.table_of(key)
        if table.busy:
            await table.turn()
        return self._drop(table, key, condition)

    def _drop(self, table: Table, key: str, condition: Condition) -> bool:
        now = self.clock.monotonic()
        return table.allows(condition, key, now) and table.drop(key, now)

    async def clear(self, prefix: str = "") -> None:
        """Remove the items that are there now and begin with `prefix`."""
        if not prefix:
            await self._start_again()
            return
        pace = Pace()
        for table in self.tables:
            async with table.exclusive():
                slot = 0
                while slot < table.slots():  # fewer, once somebody clears everything
                    key = table.columns.keys[slot]
                    if key and key.startswith(prefix):
                        table.drop(key, self.clock.monotonic())
                    slot += 1
                    if slot % STEP == 0 and pace.is_over():
                        await pace.rest()

    def scan(self, prefix: str = "") -> AsyncIterator[str]:
        """Give the live keys that begin with `prefix`."""
        return live_keys(self.tables, prefix, self.clock)

    # --- faster than by way of the five ------------------------------------------------------------------------------

    async def read_multi(self, keys: Collection[str]) -> dict[str, Item[object]]:
        """Give the items under `keys`, in slices."""
        pace = Pace()
        found: dict[str, Item[object]] = {}
        for count, key in enumerate(keys):
            if count % STEP == 0 and pace.is_over():
                await pace.rest()
            table = self.table_of(key)
            item = table.item(key, self.clock.monotonic())
            if item is not None:
                table.record_hit(table.index[key])
                found[key] = self._with_own_value(item)
        return found

    async def write_multi(self, items: Iterable[Item[object]]) -> None:
        """Store each item, in slices."""
        pace = Pace()
        for count, item in enumerate(items):
            await self.write(item)
            if count % STEP == 0 and pace.is_over():
                await pace.rest()

    async def remove_multi(self, keys: Iterable[str]) -> int:
        """Remove each key, in slices."""
        pace, removed = Pace(), 0
        for count, key in enumerate(keys):
            removed += await self.remove(key)
            if count % STEP == 0 and pace.is_over():
                await pace.rest()
        return removed

    async def increment(self, item: Item[int], delta: int) -> int:
        """Add `delta` in one step."""
        await self.turn(item.key)
        table = self.table_of(item.key)
        total = table.increment(item.key, delta, self.clock.monotonic())
        if total is None:
            total = item.value + delta
            self._put(table, replace(item, value=total), ALWAYS)
        return total

    def add(self, key: str, delta: int, initial: int, life: float) -> int:
        """Do what `increment` does, without waiting; see `may_put`."""
        table, now = self.table_of(key), self.clock.monotonic()
        total = table.increment(key, delta, now)
        if total is None:
            total = initial + delta
            table.put(key, total, life, now)
        return total

    async def touch(self, item: Item[None]) -> bool:
        """Give the live item another end."""
        table = self.table_of(item.key)
        life = math.inf if item.ttl is None else item.ttl
        if table.busy:
            await table.turn()
        return table.touch_entry(item.key, life, stale_for(item), self.clock.monotonic())

    async def expire(self, key: str) -> bool:
        """Make the live item stale."""
        table = self.table_of(key)
        if table.busy:
            await table.turn()
        return table.expire_entry(key, self.clock.monotonic())

    # --- life and background -----------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Load the snapshot, where there is one."""
        for table in self.tables:
            table.use(self.clock)
        if self._snapshot is not None:
            # Who remembers a version from before a restart must not meet it again with another value. Nobody asks for
            # a million of them in a second, and after a crash no file knows the last one.
            for table in self.tables:
                table.go_on_from(int(self.clock.time() * 1e6))
            async for item in self._snapshot.items(self.clock):
                # What is too large was written under a larger bound: it is let go, as the bound wants it.
                with suppress(ValueTooLargeError):
                    self._put(self.table_of(item.key), item, ALWAYS)
        self._is_loaded = True

    async def sync(self) -> None:
        """Write the snapshot, where one is configured; not over one that was never read to its end."""
        if self._snapshot is not None and self._is_loaded:
            await self._snapshot.save(self._live_items())

    async def close(self) -> None:
        """Write the snapshot and let go of everything, also where it cannot be written."""
        if self.tables[0].closed:
            return  # another snapshot would be an empty one
        for table in self.tables:
            table.closed = table.busy = True
        try:
            await self.sync()
        finally:
            self._remains += [table.shut() for table in self.tables]
            await free(self._remains)

    async def size(self) -> Size:
        """Count what is held."""
        return Size(
            items=sum(map(len, self.tables)),
            bytes=sum(table.bytes for table in self.tables),
            evictions=sum(table.evictions for table in self.tables),
            expired=sum(table.expired for table in self.tables),
        )

    async def tidy(self) -> None:
        """Free what has expired, what was invalidated, and what `clear` left."""
        await free(self._remains)
        pace = Pace()
        for table in self.tables:
            while table.sweep_one(self.clock.monotonic()):
                if pace.is_over():
                    await pace.rest()
        await self._reap(pace)

    async def _reap(self, pace: Pace) -> None:
        """Free what an invalidated tag has killed; the marks up to now have done their work then."""
        if not self._marks:
            return
        mark = self.mark()
        for table in self.tables:
            slot = 0
            while table.extras and slot < table.slots():
                if slot % STEP == 0 and pace.is_over():
                    await pace.rest()
                table.reap(slot, self.clock.monotonic())
                slot += 1
        self._marks.forget(mark)

    async def _start_again(self) -> None:
        pace = Pace()
        for table in self.tables:
            self._remains.append(table.start_again())
            if pace.is_over():
                await pace.rest()
        await free(self._remains)

    def _with_own_value(self, item: Item[object]) -> Item[object]:
        return item if self.own is None else replace(item, value=self.own(item.value))

    async def _live_items(self) -> AsyncIterator[Item[object]]:
        """Give what is live, each table as it was at one moment; writing goes on meanwhile."""
        pace = Pace()
        for table in self.tables:
            frozen = table.frozen()
            for count, key in enumerate(frozen.index):
                if count % STEP == 0 and pace.is_over():
                    await pace.rest()
                item = frozen.item(key, self.clock.monotonic(), with_version=False)
                if item is not None and not item.is_stale:
                    yield item
