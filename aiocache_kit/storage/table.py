"""One shard of an in-process storage: entries in columns, with their eviction policy and their expiry buckets.

An entry is a *slot*, a place in lists that run in step: no object an entry. So an entry costs less than 200 bytes,
making one gives the garbage collector nothing to count, and a scan may stop and go on at any slot, because an entry
stays in its slot as long as it is held. Whatever reads or writes a column stands in this one file, because the columns
must agree after each call (docs/decisions/0001-entries-are-columns.md).

Rule 1: everything here is plain `def` and done when it returns. Who needs several steps with awaits between them that
no other writer may come between holds `Table.exclusive`; writers look at `busy` first and wait then.
Rule 2: `fresh` decides a plain hit by one comparison. An entry that needs a second look (it has tags, or was told to
expire) has minus infinity there, and the truth in `extras`.
Rule 3: a version is given to an entry when somebody asks for it, and taken away by the next write; an entry that nobody
asked for has none, and costs nothing. Stamps, instants of writing that strictly increase, are kept with tags only.
Rule 4: a bound holds when a call returns. The newest entry is not the one that makes room for itself.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final, NoReturn, TypeAlias

from aiocache_kit.clock import Clock
from aiocache_kit.errors import InvalidArgumentError, ProviderClosedError, ValueTooLargeError
from aiocache_kit.item import Item, Validators
from aiocache_kit.management.eviction.policy import NIL, Columns, EvictionPolicy
from aiocache_kit.management.expiration import ExpiryBuckets
from aiocache_kit.management.invalidation import TagMarks
from aiocache_kit.sentinels import MISSING
from aiocache_kit.storage.base import Condition, ConditionKind, whole_number

ASK: Final = -math.inf
"""In `fresh`: this entry needs a second look."""
_FREED_AT_ONCE: Final = 200
_slots: Final[list[int]] = []


def _slot(number: int) -> int:
    """Give the one object for a slot number: all tables share it, which saves 32 bytes an entry in many tables."""
    while number >= len(_slots):
        _slots.append(len(_slots))
    return _slots[number]


Extra: TypeAlias = tuple[float, float, float, int | None, *tuple[str, ...]]
"""What only some entries have: the instants until which they are fresh and are kept, stamp, cost, and then the tags.

