"""The ways that must cost next to nothing: reading from, and writing to, tables of this process.

A method call costs a look-up of the method, of each attribute it uses and a frame for each call it makes; a read from
memory is so short that these are most of it. So for a storage of tables, the commonest methods of a provider
(`REPLACED`) are replaced, object by object, by the closures made here: the same calls with the same meaning, in one
frame, with what they need in closure cells. What is rare (a miss that must load, tags to be written, a load under way,
a writer that must wait) is handed to the provider.

The commonest case of all, one table with values kept by reference and no namespaces, is *plain* and has closures of its
own: every cell of a closure is copied at each call, and choosing a table costs a fifth of a read. All other cases share
one `lookup`, which costs one frame more. Figures, and why this is
one file: docs/decisions/0002-the-hot-path-is-closures.md.

Rule 1: whatever a closure answers itself, `Provider`'s own method answers in the same way; the contract suite runs
both.
Rule 2: nothing here awaits before it has decided, so no other task comes between a look and what follows from it.
Rule 3: what `Provider` takes by keyword only, the plain closures take by place as well, since Python is slower to find
the defaults of keywords; type checkers know only the former.
Rule 4: a key need not be checked to be found, only to be missed: what is not a `str` is never in a table.
"""

import math
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from random import Random
from typing import Any, Final, NamedTuple, NoReturn, Protocol, TypeAlias, cast

from aiocache_kit.errors import ProviderClosedError
from aiocache_kit.keys import MARK, check_key
from aiocache_kit.management.eviction.policy import NIL
from aiocache_kit.management.expiration import life_of
from aiocache_kit.management.statistics import Recorder
from aiocache_kit.provider.names import Names
from aiocache_kit.sentinels import DEFAULT, MISSING
from aiocache_kit.serializers.typed import convert
from aiocache_kit.storage.table import Table
from aiocache_kit.storage.tables import TableStorage

REPLACED: Final = ("delete", "exists", "get", "get_multi", "get_or_set", "increment", "lookup", "set")
"""The methods of a provider that the closures stand in for."""
_COLLECTIONS: Final[frozenset[type]] = frozenset((list, tuple, set, frozenset, dict))
_NO_TAGS: Final = ()
_NEVER: Final = math.inf
_OPTIONS: Final = (
    *("type", "tags", "cost", "refresh_ahead", "early_beta", "jitter", "stale_while_revalidate", "stale_if_error"),
    *("stale_on", "throttle", "timeout", "stale_timeout", "negative_ttl", "cache_none"),
)
"""The options of `get_or_set`, in the order of the plain closure."""
_NOT_BY_CHANCE: Final = frozenset(_OPTIONS) - {"early_beta"}
"""Those with which what is live is given, or not, for certain."""
_MANY: Final = 2000
"""Keys of one call that are looked up without a turn of the event loop: about a millisecond."""

Lookup: TypeAlias = Callable[..., object]


SlowGet: TypeAlias = Callable[..., Awaitable[Any]]


class SlowGetOrSet(Protocol):
    """What answers a `get_or_set` that is no plain hit."""

    def __call__(
        self,
        key: str,
        loader: Any,  # noqa: ANN401  - see Provider.get_or_set
        ttl: Any,  # noqa: ANN401  - as above
        options: dict[str, Any],
        *,
        looked: bool = True,
    ) -> Awaitable[Any]:
        """Do as the policy has it; nothing is counted yet. `looked`: no value is there that could be given at once."""
        ...


class SlowSet(Protocol):
    """What answers a `set` that is not a plain one."""

    def __call__(self, key: str, value: object, ttl: Any, *, tags: Any, cost: Any) -> Awaitable[None]:  # noqa: ANN401  - as users give them
        """Store the value by way of the storage's own `write`."""
        ...


class SlowGetMulti(Protocol):
    """What answers a `get_multi` of very many keys."""

    def __call__(self, keys: Iterable[str], *, type: Any = None) -> Awaitable[dict[str, Any]]:  # noqa: ANN401  - as users give them
        """Read the values in slices."""
        ...


