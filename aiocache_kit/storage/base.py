"""What a storage is: the boundary between the rules of a cache and the place where items lie.

A new storage writes five methods: `read`, `write`, `remove`, `clear` and `scan`. Whatever else stands here works by way
of these, and may be overridden for speed. Every atomic operation of a provider is made of a conditional write or
removal, so a storage that honours `Condition` has them all.

Rule 1: a storage knows nothing of loaders, of namespaces or of what tags mean; it keeps items by their keys.
Rule 2: a condition is about items that are *live*: neither past their expiration nor told to expire. A stale item is
absent to a condition, though `read` still gives it.
Rule 3: a method may be cancelled at each of its awaits and leaves the item old, new or gone, never half.
Rule 4: what goes wrong is a `StorageError`; bad input never reaches a storage, the provider has refused it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import replace
from enum import Enum
from typing import Final, NamedTuple, Protocol

from aiocache_kit.clock import Clock, SystemClock
from aiocache_kit.errors import WrongTypeError
from aiocache_kit.item import Item
from aiocache_kit.management.invalidation import TagMarks
from aiocache_kit.stats import Stats
from aiocache_kit.storage.agreements import SharedLocks, SharedRates
from aiocache_kit.storage.observer import Observer, trace


class ConditionKind(Enum):
    """What a condition asks for."""

    ALWAYS = "always"
    ABSENT = "absent"
    PRESENT = "present"
    VERSION = "version"
    LEASE = "lease"


class Condition(NamedTuple):
    """When a write or a removal may happen; checked and done in one atomic step."""

    kind: ConditionKind
    version: int = 0
    lease: str = ""

    def holds(self, current: Item[object] | None) -> bool:
        """Decide for the `current` item, None or a stale one meaning that there is none.

        Not for leases: only the storage that gave one knows whether it still holds.
        """
        live = current is not None and not current.is_stale
        match self.kind:
            case ConditionKind.ALWAYS:
                return True
            case ConditionKind.ABSENT:
                return not live
            case ConditionKind.PRESENT:
                return live
            case _:
                return live and current is not None and current.version == self.version


ALWAYS: Final = Condition(ConditionKind.ALWAYS)
IF_ABSENT: Final = Condition(ConditionKind.ABSENT)
IF_PRESENT: Final = Condition(ConditionKind.PRESENT)


def if_version(version: int) -> Condition:
    """Only over the live item with this `Item.version`."""
    return Condition(ConditionKind.VERSION, version=version)


def if_lease(lease: str) -> Condition:
    """Only while this lease, which the storage gave, is valid."""
    return Condition(ConditionKind.LEASE, lease=lease)


class Capabilities(NamedTuple):
    """What a storage can do beyond keeping items; asked once, when a provider is built."""

    stores: bool = True
    """False: it forgets everything at once, and counters, locks and conditions have nothing to work on."""
    shared: bool = False
    """Other processes see the same items."""
    persistent: bool = False
    """Items outlive the process, and what was taken away stays so; a snapshot of memory is less than that."""
    by_reference: bool = False
    """What is read is the very object that was written, unless the configuration asks for copies."""
    leases: bool = False
    """It gives leases to those who load a missing key (`Storage.leases`), and honours `if_lease`."""
    tags: bool = False
    """It heeds tags by itself, for all who share it (`Storage.tags`): `read` gives no item that was invalidated."""
    locks: bool = False
    """It gives locks that hold among all who share it (`Storage.locks`)."""
    rates: bool = False
    """It counts for rate limits that hold among all who share it (`Storage.rates`)."""
    bounded: bool = False
    """It holds no more than it was told to once a call has returned, and lets other items go for that."""


class Size(NamedTuple):
    """What a storage holds, and what it gave up since it was made."""

    items: int = 0
    bytes: int = 0
    evictions: int = 0
    expired: int = 0
    errors: int = 0
    """What went wrong and was answered by a miss: items that could not be read, calls that were degraded."""
    counted: bool = True
    """Whether `items` and `bytes` are known; False: they are zeros that mean nothing."""


class Kept(NamedTuple):
    """An item as a storage in this process may keep it: with its ends on the monotonic clock, which nobody sets."""

    item: Item[object]
    fresh_until: float
    dead_at: float

    @classmethod
    def from_now(cls, item: Item[object], clock: Clock) -> "Kept":
        """Begin to count the ttl of `item`, and the time to be stale after it."""
        fresh_until = clock.monotonic() + (math.inf if item.ttl is None else item.ttl)
        return cls(item, fresh_until, fresh_until + stale_for(item))

    def at_present(self, clock: Clock) -> Item[object] | None:
        """Give the item as it is now, with its dates by the wall clock of now; None once it is dead."""
        now = clock.monotonic()
        if now >= self.dead_at:
            return None
        to_date = clock.time() - now
        return replace(
            self.item,
            expiration=None if self.fresh_until == math.inf else self.fresh_until + to_date,
            stale_until=None if self.dead_at <= self.fresh_until else self.dead_at + to_date,
            is_stale=now >= self.fresh_until,
        )


def stale_for(item: Item[object] | Item[None]) -> float:
    """Give the seconds for which `item` is to be kept beyond its expiration."""
    if item.stale_until is None or item.expiration is None:
        return 0.0
    return max(item.stale_until - item.expiration, 0.0)


def later_end(item: Item[None], current: Item[object]) -> float | None:
    """Give until when `current` is to be kept once it has the end of `item`; None: no longer than that."""
    stale = max(stale_for(item), stale_for(current))
    return None if item.expiration is None or not stale else item.expiration + stale


class Grant(NamedTuple):
    """What somebody who would load a missing key is told: one of three things."""

    item: Item[object] | None = None
    """It is not missing any more: this was stored meanwhile."""
    lease: str = ""
    """The key is his to load: he writes with `if_lease`, extends the lease meanwhile, and drops it if he fails."""


ELSEWHERE: Final = Grant()
"""Neither: somebody else is loading the key. It is for the asker to ask again."""


class Leases(ABC):
    """One load a key among all who share a storage.

    A lease ends by itself after `ttl` seconds unless it is extended; and at once when the key is written, removed,
    expired or cleared by anybody, so that a load under way cannot be stored over the newer truth.
    """

    ttl: float

    @abstractmethod
    async def take(self, keys: Collection[str], tags: tuple[str, ...] = (), *, anew: bool = False) -> dict[str, Grant]:
        """Ask to load the keys, none of which was found live; give an answer for each.

        `anew`: they are to be loaded whether or not something is live, so that no item is given. `tags` are those that
        the items will have, as far as is known: if one of them is invalidated from now on, what is written under the
        lease is dead.
        """

    @abstractmethod
    async def extend(self, key: str, lease: str) -> bool:
        """Let the lease end `ttl` seconds from now; say whether it had not ended yet."""

    @abstractmethod
    async def drop(self, key: str, lease: str) -> None:
        """End the lease, so that somebody else may load; nothing happens where it has ended already."""


class SharedTags(ABC):
    """Tags that a storage heeds by itself, for all who share it."""

    @abstractmethod
    async def invalidate(self, tags: Collection[str]) -> None:
        """Kill every item with one of `tags` that was written, or whose lease was given, before this call."""


class Shortcuts(Protocol):
    """Plain values without items, for a storage on whose way an item would cost as much as all the rest.

    What it answers and does is what the methods of the storage would have.
    """

    async def value(self, key: str) -> object:
        """Give the live value under `key`, `MISSING` where there is none."""
        ...

    async def values(self, keys: Collection[str]) -> dict[str, object]:
        """Give the live values under `keys` by key."""
        ...

    async def put(self, key: str, value: object, ttl: float | None) -> bool:
        """Store an item without tags, cost and time to be stale; False, and nothing was done: use `write`."""
        ...

    async def put_multi(self, values: Mapping[str, object], ttl: float | None) -> bool:
        """Store such items; False where not all of them were: use `write_multi`."""
        ...


class Storage(ABC):
    """Keeps items. One provider uses one storage, from one event loop.

    An item handed to `write` lives for `Item.ttl` seconds from that moment: None for ever, 0 not at all. It is kept as
    a fall-back beyond that for as long as its `stale_until` lies after its `expiration`. The storage sets `version`; it
    keeps `created_at`, `tags` and `validators` as they are given.
    """

    capabilities: Capabilities = Capabilities()
    name: str = "custom"
    """The word for it in statistics and messages."""
    clock: Clock = SystemClock()
    """The clock of whoever uses the storage; set it before `open` where that is another one, as in tests."""
    leases: "Leases | None" = None
    locks: SharedLocks | None = None
    rates: SharedRates | None = None
    tags: "SharedTags | None" = None
    shortcuts: "Shortcuts | None" = None
    """What a storage may offer for the sake of other processes, or of speed; None: it does not, and the provider does
    what it can within its own."""

    @abstractmethod
    async def read(self, key: str) -> Item[object] | None:
        """Give the item under `key`, stale ones included with `is_stale` set, or None once it is dead or was removed.

        Never raises for a missing key. An item that cannot be read back (torn, foreign, undecodable) is None as well.
        """

    @abstractmethod
    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Store `item` under its key, replacing what is there, if `condition` holds; say whether it was stored.

        Raises `ValueTooLargeError` or `SerializationError` where the value cannot be stored; nothing has changed then.
        """

    @abstractmethod
    async def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Remove the item under `key` if `condition` holds; say whether a live item went away."""

    @abstractmethod
    async def clear(self, prefix: str = "") -> None:
        """Remove all items whose key begins with `prefix` ("": all of this storage) that were there at the call.

        Items written meanwhile may stay or go. Works in slices that hold the event loop for about a millisecond.
        """

    @abstractmethod
    def scan(self, prefix: str = "") -> AsyncIterator[str]:
        """Give the keys of live items that begin with `prefix`, each once, in any order.

        No promise is made about keys that come or go meanwhile. Works in slices, as `clear` does.
        """

    async def open(self) -> None:
        """Get ready: called once, before any other call. Raises `StorageError` where that is not possible."""

    async def close(self) -> None:
        """Write out what is not written yet and let go of all that was opened; calling it twice is fine."""

    async def size(self) -> Size:
        """Count what is held. A storage that cannot know cheaply says so, as this does."""
        return Size(counted=False)

    async def layers(self) -> Mapping[str, Stats]:
        """Tell of the parts of a composite storage, by name; others have none."""
        return {}

    def observe(self, observer: Observer) -> None:
        """Tell `observer` from now on of what it wants to know, and nobody else any more.

        A storage of storages hands `Observer.part` to each of them; one that lets items go by itself tells of removals.
        """
        trace(self, observer)

    async def hear_tags(self, tags: Collection[str], marks: TagMarks) -> None:
        """Hear that tags were invalidated by who heeds them for this storage, in `marks`: for one that makes copies.

        An item is dead that was created before one of its tags was marked; it is given all the same, and not copied.
        """

    async def tidy(self) -> None:
        """Free the room of what is dead; called now and then in the background. Works in slices."""

    async def sync(self) -> None:
        """Write out what would be lost with the process; called every `sync_interval` and by `close`."""

    async def ping(self) -> None:
        """Return once the storage has answered; raise `StorageUnavailableError` if it does not."""

    async def read_latest(self, key: str) -> Item[object] | None:
        """Give what `read` gives, past copies that may be behind: for who may write the same value again."""
        return await self.read(key)

    async def read_multi(self, keys: Collection[str]) -> dict[str, Item[object]]:
        """Give the items that `read` would give, by key; missing ones are left out."""
        found = {key: await self.read(key) for key in keys}
        return {key: item for key, item in found.items() if item is not None}

    async def write_multi(self, items: Iterable[Item[object]]) -> None:
        """Store each item unconditionally. Not atomic as a whole."""
        for item in items:
            await self.write(item)

    async def remove_multi(self, keys: Iterable[str]) -> int:
        """Remove each key and count the live items that went away."""
        return sum([await self.remove(key) for key in keys])

    async def increment(self, item: Item[int], delta: int) -> int:
        """Add `delta` to the live integer under the key of `item` and give the sum, atomically; its ttl stays.

        Where none is live, `item` is stored with `delta` added to its value. Raises `WrongTypeError` where the live
        value is not an `int`.
        """
        while True:
            current = await self.read(item.key)
            if current is None or current.is_stale:
                total = item.value + delta
                done = await self.write(replace(item, value=total), IF_ABSENT)
            else:
                total = whole_number(current.value) + delta
                kept = replace(current, value=total, ttl=self._time_left(current), validators=None)
                done = await self.write(kept, if_version(current.version))
            if done:
                return total

    async def touch(self, item: Item[None]) -> bool:
        """Give the live item under the key of `item` the ttl of `item`; say whether there was one.

        It is to be kept beyond its new end for as long as beyond the old one, or for as long as `item` is, if longer.
        """
        while True:
            current = await self.read(item.key)
            if current is None or current.is_stale:
                return False
            moved = replace(current, ttl=item.ttl, expiration=item.expiration, stale_until=later_end(item, current))
            if await self.write(moved, if_version(current.version)):
                return True

    async def expire(self, key: str) -> bool:
        """Make the live item under `key` stale, keeping it until it would have died; say whether there was one.

        Its ttl is zero from then on, also that of an item that time has made stale: so it is known to be ended by hand.
        """
        while True:
            current = await self.read(key)
            if current is None or (current.is_stale and not current.ttl):
                return False
            death = current.stale_until if current.stale_until is not None else current.expiration
            ended = replace(
                current, ttl=0.0, expiration=self.clock.time(), stale_until=math.inf if death is None else death
            )
            if await self.write(ended, IF_ABSENT if current.is_stale else if_version(current.version)):
                return not current.is_stale

    def _time_left(self, item: Item[object]) -> float | None:
        return None if item.expiration is None else max(item.expiration - self.clock.time(), 0.0)


def whole_number(value: object) -> int:
    """Return `value` where a counter can work on it: an `int` that is no `bool`; raise `WrongTypeError` otherwise."""
    if isinstance(value, bool) or not isinstance(value, int):
        msg = f"only an int can be incremented, and the stored value is of type {type(value).__name__}"
        raise WrongTypeError(msg)
    return value