One flat tuple, because one that holds nothing but atoms is of no interest to the garbage collector as soon as that has
seen it. With the tags as a tuple within, it takes two looks, and filling a table with a million tagged entries runs
some twenty full collections of 200 ms.
"""


class _Shut(dict[str, int]):
    """The index of a table that was closed: it answers look-ups with an error, so that no hit pays for asking."""

    __slots__ = ()

    def get(self, key: str, default: object = None, /) -> NoReturn:
        """Raise `ProviderClosedError`."""
        del key, default
        raise ProviderClosedError


class Table:
    """Entries of one shard. The attributes are for the hot path, which reads and writes them in place."""

    __slots__ = (
        "_clock",
        "_expiry",
        "_free",
        "_heeds",
        "_lock",
        "_make_policy",
        "_marks",
        "_max_bytes",
        "_max_entries",
        "_policy",
        "_sizer",
        "_versions_given",
        "busy",
        "bytes",
        "ceiling",
        "closed",
        "columns",
        "evictions",
        "expired",
        "extras",
        "fresh",
        "hits",
        "index",
        "last",
        "lives",
        "touch",
        "validators",
        "values",
        "versions",
        "watcher",
        "weights",
    )

    def __init__(
        self,
        *,
        make: Callable[[Columns], EvictionPolicy],
        max_entries: int | None,
        max_bytes: int | None,
        sizer: Callable[[str, object], int],
        clock: Clock,
    ) -> None:
        """Start empty; None is no bound of that kind. `make` makes the eviction policy over the columns it is given."""
        self._clock = clock
        self._heeds = False
        """Whether somebody's marks are heeded: the stamps of entries with tags are then of this table's making."""
        self._sizer = sizer
        self._max_entries = math.inf if max_entries is None else max_entries
        self._max_bytes = max_bytes
        self._marks = TagMarks()
        self._lock = asyncio.Lock()
        self.closed = False
        """Whether the storage was closed; then it is `busy` for ever, too."""
        self.busy = False
        """Whether somebody holds `exclusive`: writers must wait."""
        self.evictions = 0
        self.expired = 0
        self.watcher: object = None
        """Whom it tells of what it lets go, while it is watched (`watched_table`)."""
        self.last = 0.0
        """The newest stamp given."""
        self._versions_given = 0
        self._make_policy = make
        self._start()

    def _start(self) -> None:
        columns = Columns(weighted=self._max_bytes is not None)
        self._policy = self._make_policy(columns)
        self._expiry = ExpiryBuckets(self._clock.monotonic())
        self._free: list[int] = []
        self.columns = columns
        self.fresh = columns.fresh
        self.hits = columns.hits
        self.weights = columns.weights
        self.ceiling = self._policy.ceiling
        self.touch = self._policy.touch if self._policy.touches else None
        self.index: dict[str, int] = {}
        self.values: list[object] = []
        self.lives: list[float] = []
        """The ttl of each entry in seconds; of one that never ends, minus the instant at which it was written."""
        self.versions: dict[int, int] = {}
        """The versions that somebody asked for, by slot, and that still hold."""
        self.extras: dict[int, Extra] = {}
        self.validators: dict[int, Validators] = {}
        """What loaders said of the state of their sources, by slot; an entry that has any is among `extras`, too."""
        self.bytes = 0

    def heed(self, marks: TagMarks) -> None:
        """Ask `marks` from now on whether an entry with tags is still true."""
        self._marks = marks
        self._heeds = True

    def go_on_from(self, version: int) -> None:
        """Give no version up to this one any more."""
        self._versions_given = max(self._versions_given, version)

    def use(self, clock: Clock) -> None:
        """Tell dates by `clock`."""
        self._clock = clock

    def __len__(self) -> int:
        return len(self.index)

    # --- reading -----------------------------------------------------------------------------------------------------

    def lookup(self, key: str, now: float) -> object:
        """Give the live value under `key` and record the hit for the policy; `MISSING` where there is none."""
        slot = self.index.get(key)
        if slot is None or not (now < self.fresh[slot] or self.is_live(slot, now)):
            return MISSING
        self.record_hit(slot)
        return self.values[slot]

    def record_hit(self, slot: int) -> None:
        """Let the policy know that the entry was of use."""
        if self.touch is not None:
            self.touch(slot)
        elif self.hits[slot] < self.ceiling:
            self.hits[slot] += 1

    def is_live(self, slot: int, now: float) -> bool:
        """Whether the entry is a hit at `now`: the second look that `fresh` may ask for."""
        until = self.fresh[slot]
        if until != ASK:
            return now < until
        extra = self.extras[slot]
        return now < extra[0] and not (self._marks and self._marks.killed(extra[4:], extra[2]))

    def is_young(self, slot: int, now: float, rest: float) -> bool:
        """Whether the live entry has more than the share `rest` of its ttl to live; it has where it never ends."""
        life, until = self.lives[slot], self.fresh[slot]
        return life < 0.0 or (self.extras[slot][0] if until == ASK else until) - now > rest * life

    def live_slot(self, key: str, now: float) -> int:
        """Give the slot of the live entry under `key`, `NIL` where there is none."""
        slot = self.index.get(key, NIL)
        return slot if slot != NIL and self.is_live(slot, now) else NIL

    @property
    def is_bounded(self) -> bool:
        """Whether entries have to go when there are too many, or too large ones."""
        return self._max_bytes is not None or self._max_entries < math.inf

    def item(self, key: str, now: float, *, with_version: bool = True) -> Item[object] | None:
        """Give the entry under `key` as an item, a stale one included; None once it is dead, killed or not there."""
        slot = self.index.get(key, NIL)
        if slot == NIL:
            return None
        plain: Extra = (self.fresh[slot], self.fresh[slot], 0.0, None)
        fresh_until, dead_at, stamp, cost, *tags = self.extras.get(slot, plain)
        if now >= dead_at or self._marks.killed(tags, stamp):
            return None
        life, to_date = self.lives[slot], self._clock.time() - now
        created = stamp if tags and not self._heeds else self._written(slot) + to_date
        return Item(
            key=key,
            value=self.values[slot],
            ttl=None if life < 0.0 else life,
            expiration=None if fresh_until == math.inf else fresh_until + to_date,
            tags=tuple(tags),
            cost=cost,
            version=self.version(slot) if with_version else 0,
            created_at=created,
            stale_until=None if dead_at <= fresh_until else dead_at + to_date,
            is_stale=now >= fresh_until,
            validators=self.validators.get(slot) if self.validators else None,
        )

    def version(self, slot: int) -> int:
        """Give the entry's version: the same until the next write, and larger than all that were given before."""
        if slot not in self.versions:
            self._versions_given += 1
            self.versions[slot] = self._versions_given
        return self.versions[slot]

    def _written(self, slot: int) -> float:
        life = self.lives[slot]
        return -life if life < 0.0 else self._ends(slot)[0] - life

    def _ends(self, slot: int) -> tuple[float, float]:
        extra = self.extras.get(slot)
        return (self.fresh[slot], self.fresh[slot]) if extra is None else extra[:2]

    # --- writing -----------------------------------------------------------------------------------------------------

    def allows(self, condition: Condition, key: str, now: float) -> bool:
        """Decide a condition, leases excepted, for the live entry under `key`."""
        slot = self.live_slot(key, now)
        match condition.kind:
            case ConditionKind.ALWAYS:
                return True
            case ConditionKind.ABSENT:
                return slot == NIL
            case ConditionKind.PRESENT:
                return slot != NIL
            case _:
                return slot != NIL and self.versions.get(slot) == condition.version

    def put(
        self,
        key: str,
        value: object,
        life: float,
        now: float,
        *,
        stale_for: float = 0.0,
        tags: tuple[str, ...] = (),
        cost: int | None = None,
        created: float = 0.0,
    ) -> None:
        """Store the value for `life` seconds from `now`, replacing what is there, and make room for it.

        Where no marks are heeded, `created` is given back with the tags, for whoever heeds some. Raises
        `ValueTooLargeError` where it is larger than this table may become; nothing has changed then.
        """
        weight = 1 if self._max_bytes is None else self._weigh(key, value, cost, self._max_bytes)
        slot = self.index.get(key)
        if slot is None:
            slot = self._place(key, weight)
            self._settle(slot, value, life, now, stale_for=stale_for, tags=tags, cost=cost, created=created)
            self._policy.insert(slot)  # before room is made: it may be this one that has to go
            if len(self.index) > self._max_entries:
                self._make_room(now)
        else:
            old = 1
            if self.weights is not None:
                old = self.weights[slot]
                self.weights[slot] = weight
                self.bytes += weight - old
            self._settle(slot, value, life, now, stale_for=stale_for, tags=tags, cost=cost, created=created)
            self._policy.rewrite(slot, old)
        if self._max_bytes is not None:
            self._make_room(now)

    def _weigh(self, key: str, value: object, cost: int | None, most: int) -> int:
        weight = cost
        if weight is None:
            weight = self._sizer(key, value)
            if type(weight) is not int or weight < 0:  # a user's own function says it
                raise InvalidArgumentError("sizer must give an int from 0 up (bytes)")
        if weight > most:
            msg = f"the value counts {weight} bytes, and this storage takes at most {most} in one place"
            raise ValueTooLargeError(msg)
        return weight

    def _place(self, key: str, weight: int) -> int:
        if self._free:
            slot = self._free.pop()
            self.columns.keys[slot] = key
            self.hits[slot] = 0
            if self.weights is not None:
                self.weights[slot] = weight
        else:
            slot = _slot(len(self.values))
            self.columns.keys.append(key)
            self.hits.append(0)
            self.fresh.append(0.0)
            if self.weights is not None:
                self.weights.append(weight)
            self.values.append(None)
            self.lives.append(0.0)
            self._policy.add_slot()
            self._expiry.add_slot()
        self.index[key] = slot
        if self.weights is not None:
            self.bytes += weight
        return slot

    def _settle(
        self,
        slot: int,
        value: object,
        life: float,
        now: float,
        *,
        stale_for: float,
        tags: tuple[str, ...],
        cost: int | None,
        created: float,
    ) -> None:
        """Fill the entry's columns, and take its version away, so that whoever remembers it will notice."""
        self.values[slot] = value
        self.lives[slot] = -now if life == math.inf else life
        if self.versions:
            self.versions.pop(slot, None)
        until = now + life
        if tags or cost is not None or stale_for > 0.0:
            stamp = self.stamp(now) if tags and self._heeds else created
            self.extras[slot] = (until, until + stale_for, stamp, cost, *tags)
            if self.validators:
                self.validators.pop(slot, None)
        elif self.extras:
            self.extras.pop(slot, None)
            if self.validators:
                self.validators.pop(slot, None)
        self.fresh[slot] = ASK if tags else until
        self._expiry.schedule(slot, until + stale_for)

    def attach(self, key: str, validators: Validators) -> None:
        """Keep what the loader said of the value that was just put under `key`; the next write takes it away."""
        slot = self.index[key]
        self.validators[slot] = validators
        if slot not in self.extras:
            until = self.fresh[slot]
            self.extras[slot] = (until, until, 0.0, None)

    def schedule(self, slot: int, deadline: float) -> None:
        """Have the entry looked at once `deadline` is over; only an end that came nearer needs this."""
        self._expiry.schedule(slot, deadline)

    def stamp(self, now: float) -> float:
        """Give the instant of a write at `now`, later than every one given before."""
        if now <= self.last:
            now = math.nextafter(self.last, math.inf)
        self.last = now
        return now

    def _make_room(self, now: float) -> None:
        full = math.inf if self._max_bytes is None else self._max_bytes
        while len(self.index) > self._max_entries or self.bytes > full:
            slot = self._policy.evict(now)
            # What was dead is no eviction: these are what tells that a bound is too small.
            if now < self._ends(slot)[0]:
                self.evictions += 1
            else:
                self.expired += 1
            self._release(slot)

    def _release(self, slot: int) -> None:
        del self.index[self.columns.keys[slot]]
        self._expiry.remove(slot)
        if self.weights is not None:
            self.bytes -= self.weights[slot]
        if self.extras:
            self.extras.pop(slot, None)
            if self.validators:
                self.validators.pop(slot, None)
        if self.versions:
            self.versions.pop(slot, None)
        self.values[slot] = None
        self.columns.keys[slot] = ""
        self._free.append(_slot(slot))

    def drop(self, key: str, now: float) -> bool:
        """Remove the entry under `key`; say whether it was live."""
        slot = self.index.get(key, NIL)
        if slot == NIL:
            return False
        live = self.is_live(slot, now)
        self._policy.remove(slot)
        self._release(slot)
        return live

    def increment(self, key: str, delta: int, now: float) -> int | None:
        """Add to the live integer under `key` and give the sum; None where none is live.

        Raises `WrongTypeError`, and `ValueTooLargeError` as `put` does.
        """
        slot = self.live_slot(key, now)
        if slot == NIL:
            return None
        total = whole_number(self.values[slot]) + delta
        old = weight = 1
        if self.weights is not None and self._max_bytes is not None:
            extra = self.extras.get(slot)
            weight = self._weigh(key, total, None if extra is None else extra[3], self._max_bytes)
            old, self.weights[slot] = self.weights[slot], weight
            self.bytes += weight - old
        self.values[slot] = total
        if self.versions:
            self.versions.pop(slot, None)
        if self.validators:
            self.validators.pop(slot, None)
        if weight == old:
            self.record_hit(slot)
        else:
            self._policy.rewrite(slot, old)
            self._make_room(now)
        return total

    def touch_entry(self, key: str, life: float, stale_for: float, now: float) -> bool:
        """Let the live entry under `key` live for `life` seconds from `now`; say whether there was one.

        It is kept beyond that for `stale_for` seconds, or for as long as it was to be, if that is longer.
        """
        slot = self.live_slot(key, now)
        if slot == NIL:
            return False
        # What never ends is kept beyond no end: infinity less infinity is no number.
        until, dead_at = self._ends(slot)
        self.set_end(slot, life, now, stale_for if until == math.inf else max(stale_for, dead_at - until))
        return True

    def set_end(self, slot: int, life: float, now: float, stale_for: float = 0.0) -> None:
        """Give the entry another end; what it holds, and its version, stay."""
        until = now + life
        written = self._written(slot)
        self.lives[slot] = -written if life == math.inf else until - written
        extra = self.extras.get(slot)
        if stale_for > 0.0 or extra is not None:
            _, _, stamp, cost, *tags = extra or (0.0, 0.0, 0.0, None)
            self.extras[slot] = (until, until + stale_for, stamp, cost, *tags)
        self.fresh[slot] = ASK if extra is not None and extra[4:] else until
        self._expiry.schedule(slot, until + stale_for)

    def expire_entry(self, key: str, now: float) -> bool:
        """Make the live entry under `key` stale, to be kept until it would have died; say whether there was one.

        Its ttl is zero from then on, also that of one that time has made stale: so it is known to be ended by hand.
        """
        slot = self.index.get(key, NIL)
        if slot == NIL:
            return False
        is_live = self.is_live(slot, now)
        _, dead_at = self._ends(slot)
        if not is_live and (now >= dead_at or self.lives[slot] == 0.0):
            return False
        nothing: Extra = (0.0, 0.0, 0.0, None)
        _, _, stamp, cost, *tags = self.extras.get(slot, nothing)
        self.lives[slot] = 0.0
        self.extras[slot] = (now, dead_at, stamp, cost, *tags)
        self.fresh[slot] = ASK
        return is_live

    # --- many entries, in slices -------------------------------------------------------------------------------------

    @asynccontextmanager
    async def exclusive(self) -> AsyncGenerator[None]:
        """Keep other writers out over awaits; who wants to write waits for its turn. Reading goes on."""
        async with self._lock:
            self.busy = True
            try:
                yield
            finally:
                self.busy = self.closed

    async def turn(self) -> None:
        """Wait until nobody holds `exclusive`; what follows up to the next await is then alone with the table.

        Raises `ProviderClosedError` where the table was closed meanwhile.
        """
        while self.busy:
            if self.closed:
                raise ProviderClosedError
            async with self._lock:
                pass

    def sweep_one(self, now: float) -> bool:
        """Free one entry whose time is over; say whether there may be more."""
        slot = self._expiry.next_due(now)
        if slot == NIL:
            return False
        _, dead_at = self._ends(slot)
        if now < dead_at:
            self._expiry.schedule(slot, dead_at)
        else:
            self.expired += 1
            self._policy.remove(slot)
            self._release(slot)
        return True

    def slots(self) -> int:
        """How many slots there are, held or free: the end of a scan."""
        return len(self.values)

    def reap(self, slot: int, now: float) -> None:
        """Free the entry at `slot` if an invalidation of its tags has made it untrue."""
        extra = self.extras.get(slot)
        if extra is not None and self._marks.killed(extra[4:], extra[2]):
            self.drop(self.columns.keys[slot], now)

    def frozen(self) -> "Table":
        """Give a copy that holds what this table holds now, for reading by `item`; values are not copied.

        It copies the columns in one step: a millisecond for as many entries as a shard has by default.
        """
        copy = object.__new__(Table)
        copy._clock, copy._marks, copy._heeds = self._clock, self._marks, self._heeds
        copy.index, copy.values, copy.fresh = self.index.copy(), self.values[:], self.fresh[:]
        copy.lives, copy.extras, copy.validators = self.lives[:], self.extras.copy(), self.validators.copy()
        return copy

    def shut(self) -> Iterator[None]:
        """Be empty and stay so: look-ups and writes raise `ProviderClosedError` from now on; see `start_again`."""
        self.closed = self.busy = True
        remains = self.start_again()
        self.index = _Shut()
        return remains

    def rest(self) -> list[object]:
        """Give what is freed last, at once: numbers in a few lists."""
        return [self._policy, self._expiry, self._free]

    def start_again(self) -> Iterator[None]:
        """Be empty at once; the iterator frees what was held, a little at each step, at whatever time it is run."""
        remains = _free_slowly(self)
        self._start()
        return remains


def _free_slowly(table: Table) -> Iterator[None]:
    """Let go of a table in steps of some ten microseconds: a dict of a million entries takes 40 ms at once."""
    index = table.index
    columns: list[list[Any]] = [table.values, table.columns.keys, table.fresh, table.lives, table.hits]
    extras, validators = table.extras, table.validators
    kept = table.rest()

    def steps() -> Iterator[None]:
        while index:
            for _ in range(min(_FREED_AT_ONCE, len(index))):
                index.popitem()
            yield
        while extras:
            for _ in range(min(_FREED_AT_ONCE, len(extras))):
                extras.popitem()
            yield
        while validators:
            for _ in range(min(_FREED_AT_ONCE, len(validators))):
                validators.popitem()
            yield
        for column in columns:
            while column:
                del column[-_FREED_AT_ONCE:]
                yield
        kept.clear()

    return steps()