class Setting(NamedTuple):
    """What the closures are built into."""

    storage: TableStorage
    recorder: Recorder
    names: Names
    mind_marks: bool
    """Whether a user's key may be taken for another one that is stored, so that its first sign must be looked at."""
    default_life: float
    ahead: float | None
    """The share of its ttl after which the configuration has a value loaded anew; None: never."""
    flights: Mapping[str, object]
    failures: Mapping[str, object]
    """Where there are any, a change has more to do."""
    check_open: Callable[[], None]
    get: SlowGet
    """What `Provider.get` and `Provider.get_or_set` are without closures."""
    get_or_load: SlowGet
    get_or_set: SlowGetOrSet
    set: SlowSet
    get_multi: SlowGetMulti
    increment: Callable[..., Awaitable[int]]
    delete: Callable[[str], Awaitable[bool]]

    @property
    def is_plain(self) -> bool:
        """Whether a user's key is the stored key, and there is one table that holds it, counting hits, by reference."""
        tables = self.storage.tables
        return not self.mind_marks and len(tables) == 1 and tables[0].touch is None and self.storage.own is None

    @property
    def is_weighed(self) -> bool:
        """Whether entries must be weighed, because the bound is in bytes."""
        return self.storage.tables[0].weights is not None


class _RetiredError(Exception):
    """Raised within a plain closure that somebody saved and that must not answer any more."""


class _RetiredIndex(dict[str, int]):
    def get(self, key: str, default: object = None, /) -> NoReturn:
        del key, default
        raise _RetiredError


class _Retired:
    """Stands in for the table of plain closures when a namespace has appeared: they hand every call on.

    A key of the root that begins with the mark would otherwise be taken for one of the namespace, by whoever saved
    ``get = cache.get`` before. A hit pays nothing for this: it is the cell of the closure that is changed.
    """

    index = _RetiredIndex()
    busy = True
    closed = True


class Tellers(NamedTuple):
    """Who is told of reads, while somebody listens."""

    on_hit: Callable[[str, int], None]
    """Takes a key, and how many hits it stands for."""
    on_miss: Callable[[str], None]
    every: int
    """Of hits, about one in so many is to be told."""
    random: Random
    """Chooses which."""


class HotPath:
    """The closures for one provider, or one namespace of it; to be taken away when it closes."""

    __slots__ = (*REPLACED, "lookup", "mind_marks")

    replaced: Final = REPLACED

    def __init__(self, setting: Setting, tellers: Tellers | None = None) -> None:
        """Build them; `tellers` are told what `lookup`, `get` and `get_or_set` find, None: nobody is."""
        self.mind_marks = setting.mind_marks
        if setting.is_plain and tellers is None:
            table, recorder, monotonic = setting.storage.tables[0], setting.recorder, setting.storage.clock.monotonic
            self.lookup = plain_lookup(table, recorder, monotonic, setting.ahead, setting.flights)
            self.get = _plain_get(table, recorder, monotonic, setting.get)
            self.get_or_set = _plain_get_or_set(setting, table, recorder, monotonic)
            self.get_multi = _plain_get_multi(table, recorder, monotonic, setting.get_multi)
        else:
            self.lookup = any_lookup(setting)
            # Whoever keeps `get` keeps the namespace, whose counts would be lost otherwise.
            vars(self.lookup)["setting"] = setting
            self.get_multi = _get_multi(setting, self.lookup)
            if tellers is not None:
                self.lookup = telling(self.lookup, tellers, setting.ahead)
            self.get = _get(setting, self.lookup, None if tellers is None else tellers.on_miss)
            self.get_or_set = _get_or_set(setting, self.lookup)
        self.increment = _increment(setting)
        self.delete = _delete(setting)
        self.exists = _exists(setting)
        self.set = _plain_set(setting) if setting.is_plain and not setting.is_weighed else _set(setting)

    def retire(self) -> None:
        """Let plain closures that somebody may have saved hand on what they are asked."""
        retire(getattr(self, name) for name in REPLACED)


