"""The ways that must cost next to nothing: reading from, and writing to, tables of this process.

A method call costs a look-up of the method, of each attribute it uses and a frame for each call it makes; a read from
memory is so short that these are most of it. So for a storage of tables, `Provider.get`, `get_or_set`, `set` and
`get_multi` are replaced, object by object, by the closures made here: the same calls with the same meaning, in one
frame, with everything they need in closure cells. What is rare (a miss that must load, tags, a flight under way, a
writer that must wait) is handed to the provider. Measured: a hit costs 1.1 times a bare dict look-up with an expiry
check in an ``async def``; by way of a method and `TableStorage.lookup` it was 1.4 to 1.6 times (docs/decisions/0002).

Rule 1: whatever a closure answers itself, `Provider`'s own method answers in the same way; the contract suite runs
both.
Rule 2: nothing here awaits before it has decided, so no other task comes between a look and what follows from it.
"""

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from aiocache_kit.clock import stopwatch
from aiocache_kit.keys import MARK, check_key
from aiocache_kit.management.statistics import Recorder
from aiocache_kit.sentinels import DEFAULT, MISSING
from aiocache_kit.serializers.typed import convert
from aiocache_kit.storage.isolation import own_copy
from aiocache_kit.storage.table import Table
from aiocache_kit.storage.tables import TableStorage

REPLACED: Final = ("get", "get_multi", "get_or_set", "set")
"""The methods of a provider that the closures stand in for."""
SAMPLE: Final = 1024
"""One hit in this many is timed."""
_MANY: Final = 2000
"""Keys of one call that are looked up without a turn of the event loop: about a millisecond."""

Lookup: TypeAlias = Callable[[str], object]


class SlowGetOrSet(Protocol):
    """What answers a `get_or_set` that finds nothing."""

    def __call__(self, key: str, loader: Any, ttl: Any, options: dict[str, Any]) -> Awaitable[Any]:  # noqa: ANN401
        """Load, store and give the value; the miss is not counted yet."""
        ...


class SlowSet(Protocol):
    """What answers a `set` that is not a plain one."""

    def __call__(self, key: str, value: object, ttl: Any, *, tags: Any, cost: Any) -> Awaitable[None]:  # noqa: ANN401
        """Store the value by way of the storage's own `write`."""
        ...


class SlowGetMulti(Protocol):
    """What answers a `get_multi` of very many keys."""

    def __call__(self, keys: Iterable[str], *, type: Any = None) -> Awaitable[dict[str, Any]]:  # noqa: ANN401
        """Read the values in slices."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the closures are built into."""

    storage: TableStorage
    recorder: Recorder
    prefix: str
    """What stored keys of this namespace begin with; "": none."""
    mind_marks: bool
    """Whether keys of the root may be taken for those of a namespace, so that their first sign must be looked at."""
    default_life: float
    flights: Mapping[str, object]
    check_open: Callable[[], None]
    get_or_set: SlowGetOrSet
    set: SlowSet
    get_multi: SlowGetMulti


class HotPath:
    """The closures for one provider, or one namespace of it; to be taken away when it closes."""

    __slots__ = ("get", "get_multi", "get_or_set", "lookup", "mind_marks", "set")

    def __init__(self, setting: Setting) -> None:
        """Build them."""
        self.mind_marks = setting.mind_marks
        self.lookup = _make_lookup(setting)
        self.get = _make_get(setting)
        self.get_or_set = _make_get_or_set(setting)
        self.set = _make_set(setting)
        self.get_multi = _make_get_multi(setting, self.lookup)


def _make_find(setting: Setting) -> Callable[[str], tuple[str, Table]]:
    """Make what maps a user's key to the stored one and its table, for calls that can afford a frame."""
    storage, prefix, mind_marks = setting.storage, setting.prefix, setting.mind_marks
    tables, mask, hash_func = storage.tables, storage.mask, storage.hash_func

    def find(key: str) -> tuple[str, Table]:
        check_key(key)
        if mind_marks and key[0] == MARK:
            key = MARK + key
        if prefix:
            key = prefix + key
        return key, tables[hash_func(key) & mask]

    return find


