"""What a provider and all of its namespaces share: the storage, and the policies around it.

Rule: a change of a key supersedes the loads of it before it is made, waits for one that is storing right now, lets none
store while it is on its way, and supersedes once more at its end, however that comes: a load may have begun meanwhile
that still saw the old truth, and a change that failed may have been made all the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack
from functools import partial
from random import Random
from typing import TypeVar, cast

from aiocache_kit.clock import Clock
from aiocache_kit.errors import InvalidArgumentError, PartialFailureError, ProviderClosedError, StorageError
from aiocache_kit.item import Item, Validators
from aiocache_kit.management.expiration import ttl_of
from aiocache_kit.management.failures import Failures
from aiocache_kit.management.freshness import Freshness
from aiocache_kit.management.quiet_log import QuietLog
from aiocache_kit.management.single_flight import SingleFlight
from aiocache_kit.management.slots import Slots
from aiocache_kit.provider.background import Background
from aiocache_kit.provider.hub import Hub
from aiocache_kit.provider.leasing import Leasing
from aiocache_kit.provider.locks import Locks
from aiocache_kit.provider.maintenance import Maintenance
from aiocache_kit.provider.shared_locks import LocksBetweenProcesses
from aiocache_kit.provider.tagging import Tagging
from aiocache_kit.provider.turns import Turns
from aiocache_kit.sentinels import MISSING
from aiocache_kit.storage.base import ALWAYS, Condition, Storage, if_version
from aiocache_kit.storage.tables import TableStorage

T = TypeVar("T")


class Core:
    """A storage with its policies; opened once, closed once."""

    __slots__ = (
        "_half_open",
        "_opening",
        "background",
        "clock",
        "closed",
        "default_life",
        "ended",
        "failures",
        "flights",
        "freshness",
        "hub",
        "leasing",
        "locks",
        "log",
        "loop",
        "maintenance",
        "near",
        "random",
        "ready",
        "shortcuts",
        "slots",
        "storage",
        "tables",
        "tagging",
        "turns",
    )

    def __init__(
        self,
        storage: Storage,
        default_life: float,
        cleanup: float,
        sync: float,
        clock: Clock,
        *,
        freshness: Freshness | None = None,
        slots: Slots | None = None,
        random: Random | None = None,
    ) -> None:
        """Put the parts together; nothing is opened yet."""
        storage.clock = clock
        self.storage = storage
        self.tables = storage if isinstance(storage, TableStorage) else None
        self.default_life = default_life
        self.clock = clock
        self.freshness = Freshness() if freshness is None else freshness
        """How values are served where a call says nothing of it."""
        self.slots = slots
        """What bounds the loads that are under way; None: nothing does."""
        self.random = Random() if random is None else random  # noqa: S311  - spreads and samples, guards nothing
        """Where chance comes from: all that is left to it is drawn here."""
        self.flights = SingleFlight()
        self.failures = Failures()
        self.log = QuietLog(clock)
        self.hub = Hub(storage, clock, self.log, self.random)
        self.background = Background(clock, self.log)
        self.locks = _locks_of(storage, clock, self.random, self.open)
        self.leasing = None if storage.leases is None else Leasing(storage.leases, clock, self.random)
        self.turns = Turns()
        self.tagging = Tagging(storage, clock)
        self.maintenance = Maintenance(
            storage, self.tagging, self.failures, clock, cleanup=cleanup, sync=sync, log=self.log
        )
        self.near = _near_tables_of(storage)
        """The nearest layer of a hierarchy, where that is in tables."""
        self.shortcuts = storage.shortcuts
        """A way past items where that is quicker."""
        self.ready = False
        """Whether the storage is open; calls look at this first, and `open` only if it is not."""
        self.closed = False
        """Whether `close` was called."""
        self.ended = False
        """Whether nothing may be stored any more: what was under way at `close` has had its time."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """Where it was opened."""
        self._opening: asyncio.Lock | None = None
        self._half_open = False
        """Whether opening the storage was begun, so that something may be left to close even if it failed."""

    async def open(self) -> None:
        """Open the storage if it is not open yet, and keep the background task running.

        Raises `ProviderClosedError`, and `StorageError` where the storage cannot be opened; the next call tries again.
        """
        if self.closed:
            raise ProviderClosedError
        if not self.ready:
            if self._opening is None:
                self._opening = asyncio.Lock()
            async with self._opening:
                if self.closed:
                    raise ProviderClosedError
                if not self.ready:
                    await self._open_storage()
            self._opening = None
        self.loop = asyncio.get_running_loop()
        self.maintenance.start()
        self.hub.start()

    async def _open_storage(self) -> None:
        self._half_open = True
        try:
            await self.storage.open()
        finally:
            self._half_open = True  # it may have been closed meanwhile
            if self.closed:
                await self._close_storage()
        self.check_open()
        self.ready = True

    async def _close_storage(self) -> None:
        if self._half_open:
            self._half_open = False
            await self.storage.close()

    async def close(self, timeout: float = 0.0) -> None:
        """End the waiting for locks and the loads, then the background task, then the storage.

        Loads in the background are given `timeout` seconds to end by themselves.
        """
        if self.closed:
            return
        self.closed = True
        self.ready = False
        async with AsyncExitStack() as ends:  # each of them comes, whatever happens to those before it
            ends.push_async_callback(self._close_storage)
            ends.push_async_callback(self.hub.close)
            ends.push_async_callback(self.maintenance.stop)
            ends.push_async_callback(self.flights.close)
            ends.callback(self._end)
            ends.push_async_callback(self.background.close, timeout)
            ends.push_async_callback(self.locks.close)
            if self._opening is not None:
                async with self._opening:  # whoever is opening the storage closes it again
                    pass

    def _end(self) -> None:
        self.ended = True

    def check_open(self) -> None:
        """Raise `ProviderClosedError` after `close`."""
        if self.closed:
            raise ProviderClosedError

    def item(
        self,
        key: str,
        value: object,
        life: float,
        tags: tuple[str, ...] = (),
        cost: int | None = None,
        *,
        stale_for: float = 0.0,
        validators: Validators | None = None,
    ) -> Item[object]:
        """Make the item to write, stamped for now; key and tags in their stored form."""
        _check_value(value)
        ttl = ttl_of(life)
        if tags:
            self.tagging.note(life, stale_for)
        expiration = None if ttl is None else self.clock.time() + ttl
        return Item(
            key=key,
            value=value,
            ttl=ttl,
            expiration=expiration,
            stale_until=expiration + stale_for if stale_for and expiration is not None else None,
            tags=tags,
            cost=cost,
            created_at=self.tagging.stamp(),
            validators=validators,
        )

    def live(self, item: Item[object] | None) -> Item[object] | None:
        """Give `item` back if it is a hit: there, fresh and not invalidated."""
        return None if item is None or item.is_stale or self.tagging.has_killed(item) else item

    async def read_whole(self, key: str) -> Item[object] | None:
        """Give the item under a stored key, stale ones included, unless it was invalidated."""
        item = await self.storage.read(key)
        return None if item is None or self.tagging.has_killed(item) else item

    async def read_latest(self, key: str) -> Item[object] | None:
        """Do as `read_whole` does, past copies that may be behind; None where the storage fails."""
        try:
            item = await self.storage.read_latest(key)
        except StorageError:
            return None
        return None if item is None or self.tagging.has_killed(item) else item

    async def read_whole_multi(self, keys: Collection[str]) -> dict[str, Item[object]]:
        """Give the items under stored keys, as `read_whole` does; those that are not there are left out."""
        items = await self.storage.read_multi(keys)
        return {key: item for key, item in items.items() if not self.tagging.has_killed(item)}

    async def read(self, key: str) -> Item[object] | None:
        """Give the live item under a stored key."""
        return self.live(await self.storage.read(key))

    async def write(
        self,
        key: str,
        value: object,
        life: float,
        tags: tuple[str, ...] = (),
        cost: int | None = None,
        *,
        condition: Condition = ALWAYS,
    ) -> bool:
        """Store a value under a stored key if `condition` holds; a table of this process needs no item for that."""
        _check_value(value)
        stale_for = self.freshness.stale_for
        if self.tables is None:
            short = self.shortcuts if condition is ALWAYS and not (tags or stale_for) and cost is None else None
            if short is not None and await short.put(key, value, ttl_of(life)):
                return True
            return await self.storage.write(self.item(key, value, life, tags, cost, stale_for=stale_for), condition)
        await self.tables.turn(key)
        return self.tables.put(key, value, life, tags=tags, cost=cost, stale_for=stale_for, condition=condition)

    async def write_multi(self, values: Mapping[str, object], life: float, tags: tuple[str, ...]) -> None:
        """Store values by stored key."""
        for value in values.values():
            _check_value(value)
        stale_for = self.freshness.stale_for
        may_be_short = self.shortcuts is not None and not tags and not stale_for
        if may_be_short and self.shortcuts is not None and await self.shortcuts.put_multi(values, ttl_of(life)):
            return
        await self.storage.write_multi(
            self.item(key, value, life, tags, stale_for=stale_for) for key, value in values.items()
        )

    async def values(self, keys: Collection[str]) -> dict[str, object]:
        """Give the live values under stored keys."""
        if self.shortcuts is not None:
            return await self.shortcuts.values(keys)
        try:
            items = await self.storage.read_multi(keys)
        except PartialFailureError as error:
            raise PartialFailureError(
                self._values(cast("dict[str, Item[object]]", error.found)), error.failed
            ) from error
        return self._values(items)

    def _values(self, items: Mapping[str, Item[object]]) -> dict[str, object]:
        return {key: item.value for key, item in items.items() if self.live(item) is not None}

    async def increment(self, key: str, delta: int, initial: int, life: float) -> int:
        """Add to the integer under a stored key, or begin with `initial`."""
        if self.tables is None:
            return await self.storage.increment(cast("Item[int]", self.item(key, initial, life)), delta)
        await self.tables.turn(key)
        return self.tables.add(key, delta, initial, life)

    async def holds(self, key: str) -> bool:
        """Whether a value is live under a stored key."""
        return await self.read(key) is not None if self.tables is None else self.tables.holds(key)

    async def change(self, key: str, act: Callable[[], Awaitable[T]]) -> T:
        """Do what changes the item under a stored key for certain, as the rule says."""
        flights = self.flights
        self.failures.forget(key)
        flights.begin_change(key)
        try:
            if flights.is_storing():
                await flights.stored(key=key)
            return await act()
        finally:
            flights.end_change(key)

    async def change_if(self, key: str, condition: Condition, write: Callable[[Condition], Awaitable[bool]]) -> bool:
        """Do what changes the item if `condition` holds.

        In the process no load can store between the change and the line after it, so that one whose condition failed
        costs no load its result; elsewhere it may.
        """
        await self.bury(key)
        if self.tables is None:
            return await self.change(key, partial(write, condition))
        await self.tables.turn(key)
        done = await write(condition)
        if done:
            self.failures.forget(key)
            self.flights.supersede(key)
        return done

    async def change_many(self, keys: Collection[str], act: Callable[[], Awaitable[T]]) -> T:
        """Do what changes the items under stored keys, as the rule says."""
        flights = self.flights
        self.failures.forget_many(keys)
        flights.begin_changes(keys)
        try:
            if flights.is_storing():
                await flights.stored()
            return await act()
        finally:
            flights.end_changes(keys)

    async def change_all(self, prefix: str, act: Callable[[], Awaitable[T]]) -> T:
        """Do what changes the items whose stored keys begin with `prefix`, as the rule says."""
        flights = self.flights
        self.failures.forget_all(prefix)
        flights.begin_clear(prefix)
        try:
            if flights.is_storing():
                await flights.stored(prefix)
            return await act()
        finally:
            flights.end_clear(prefix)

    async def invalidate(self, tags: tuple[str, ...]) -> None:
        """Kill every item with one of the stored `tags` that was written before."""
        self.failures.forget_tags(tags)
        if self.storage.tags is None:
            self.tagging.invalidate(tags)
            await self.storage.hear_tags(tags, self.tagging.marks)
        else:
            await self.storage.tags.invalidate(tags)

    async def bury(self, key: str) -> None:
        """Remove an item that was invalidated, where the storage does not see that, before a condition is put to it."""
        if self.tagging.must_ask:
            item = await self.storage.read(key)
            if item is not None and self.tagging.has_killed(item):
                await self.storage.remove(key, if_version(item.version))


def _check_value(value: object) -> None:
    if value is MISSING:
        raise InvalidArgumentError("value must not be MISSING, which says that there is none: delete the key instead")


def _locks_of(
    storage: Storage, clock: Clock, random: Random, open_storage: Callable[[], Awaitable[None]]
) -> Locks | LocksBetweenProcesses:
    if storage.locks is None:
        return Locks(clock)
    return LocksBetweenProcesses(storage.locks, clock, random, open_storage)


def _near_tables_of(storage: Storage) -> TableStorage | None:
    near: object = getattr(storage, "near_tables", None)
    return near if isinstance(near, TableStorage) else None