def retire(closures: Iterable[Any]) -> None:
    """Let closures that have a table of their own meet `_Retired` in its place."""
    for closure in closures:
        for variable, cell in zip(closure.__code__.co_freevars, closure.__closure__, strict=True):
            if variable == "table":
                cell.cell_contents = _Retired


def plain_lookup(
    table: Table,
    recorder: Recorder,
    monotonic: Callable[[], float],
    default_ahead: float | None = None,
    flights: Collection[str] = (),
) -> Lookup:
    """Make the plain function that gives a live value and counts a hit, or gives `MISSING` and counts nothing.

    What is being loaded anew, one of `flights`, is given though it is no longer young.
    """

    def lookup(key: str, refresh_ahead: float | None = default_ahead) -> object:
        try:
            slot = table.index.get(key)
        except TypeError:
            check_key(key)
            raise
        except (ProviderClosedError, _RetiredError):
            return MISSING
        if slot is not None:
            now = monotonic()
            if (now < table.fresh[slot] or table.is_live(slot, now)) and (
                refresh_ahead is None or table.is_young(slot, now, 1.0 - refresh_ahead) or key in flights
            ):
                hits = table.hits
                if hits[slot] < table.ceiling:
                    hits[slot] += 1
                recorder.hits += 1
                return table.values[slot]
        else:
            check_key(key)
        return MISSING

    return lookup


def telling(lookup: Lookup, tellers: Tellers, default_ahead: float | None = None) -> Lookup:
    """Make the same function, which also tells of hits: of which is chosen by chance, since keys come in rhythms."""
    on_hit, every, random, left = tellers.on_hit, tellers.every, tellers.random, 1

    def told(key: str, refresh_ahead: float | None = default_ahead) -> object:
        nonlocal left
        value = lookup(key, refresh_ahead)
        if value is not MISSING:
            left -= 1
            if not left:
                left = random.randint(1, 2 * every - 1)
                on_hit(key, every)
        return value

    return told


def _plain_get(
    table: Table, recorder: Recorder, monotonic: Callable[[], float], get_slowly: SlowGet
) -> Callable[..., Awaitable[Any]]:
    async def get(key: str, default: Any = None, type: Any = None) -> Any:  # noqa: ANN401  - see Provider.get
        try:
            slot = table.index.get(key)
        except TypeError:
            check_key(key)
            raise
        except _RetiredError:
            return await get_slowly(key, default, type=type)
        if slot is not None:
            now = monotonic()
            if now < table.fresh[slot] or table.is_live(slot, now):
                hits = table.hits
                if hits[slot] < table.ceiling:
                    hits[slot] += 1
                recorder.hits += 1
                return table.values[slot] if type is None else convert(table.values[slot], type)
        if not (key and isinstance(key, str)):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            check_key(key)
        recorder.misses += 1
        return default

    return get