def _make_lookup(setting: Setting) -> Lookup:
    """Make the plain function that gives a live value and counts a hit, or gives `MISSING` and counts nothing."""
    storage, recorder, monotonic = setting.storage, setting.recorder, setting.storage.clock.monotonic
    tables, mask, hash_func, copies = storage.tables, storage.mask, storage.hash_func, storage.copies
    prefix, mind_marks, only = setting.prefix, setting.mind_marks, storage.tables[0]

    def lookup(key: str) -> object:
        if mind_marks and key[0] == MARK:
            key = MARK + key
        if prefix:
            key = prefix + key
        table = tables[hash_func(key) & mask] if mask else only
        slot = table.index.get(key)
        if slot is None:
            return MISSING
        now = monotonic()
        if now < table.fresh[slot] or table.is_live(slot, now):
            if table.touch is None:
                hits = table.hits
                count = hits[slot]
                if count < table.ceiling:
                    hits[slot] = count + 1
            else:
                table.touch(slot)
            recorder.hits += 1
            return own_copy(table.values[slot]) if copies else table.values[slot]
        return MISSING

    return lookup


def _make_get(setting: Setting) -> Callable[..., Awaitable[Any]]:  # noqa: C901  - one frame, see above
    storage, recorder, monotonic = setting.storage, setting.recorder, setting.storage.clock.monotonic
    tables, mask, hash_func, copies = storage.tables, storage.mask, storage.hash_func, storage.copies
    prefix, mind_marks, only = setting.prefix, setting.mind_marks, storage.tables[0]
    check_open, own = setting.check_open, len(setting.prefix)

    async def get(key: str, default: Any = None, *, type: Any = None) -> Any:  # noqa: ANN401, C901, PLR0912  - as above
        try:
            if mind_marks and key[0] == MARK:
                key = MARK + key
            if prefix:
                key = prefix + key
            table = tables[hash_func(key) & mask] if mask else only
            slot = table.index.get(key)
        except (TypeError, IndexError):
            check_key(key)
            raise
        if slot is not None:
            now = monotonic()
            if now < table.fresh[slot] or table.is_live(slot, now):
                if table.touch is None:
                    hits = table.hits
                    count = hits[slot]
                    if count < table.ceiling:
                        hits[slot] = count + 1
                else:
                    table.touch(slot)
                recorder.hits = served = recorder.hits + 1
                if served == recorder.sample_at:
                    _time_one(recorder, table, key, now)
                value = table.values[slot]
                if copies:
                    value = own_copy(value)
                return value if type is None else convert(value, type)
        if key.__class__ is not str or len(key) == own:
            check_key(key[own:] if isinstance(key, str) else key)
        check_open()
        recorder.misses += 1
        return default

    return get


def _make_get_or_set(setting: Setting) -> Callable[..., Awaitable[Any]]:  # noqa: C901  - as above
    storage, recorder, monotonic = setting.storage, setting.recorder, setting.storage.clock.monotonic
    tables, mask, hash_func, copies = storage.tables, storage.mask, storage.hash_func, storage.copies
    prefix, mind_marks, only = setting.prefix, setting.mind_marks, storage.tables[0]
    load = setting.get_or_set

    async def get_or_set(key: str, loader: Any, ttl: Any = DEFAULT, **options: Any) -> Any:  # noqa: ANN401  - see Provider
        try:
            full = key
            if mind_marks and full[0] == MARK:
                full = MARK + full
            if prefix:
                full = prefix + full
            table = tables[hash_func(full) & mask] if mask else only
            slot = table.index.get(full)
        except (TypeError, IndexError):
            check_key(key)
            raise
        if slot is not None:
            now = monotonic()
            if now < table.fresh[slot] or table.is_live(slot, now):
                if table.touch is None:
                    hits = table.hits
                    count = hits[slot]
                    if count < table.ceiling:
                        hits[slot] = count + 1
                else:
                    table.touch(slot)
                recorder.hits = served = recorder.hits + 1
                if served == recorder.sample_at:
                    _time_one(recorder, table, full, now)
                value = table.values[slot]
                if copies:
                    value = own_copy(value)
                return convert(value, options["type"]) if options and options.get("type") is not None else value
        return await load(key, loader, ttl, options)

    return get_or_set