def _plain_get_or_set(
    setting: Setting, table: Table, recorder: Recorder, monotonic: Callable[[], float]
) -> Callable[..., Awaitable[Any]]:
    answer, default_ahead, flights = setting.get_or_set, setting.ahead, setting.flights

    async def get_or_set(  # noqa: PLR0917  - rule 3
        key: str,
        loader: Any,  # noqa: ANN401  - see Provider.get_or_set
        ttl: Any = DEFAULT,  # noqa: ANN401  - as above
        type: Any = None,  # noqa: ANN401  - as above
        tags: Any = (),  # noqa: ANN401  - as above
        cost: Any = None,  # noqa: ANN401  - as above
        refresh_ahead: Any = default_ahead,  # noqa: ANN401  - as above
        early_beta: Any = None,  # noqa: ANN401  - as above
        jitter: Any = DEFAULT,  # noqa: ANN401  - as above
        stale_while_revalidate: Any = DEFAULT,  # noqa: ANN401  - as above
        stale_if_error: Any = DEFAULT,  # noqa: ANN401  - as above
        stale_on: Any = DEFAULT,  # noqa: ANN401  - as above
        throttle: Any = DEFAULT,  # noqa: ANN401  - as above
        timeout: Any = DEFAULT,  # noqa: ANN401  - as above
        stale_timeout: Any = DEFAULT,  # noqa: ANN401  - as above
        negative_ttl: Any = DEFAULT,  # noqa: ANN401  - as above
        cache_none: Any = DEFAULT,  # noqa: ANN401  - as above
    ) -> Any:  # noqa: ANN401  - as above
        # All options one by one: gathering them in a dict would cost a tenth of the call. Of those that have a say in
        # how a value is served, two ask how fresh a fresh one is; the others are about what is old or to be loaded.
        # Long because of that (docs/decisions/0002-the-hot-path-is-closures.md).
        try:
            slot = table.index.get(key)
        except TypeError:
            check_key(key)
            raise
        except _RetiredError:
            slot = None
        if slot is not None and early_beta is None:
            now = monotonic()
            if (now < table.fresh[slot] or table.is_live(slot, now)) and (
                refresh_ahead is None
                or table.fresh[slot] - now > (1.0 - refresh_ahead) * table.lives[slot]
                or table.is_young(slot, now, 1.0 - refresh_ahead)
                or key in flights
            ):
                hits = table.hits
                if hits[slot] < table.ceiling:
                    hits[slot] += 1
                recorder.hits += 1
                return table.values[slot] if type is None else convert(table.values[slot], type)
        given: tuple[Any, ...] = (
            *(type, tags, cost, refresh_ahead, DEFAULT if early_beta is None else early_beta, jitter),
            *(
                stale_while_revalidate,
                stale_if_error,
                stale_on,
                throttle,
                timeout,
                stale_timeout,
                negative_ttl,
                cache_none,
            ),
        )
        options = {name: each for name, each in zip(_OPTIONS, given, strict=True) if each is not DEFAULT}
        return await answer(key, loader, ttl, options, looked=cast("object", table) is not _Retired)

    return get_or_set


def _plain_get_multi(
    table: Table, recorder: Recorder, monotonic: Callable[[], float], get_slowly: SlowGetMulti
) -> Callable[..., Awaitable[dict[str, Any]]]:
    async def get_multi(keys: Iterable[str], *, type: Any = None) -> dict[str, Any]:  # noqa: ANN401  - see Provider
        if type is not None or table.closed or not are_few(keys):
            return await get_slowly(keys, type=type)
        now, index, fresh, values = monotonic(), table.index, table.fresh, table.values
        hits, ceiling = table.hits, table.ceiling
        found: dict[str, Any] = {}
        missed: set[str] = set()
        for key in keys:
            try:
                slot = index.get(key)
            except TypeError:
                check_key(key)
                raise
            if slot is not None and (now < fresh[slot] or table.is_live(slot, now)):
                if hits[slot] < ceiling:
                    hits[slot] += 1
                found[key] = values[slot]
            else:
                missed.add(check_key(key))
        recorder.hits += len(found)
        recorder.misses += len(missed)
        return found

    return get_multi


def are_few(keys: Iterable[str]) -> bool:
    """Whether `keys` is a collection that can be gone through in one step."""
    return keys.__class__ in _COLLECTIONS and len(cast("Collection[str]", keys)) <= _MANY


def _plain_set(setting: Setting) -> Callable[..., Awaitable[None]]:  # noqa: C901  - one frame
    table, recorder, monotonic = setting.storage.tables[0], setting.recorder, setting.storage.clock.monotonic
    default_life, flights, failures, set_slowly = setting.default_life, setting.flights, setting.failures, setting.set

    async def set(  # noqa: A001, C901, PLR0912  - the name it is called by, in one frame
        key: str,
        value: object,
        ttl: Any = DEFAULT,  # noqa: ANN401  - whatever it is, it is checked
        tags: Any = _NO_TAGS,  # noqa: ANN401  - as above
        cost: Any = None,  # noqa: ANN401  - as above
    ) -> None:
        # An int is not compared with a float, nor with infinity: that alone would cost a tenth of the call.
        if ttl is DEFAULT:
            life = default_life
        elif (type(ttl) is int and ttl > 0) or (type(ttl) is float and 0.0 < ttl < _NEVER):
            life = ttl
        else:
            return await set_slowly(key, value, ttl, tags=tags, cost=cost)
        if tags is not _NO_TAGS or cost is not None or flights or failures or table.busy or value is MISSING:
            return await set_slowly(key, value, ttl, tags=tags, cost=cost)
        try:
            slot = table.index.get(key)
            now = monotonic()
            until = now + life
        except TypeError:
            check_key(key)
            raise
        except OverflowError:
            return await set_slowly(key, value, ttl, tags=tags, cost=cost)
        if slot is None or (table.extras and slot in table.extras):
            if check_key(key)[0] == MARK:
                return await set_slowly(key, value, ttl, tags=tags, cost=cost)
            recorder.sets += 1
            table.put(key, value, life, now)
            return None
        # From here on what `Table.put` does to an entry that has neither tags nor cost, and gets none.
        recorder.sets += 1
        if table.versions:
            table.versions.pop(slot, None)
        table.values[slot] = value
        fresh, hits = table.fresh, table.hits
        table.lives[slot] = life if until < _NEVER else -now
        if until < fresh[slot]:
            table.schedule(slot, until)
        fresh[slot] = until
        if hits[slot] < table.ceiling:
            hits[slot] += 1
        return None

    return set


def _find(setting: Setting) -> Callable[[str], tuple[str, Table]]:
    """Make what gives the stored form of a key and its table; it raises `InvalidKeyError`."""
    storage, prefix, stored_form = setting.storage, setting.names.prefix, setting.names.key
    tables, mask, hash_func = storage.tables, storage.mask, storage.hash_func

    def find(key: str) -> tuple[str, Table]:
        if not (key and isinstance(key, str)):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            check_key(key)
        full = prefix + key if key[0] != MARK else stored_form(key)
        return full, tables[hash_func(full) & mask if mask else 0]

    return find


def any_lookup(setting: Setting) -> Lookup:
    """Make the same as `plain_lookup` for every other case; it raises `InvalidKeyError`, too."""
    storage, prefix, stored_form = setting.storage, setting.names.prefix, setting.names.key
    tables, mask, hash_func, only = storage.tables, storage.mask, storage.hash_func, storage.tables[0]
    recorder, monotonic, own, mind_marks = setting.recorder, storage.clock.monotonic, storage.own, setting.mind_marks
    default_ahead, flights = setting.ahead, setting.flights

    def lookup(key: str, refresh_ahead: float | None = default_ahead) -> object:
        try:
            full = key
            if mind_marks:
                full = prefix + key if key[0] != MARK else stored_form(key)
            table = tables[hash_func(full) & mask] if mask else only
            slot = table.index.get(full)
        except ProviderClosedError:
            return MISSING
        except Exception:  # `hash_func` may be a user's own
            check_key(key)
            raise
        if slot is None:
            check_key(key)
            return MISSING
        now = monotonic()
        if not (now < table.fresh[slot] or table.is_live(slot, now)):
            return MISSING
        is_old = refresh_ahead is not None and not table.is_young(slot, now, 1.0 - refresh_ahead)
        if is_old and full not in flights:
            return MISSING
        touch = table.touch
        if touch is not None:
            touch(slot)
        elif table.hits[slot] < table.ceiling:
            table.hits[slot] += 1
        recorder.hits += 1
        return table.values[slot] if own is None else own(table.values[slot])

    return lookup


def _get(
    setting: Setting, lookup: Lookup, on_miss: Callable[[str], None] | None = None
) -> Callable[..., Awaitable[Any]]:
    recorder, check_open = setting.recorder, setting.check_open

    async def get(key: str, default: Any = None, *, type: Any = None) -> Any:  # noqa: ANN401  - see Provider.get
        value = lookup(key, None)  # an ageing value is one, though whoever loads would have it made anew
        if value is MISSING:
            check_open()
            recorder.misses += 1
            if on_miss is not None:
                on_miss(key)
            return default
        return value if type is None else convert(value, type)

    return get