def _make_set(setting: Setting) -> Callable[..., Awaitable[None]]:
    storage, recorder, monotonic = setting.storage, setting.recorder, setting.storage.clock.monotonic
    tables, mask, hash_func = storage.tables, storage.mask, storage.hash_func
    prefix, mind_marks, only = setting.prefix, setting.mind_marks, storage.tables[0]
    default_life, flights, check_open, set_slowly = (
        setting.default_life,
        setting.flights,
        setting.check_open,
        setting.set,
    )
    plain = not storage.copies and only.weights is None

    async def set(  # noqa: A001  - the name it is called by
        key: str,
        value: object,
        ttl: Any = DEFAULT,  # noqa: ANN401  - whatever it is, it is checked
        *,
        tags: Any = (),  # noqa: ANN401  - as above
        cost: Any = None,  # noqa: ANN401  - as above
    ) -> None:
        life: float
        if ttl is DEFAULT:
            life = default_life
        elif (ttl.__class__ is int or ttl.__class__ is float) and 0 < ttl < math.inf:
            life = ttl
        else:
            return await set_slowly(key, value, ttl, tags=tags, cost=cost)
        if not plain or flights or tags != () or cost is not None or key.__class__ is not str or not key:
            return await set_slowly(key, value, ttl, tags=tags, cost=cost)
        full = key
        if mind_marks and full[0] == MARK:
            full = MARK + full
        if prefix:
            full = prefix + full
        table = tables[hash_func(full) & mask] if mask else only
        if table.busy:
            return await set_slowly(key, value, ttl, tags=tags, cost=cost)
        now = monotonic()
        slot = table.index.get(full)
        if slot is None or table.extras:
            check_open()
            table.put(full, value, life, now)
        else:
            table.values[slot] = value
            table.lives[slot] = life
            table.last = table.stamps[slot] = now if now > table.last else table.stamp(now)
            until = now + life
            if until < table.fresh[slot]:
                table.set_end(slot, life, now)
            table.fresh[slot] = until
            table.record_hit(slot)
        recorder.sets += 1
        return None

    return set


def _make_get_multi(setting: Setting, lookup: Lookup) -> Callable[..., Awaitable[dict[str, Any]]]:
    recorder, check_open, get_slowly = setting.recorder, setting.check_open, setting.get_multi

    async def get_multi(keys: Iterable[str], *, type: Any = None) -> dict[str, Any]:  # noqa: ANN401  - see Provider.get_multi
        if not isinstance(keys, list | tuple | set | frozenset | dict) or len(keys) > _MANY:
            return await get_slowly(keys, type=type)
        check_open()
        found: dict[str, Any] = {}
        for key in keys:
            try:
                value = lookup(key)
            except (TypeError, IndexError):
                check_key(key)
                raise
            if value is MISSING:
                check_key(key)
                recorder.misses += 1
            else:
                found[key] = value if type is None else convert(value, type)
        return found

    return get_multi


def _time_one(recorder: Recorder, table: Table, key: str, now: float) -> None:
    """Look the key up once more, with a watch."""
    recorder.sample_at = recorder.hits + SAMPLE
    start = stopwatch()
    table.lookup(key, now)
    recorder.get_time += stopwatch() - start
    recorder.timed_gets += 1