def _get_or_set(setting: Setting, lookup: Lookup) -> Callable[..., Awaitable[Any]]:
    answer = setting.get_or_set

    async def get_or_set(key: str, loader: Any, ttl: Any = DEFAULT, **options: Any) -> Any:  # noqa: ANN401  - see Provider
        if options and not _NOT_BY_CHANCE.issuperset(options):
            return await answer(key, loader, ttl, options)
        value = lookup(key, options["refresh_ahead"]) if options and "refresh_ahead" in options else lookup(key)
        if value is MISSING:
            return await answer(key, loader, ttl, options)
        return convert(value, options["type"]) if options and options.get("type") is not None else value

    return get_or_set


def _set(setting: Setting) -> Callable[..., Awaitable[None]]:
    find, recorder, monotonic = _find(setting), setting.recorder, setting.storage.clock.monotonic
    default_life, flights, set_slowly = setting.default_life, setting.flights, setting.set
    by_reference, failures = setting.storage.own is None, setting.failures

    async def set(  # noqa: A001  - the name it is called by
        key: str,
        value: object,
        ttl: Any = DEFAULT,  # noqa: ANN401  - whatever it is, it is checked
        *,
        tags: Any = _NO_TAGS,  # noqa: ANN401  - as above
        cost: Any = None,  # noqa: ANN401  - as above
    ) -> None:
        life = default_life if ttl is DEFAULT else life_of(ttl)
        full, table = find(key)
        is_rare = tags is not _NO_TAGS or cost is not None or not by_reference or value is MISSING
        if is_rare or flights or failures or table.busy:
            return await set_slowly(key, value, ttl, tags=tags, cost=cost)
        table.put(full, value, life, monotonic())
        recorder.sets += 1
        return None

    return set


def _get_multi(setting: Setting, lookup: Lookup) -> Callable[..., Awaitable[dict[str, Any]]]:
    recorder, check_open, get_slowly = setting.recorder, setting.check_open, setting.get_multi

    async def get_multi(keys: Iterable[str], *, type: Any = None) -> dict[str, Any]:  # noqa: ANN401  - see Provider
        if type is not None or not are_few(keys):
            return await get_slowly(keys, type=type)
        check_open()
        found: dict[str, Any] = {}
        missed: set[str] = set()
        before = recorder.hits
        for key in keys:
            value = lookup(key, None)  # as in `_get`
            if value is MISSING:
                missed.add(key)
            else:
                found[key] = value
        recorder.hits = before + len(found)  # a key that comes twice is one
        recorder.misses += len(missed)
        return found

    return get_multi


def _increment(setting: Setting) -> Callable[..., Awaitable[int]]:
    find, recorder, monotonic = _find(setting), setting.recorder, setting.storage.clock.monotonic
    default_life, flights, increment_slowly = setting.default_life, setting.flights, setting.increment
    failures = setting.failures

    async def increment(key: str, delta: int = 1, *, initial: int = 0, ttl: Any = DEFAULT) -> int:  # noqa: ANN401  - checked
        full, table = find(key)
        if type(delta) is not int or type(initial) is not int or flights or failures or table.busy:
            return await increment_slowly(key, delta, initial=initial, ttl=ttl)
        life = default_life if ttl is DEFAULT else life_of(ttl)
        now = monotonic()
        total = table.increment(full, delta, now)
        if total is None:
            total = initial + delta
            table.put(full, total, life, now)
        recorder.sets += 1
        return total

    return increment


def _delete(setting: Setting) -> Callable[[str], Awaitable[bool]]:
    find, recorder, monotonic = _find(setting), setting.recorder, setting.storage.clock.monotonic
    flights, failures, delete_slowly = setting.flights, setting.failures, setting.delete

    async def delete(key: str) -> bool:
        full, table = find(key)
        if flights or failures or table.busy:
            return await delete_slowly(key)
        gone = table.drop(full, monotonic())
        recorder.deletes += gone
        return gone

    return delete


def _exists(setting: Setting) -> Callable[[str], Awaitable[bool]]:
    find, monotonic, check_open = _find(setting), setting.storage.clock.monotonic, setting.check_open

    async def exists(key: str) -> bool:
        full, table = find(key)
        check_open()
        return table.live_slot(full, monotonic()) != NIL

    return exists
