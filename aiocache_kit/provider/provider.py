"""`Provider`: one interface over many storages, and the rules that are the same on all of them.

It has a storage, which keeps items, and policies, which decide: single-flight, tags, locks, statistics. On a storage of
tables in this process the commonest calls are answered by closures instead (`hot_path`); what stands here is their
meaning, and what every other storage gets. The file is long because the interface is; each method is short
(docs/decisions/0002-the-hot-path-is-closures.md).

Rule 1: input is checked before anything happens; a call that raises for its input has changed nothing.
Rule 2: keys, tags and prefixes have their stored form from here downwards, and their own above (`names`).
"""

import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from inspect import isawaitable
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, cast, final, overload

from aiocache_kit.clock import Clock, stopwatch
from aiocache_kit.errors import (
    InvalidArgumentError,
    NotFoundError,
    PartialFailureError,
    RateLimitedError,
    UnsupportedError,
)
from aiocache_kit.event_kinds import EventKind, RefusalCause
from aiocache_kit.item import Item
from aiocache_kit.keys import check_key, namespace_prefix
from aiocache_kit.management.expiration import TTL, life_of
from aiocache_kit.management.freshness import OF_FRESHNESS, Freshness, FreshnessOptions, checked
from aiocache_kit.management.key_groups import GroupRule
from aiocache_kit.management.rate_limit import OnUnavailable, Rate, RateDecision
from aiocache_kit.management.statistics import Recorder
from aiocache_kit.provider.asked import Asked, AskedMany
from aiocache_kit.provider.calling import check_callable
from aiocache_kit.provider.checks import check_int, check_interval, seconds_to_wait, slots_for
from aiocache_kit.provider.core import Core
from aiocache_kit.provider.figures import figures, time_a_read
from aiocache_kit.provider.hub import LoadSpan
from aiocache_kit.provider.limited import put_before
from aiocache_kit.provider.loading import (
    OF_GET_OR_SET,
    AsyncLoader,
    AsyncMultiLoader,
    FullContext,
    LoadOptions,
    SyncLoader,
    SyncMultiLoader,
    check_cost,
    check_names,
    check_options,
    wants_context,
)
from aiocache_kit.provider.loads import Loads
from aiocache_kit.provider.locks import Lease
from aiocache_kit.provider.names import Names
from aiocache_kit.provider.rate_limiter import MOST_KEYS, RateLimiter
from aiocache_kit.provider.readings import Readings
from aiocache_kit.provider.serving import Serving
from aiocache_kit.provider.watched_path import watched
from aiocache_kit.provider.ways import REPLACED, Closures, Plain, choose, name_as, tells
from aiocache_kit.sentinels import DEFAULT, MISSING, DefaultType
from aiocache_kit.serializers.parts import Parts, whole
from aiocache_kit.serializers.typed import as_type, convert
from aiocache_kit.stats import Stats
from aiocache_kit.storage.base import IF_ABSENT, IF_PRESENT, Capabilities, Condition, Storage, if_version
from aiocache_kit.storage.observer import Span

if TYPE_CHECKING:
    from aiocache_kit.events import Event
    from aiocache_kit.provider.streams import EventStream, Listening

T = TypeVar("T")
D = TypeVar("D")


@final
class Provider:
    """A cache. Made by `new_provider`, or over a storage of one's own; opened by its first use or by ``async with``.

    It belongs to one event loop. Every call raises `ProviderClosedError` after `close`, `InvalidKeyError` for a key
    that is not a non-empty `str`, and `StorageError` where the storage fails. A ttl is seconds, a `timedelta`, text
    such as ``"1h30m"`` or None for "never"; left out it is the provider's default; anything else raises
    `InvalidTTLError`. Tags are non-empty `str`, at most a thousand an item; anything else raises `InvalidTagError`.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        default_ttl: TTL = 600,
        cleanup_interval: float = 1.0,
        sync_interval: float = 0.0,
        freshness: FreshnessOptions | None = None,
        max_loads: int | None = None,
        max_waiting_loads: int = 1000,
        clock: Clock | None = None,
        random: Random | None = None,
    ) -> None:
        """Use `storage`, which nobody else uses.

        `freshness` says how values are served where a call of `get_or_set` says nothing of it. No more than `max_loads`
        loads are under way at a time, None for any number; `max_waiting_loads` wait, and others are refused.
        Every `cleanup_interval` seconds the storage frees what is dead, and every `sync_interval` seconds it writes out
        what would be lost with the process (zero: when the provider is closed, only). `clock` is the storage's own
        unless it is given; the storage is told to use it then. `random` is where all draws
        of a provider come from: how far lives are spread (`jitter`), who loads ahead (`early_beta`), what a sample
        holds, how long to wait before asking again. A seeded one gives the same again; None is one of its own.
        """
        if not isinstance(storage, Storage):  # pyright: ignore[reportUnnecessaryIsInstance]  - callers without types
            raise InvalidArgumentError(
                f"storage must be a Storage, not {type(storage).__name__}: new_provider() takes a Config or a URL"
            )
        check_interval("cleanup_interval", cleanup_interval, may_be_zero=False)
        check_interval("sync_interval", sync_interval, may_be_zero=True)
        used_clock = storage.clock if clock is None else clock
        self._core = Core(
            storage,
            life_of(default_ttl),
            cleanup_interval,
            sync_interval,
            used_clock,
            freshness=checked({**(freshness or {})}, Freshness()),
            slots=slots_for(max_loads, max_waiting_loads),
            random=random,
        )
        self._become(Names("", self._warm_again), Recorder(), outer=None)
        self._core.hub.when_changed = self._listened

    def _become(self, names: Names, recorder: Recorder, outer: "Provider | None") -> None:
        self._names = names
        self._recorder = recorder
        self._outer = outer
        self._root: Provider | None = None if outer is None else outer._root or outer  # noqa: SLF001  - of the same class
        self._loads = Loads(self._core, names, recorder)
        self._serving = Serving(self._core, self._loads, recorder)
        self._views: weakref.WeakValueDictionary[str, Provider] = weakref.WeakValueDictionary()
        self._hot: Closures | None = None
        self._limit: tuple[RateLimiter, str] | None = None
        self._closes = outer is None

    def __repr__(self) -> str:
        core = self._core
        state = "closed" if core.closed else "open" if core.ready else "not opened yet"
        return f"<Provider over {core.storage.name}, {state}{', a namespace' if self._root else ''}>"

    @property
    def capabilities(self) -> Capabilities:
        """What the storage can do beyond keeping items: whether others share it, whether it outlives the process."""
        return self._core.storage.capabilities

    # --- life --------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Open, and close at the end of the block, or at once where it cannot be opened."""
        try:
            await self._open()
        except BaseException:
            if self._closes:  # nobody else would: there is no block whose end could
                await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; the block of a namespace leaves the provider that it was made of open."""
        del kind, error, trace
        if self._closes:
            await self.close()

    async def close(self, timeout: float = 0.0) -> None:
        """End all that is under way and let go of everything: no task, file or connection is left.

        Loads in the background are given `timeout` seconds to end by themselves. Other loads under way are cancelled,
        and who waits for them gets `ProviderClosedError`. Items that must outlive the process are written out. Closing
        twice is fine; closing a namespace closes the whole provider. With a `timeout` of 0 nothing is waited for.
        Raises `InvalidArgumentError` for one that is no number from 0 up, and the `StorageError` of a storage that
        could not write out what it had to: it is closed then all the same.
        """
        (self._root or self)._cool()  # noqa: SLF001  - of the same class
        check_interval("timeout", timeout, may_be_zero=True)
        await self._core.close(timeout)

    async def aclose(self, timeout: float = 0.0) -> None:
        """Do the same as `close`."""
        await self.close(timeout)

    @property
    def closed(self) -> bool:
        """Whether `close` was called: every other call raises `ProviderClosedError` then."""
        return self._core.closed

    async def ping(self) -> float:
        """Ask the storage for a sign of life and give the seconds it took; `StorageUnavailableError` if none comes."""
        if not self._core.ready:
            await self._open()
        start = stopwatch()
        await self._core.storage.ping()
        return stopwatch() - start

    async def stats(self) -> Stats:
        """Give the counters so far.

        Those of a namespace are its own, but for size, items, evictions and expired, which are the storage's. Reads
        from memory are too short to be timed each: one is timed whenever this is called.
        """
        if not self._core.ready:
            await self._open()
        core, root = self._core, self._root or self
        if self._hot is not None:
            time_a_read(core, self._recorder)
        return await figures(core, self._recorder, root._recorder.near_hits())  # noqa: SLF001  - of the same class

    def namespace(self, name: str) -> "Provider":
        """Give a view whose keys and tags never meet those of any other namespace, nor of this provider.

        It shares the storage and counts on its own; what it counts is part of this provider's `stats`. Asking again
        gives the same view. Raises `InvalidArgumentError` unless `name` is a non-empty `str`.
        """
        prefix = namespace_prefix(self._names.prefix, name)
        view = self._views.get(prefix)
        if view is None and self._limit is not None and self._outer is not None:
            view = self._views[prefix] = self._outer.namespace(name).limited(*self._limit)
        elif view is None:
            view = object.__new__(Provider)
            view._core = self._core
            recorder = self._recorder.child()
            view._become(Names(prefix), recorder, self)
            weakref.finalize(view, self._recorder.let_go, recorder)
            self._views[prefix] = view
            if not self._names.marked:
                self._names.mark()
            view._warm()
        return view

    async def _open(self) -> None:
        """Open at the first use. Callers look at `Core.ready` first, to save the frame."""
        await self._core.open()
        (self._root or self)._warm_all()  # noqa: SLF001  - of the same class

    def _warm_again(self) -> None:
        """Leave the plainest closures, which would take keys with a mark for others."""
        if self._hot is not None:
            self._hot.retire()
            self._warm()

    def _warm_all(self) -> None:
        if self._hot is None:
            self._warm()
        for view in self._views.values():
            view._warm_all()  # noqa: SLF001  - of the same class

    def _warm(self) -> None:
        """Put closures in the place of methods, where there are any for the storage, and only while it is open."""
        core = self._core
        if not core.ready or self._limit is not None:
            return
        plain = Plain(
            get=partial(Provider.get, self),
            get_multi=self._get_multi_slowly,
            get_or_set=partial(Provider.get_or_set, self),
            answer=self._answer,
            load=self._load_one,
            serve=self._serve_one,
            set=self._set_slowly,
            increment=self._increment_slowly,
            delete=self._delete_slowly,
        )
        self._hot, chosen = choose(core, self._names, self._recorder, plain, is_view=self._root is not None)
        for name in REPLACED:
            vars(self).pop(name, None)
        in_front = watched(
            core,
            self._names,
            lambda name: chosen.get(name) or getattr(Provider, name).__get__(self),
            besides=tells(self._hot),
        )
        for name, closure in (chosen | in_front).items():
            name_as(closure, getattr(Provider, name))
            vars(self)[name] = closure

    def _cool(self) -> None:
        """Take the closures away again, here and in the namespaces."""
        for view in self._views.values():
            view._cool()  # noqa: SLF001  - of the same class
        for name in REPLACED:
            vars(self).pop(name, None)
        self._hot = None

    # --- telling -----------------------------------------------------------------------------------------------------

    def events(
        self, *, kinds: Iterable[str] | None = None, keys: bool = False, room: int = 1000, sample: int = 1
    ) -> "EventStream":
        """Hear what happens: ``async with provider.events(kinds={"load"}) as stream: async for event in stream: ...``.

        `kinds` are out of `EventKind`, None: all. Events hold keys only with `keys`. At most `room` of them wait; where
        there are more the oldest goes, and is counted. Of hits and misses about one of `sample` is given, 1: each. Of a
        namespace, what concerns its keys, or none, is told. Raises `InvalidArgumentError` for what is none of these.
        """
        self._core.check_open()
        return self._core.hub.stream(self._names.prefix, kinds=kinds, keys=keys, room=room, sample=sample)

    def listen(
        self,
        function: "Callable[[Event], object]",
        *,
        kinds: Iterable[str] | None = None,
        keys: bool = False,
        room: int = 1000,
        sample: int = 1,
    ) -> "Listening":
        """Call `function` with each event, until ``stop()`` of what is given, or `close`; otherwise as `events`.

        A coroutine function runs on the event loop, any other in a thread, one call at a time. No caller of the cache
        waits for it; what it raises is logged. May be called before the event loop runs. Raises `InvalidArgumentError`
        for what cannot be called, and as `events` does.
        """
        check_callable(function, "function")
        stream = self.events(kinds=kinds, keys=keys, room=room, sample=sample)
        return self._core.hub.listen(stream, function, at_once=self._core.ready)

    def group_keys(self, rule: GroupRule) -> None:
        """Have events and metrics name the groups of keys by `rule`, also those of all namespaces.

        It is a plain function that takes a key and gives the name of its group, or pairs of a regular expression, which
        the whole key must match, and a name. There are at most a hundred names; all further ones are ``other``. Raises
        `InvalidArgumentError` for what is neither.
        """
        self._core.hub.group_by(rule)

    def readings(self) -> Readings:
        """Give what reads the figures for whoever cannot wait for the event loop, such as a scraper in a thread."""
        return Readings(self._core, self._recorder, self._names.prefix, self.stats)

    def trace(self, span: Span | None, load_span: LoadSpan | None) -> None:
        """Let what these give be there while a call of the storage, or a loader, lasts; None: nothing any more.

        For tracers. Calls of tables in this process are too short to be traced. For this provider and its namespaces.
        """
        self._core.hub.trace(span, load_span)

    def group_of(self, key: str) -> str:
        """Give the name of the group that events and metrics put `key` in, of a hundred at most; see `group_keys`."""
        return self._core.hub.grouping.of(check_key(key))

    def name_keys(self, pieces: Iterable[str | None], group: str) -> None:
        """Know keys that are made of these pieces, None standing for any text, as this group.

        For what is built on a provider and makes keys, such as decorators; `group_keys` comes before it.
        """
        self._core.hub.grouping.learn(pieces, group)

    def _tell_hit(self, key: str) -> None:
        self._core.hub.tell(EventKind.HIT, self._names.key(key))

    def _listened(self) -> None:
        """Take the ways that what is listened to needs."""
        self._core.shortcuts = self._core.storage.shortcuts
        self._warm()
        for view in self._views.values():
            view._listened()  # noqa: SLF001  - of the same class

    # --- reading -----------------------------------------------------------------------------------------------------

    @overload
    async def get(self, key: str) -> Any: ...  # noqa: ANN401  - values are of any type
    @overload
    async def get(self, key: str, default: D, *, type: None = None) -> Any | D: ...  # noqa: ANN401  - as above
    @overload
    async def get(self, key: str, default: None = None, *, type: type[T]) -> T | None: ...
    @overload
    async def get(self, key: str, default: D, *, type: type[T]) -> T | D: ...
    async def get(self, key: str, default: object = None, *, type: Any = None) -> object:
        """Give the value under `key`, or `default` where none is live.

        ``default=MISSING`` tells a miss from a stored None. With `type` the value is given as that type: a dataclass,
        TypedDict, NamedTuple, datetime, UUID, enum, msgspec Struct or pydantic model; `WrongTypeError` where it does
        not fit. None: as the storage has it. Where bytes cannot be read that is a miss, or `CorruptPayloadError` if the
        configuration is `strict`; so it is for all calls that read.
        """
        value = await self._value(key)
        if value is MISSING:
            self._recorder.misses += 1
            return default
        return as_type(value, type)

    @overload
    async def get_item(self, key: str) -> Item[Any]: ...
    @overload
    async def get_item(self, key: str, *, type: type[T]) -> Item[T]: ...
    async def get_item(self, key: str, *, type: Any = None) -> Item[Any]:
        """Give the live item under `key`, with its dates, tags and version; `NotFoundError` where there is none.

        Instants are seconds since the epoch, durations seconds. `type` is that of the value, as for `get`.
        """
        item = await self._read(key)
        if item is None:
            raise NotFoundError(key)
        value = as_type(item.value, type)
        return replace(item, key=key, value=value, tags=self._names.own_tags(item.tags))

    async def exists(self, key: str) -> bool:
        """Whether a value is live under `key`. Counts neither as a hit nor as a miss."""
        full = self._names.key(key)
        if not self._core.ready:
            await self._open()
        return await self._core.holds(full)

    @overload
    async def get_multi(self, keys: Iterable[str]) -> dict[str, Any]: ...
    @overload
    async def get_multi(self, keys: Iterable[str], *, type: type[T]) -> dict[str, T]: ...
    async def get_multi(self, keys: Iterable[str], *, type: Any = None) -> dict[str, Any]:
        """Give the live values under `keys` by key, in one round trip a node; missing keys are left out.

        Each key counts as a hit or a miss. `type` is that of each value, as for `get`. Raises `PartialFailureError`,
        which has what was found, where the nodes of some keys cannot be reached, and `InvalidArgumentError` for what is
        no collection of keys, a single `str` included.
        """
        return await self._get_multi_slowly(keys, type=type)

    async def _get_multi_slowly(self, keys: Iterable[str], *, type: Any = None) -> dict[str, Any]:  # noqa: ANN401  - a type
        parts = await self._names.parts(keys)
        if not self._core.ready:
            await self._open()
        found: dict[str, Any] = {}
        failed: list[str] = []
        for wanted in parts:
            try:
                values: Mapping[str, object] = await self._core.values(wanted)
            except PartialFailureError as error:
                values = error.found
                failed += [wanted[full] for full in error.failed]
            for full, key in wanted.items():
                value = values.get(full, MISSING)
                if value is MISSING:
                    continue
                if type is not None:
                    value = convert(value, type)
                elif value.__class__ is Parts:
                    value = whole(value)
                found[key] = value
        self._recorder.hits += len(found)
        self._recorder.misses += sum(map(len, parts)) - len(found)
        if failed:
            raise PartialFailureError(found, failed)
        return found

    async def _read(self, key: str) -> Item[object] | None:
        item = await self._read_timed(self._names.key(key))
        if item is None:
            self._recorder.misses += 1
        return item

    async def _read_timed(self, full: str) -> Item[object] | None:
        """Read a stored key, counting a hit; a miss is for the caller to count."""
        if not self._core.ready:
            await self._open()
        start = stopwatch()
        item = await self._core.read(full)
        self._recorder.get_time += stopwatch() - start
        self._recorder.timed_gets += 1
        self._recorder.hits += item is not None
        return item

    async def _value(self, key: str) -> object:
        """Give the live value under a user's key, counting a hit; `MISSING` for a miss, which the caller counts."""
        full = self._names.key(key)
        if self._core.shortcuts is None:
            item = await self._read_timed(full)
            return MISSING if item is None else item.value
        if not self._core.ready:
            await self._open()
        start = stopwatch()
        value = await self._core.shortcuts.value(full)
        self._recorder.get_time += stopwatch() - start
        self._recorder.timed_gets += 1
        self._recorder.hits += value is not MISSING
        return value

    def lookup(self, key: str, refresh_ahead: float | DefaultType | None = DEFAULT) -> object:
        """Give the value under `key` if that takes no waiting, and count a hit; `MISSING` otherwise, counting nothing.

        A value of which more than the share `refresh_ahead` of its ttl is over is not given either. For what is built
        on a provider, such as decorators: `MISSING` means "ask with await", not that nothing is there.
        """
        del refresh_ahead
        check_key(key)
        return MISSING

    async def keys(self, prefix: str = "") -> AsyncIterator[str]:
        """Go over the live keys of this namespace that begin with `prefix`, without ever holding the event loop.

        Each key comes once, in no order; nothing is promised of keys that come or go meanwhile. The prefix is taken as
        it stands, and "" is one of all keys. Raises `InvalidArgumentError` for one that is no `str`.
        """
        start = self._names.start(prefix, may_be_empty=True)
        if not self._core.ready:
            await self._open()
        async for full in self._core.storage.scan(start):
            key = self._names.own_key(full)
            if key is None or (self._core.tagging.must_ask and await self._core.read(full) is None):
                continue
            yield key

    # --- writing -----------------------------------------------------------------------------------------------------

    async def set(
        self,
        key: str,
        value: object,
        ttl: TTL | DefaultType = DEFAULT,
        *,
        tags: Iterable[str] = (),
        cost: int | None = None,
    ) -> None:
        """Store `value` under `key`, replacing what is there with its ttl, tags and cost.

        `cost` is what the value counts against a bound in bytes, 0 for nothing, None: as the storage estimates. Raises
        `ValueTooLargeError` or `SerializationError` where the value cannot be stored; what was there stays then. Raises
        `InvalidArgumentError` for a `cost` that is no `int` from 0 up.
        """
        await self._set_slowly(key, value, ttl, tags=tags, cost=cost)

    async def _set_slowly(self, key: str, value: object, ttl: Any, *, tags: Any, cost: Any) -> None:  # noqa: ANN401  - checked in `_checked`
        checked = self._checked(key, ttl, tags, cost)
        if not self._core.ready:
            await self._open()
        core, full = self._core, checked[0]
        await core.change(full, lambda: core.write(full, value, *checked[1:]))
        self._recorder.sets += 1

    async def add(
        self,
        key: str,
        value: object,
        ttl: TTL | DefaultType = DEFAULT,
        *,
        tags: Iterable[str] = (),
        cost: int | None = None,
    ) -> bool:
        """Store `value` if nothing is live under `key`, in one atomic step; say whether it was stored.

        An item that is only kept for a source that fails is not live. Otherwise as `set`.
        """
        return await self._set_if(IF_ABSENT, value, self._checked(key, ttl, tags, cost))

    async def replace(
        self,
        key: str,
        value: object,
        ttl: TTL | DefaultType = DEFAULT,
        *,
        tags: Iterable[str] = (),
        cost: int | None = None,
    ) -> bool:
        """Store `value` if something is live under `key`, in one atomic step; say whether it was stored.

        Its ttl, tags and cost are replaced, too. Otherwise as `set`.
        """
        return await self._set_if(IF_PRESENT, value, self._checked(key, ttl, tags, cost))

    async def compare_and_set(
        self,
        key: str,
        value: object,
        version: int,
        ttl: TTL | DefaultType = DEFAULT,
        *,
        tags: Iterable[str] = (),
        cost: int | None = None,
    ) -> bool:
        """Store `value` if the live item under `key` still has `version` (`Item.version`), in one atomic step.

        Says whether it was stored; 0 is the version of no item. Otherwise as `set`; raises `InvalidArgumentError` for a
        version that is no `int`, too.
        """
        check_int("version", version)
        return await self._set_if(if_version(version), value, self._checked(key, ttl, tags, cost))

    async def _set_if(
        self, condition: Condition, value: object, checked: tuple[str, float, tuple[str, ...], int | None]
    ) -> bool:
        if not self._core.ready:
            await self._open()
        core, full = self._core, checked[0]
        done = await core.change_if(
            full, condition, lambda condition: core.write(full, value, *checked[1:], condition=condition)
        )
        self._recorder.sets += done
        return done

    async def update(
        self,
        key: str,
        fn: Callable[[Any], object],
        ttl: TTL | DefaultType = DEFAULT,
        *,
        default: object = MISSING,
    ) -> Any:  # noqa: ANN401  - whatever `fn` gives
        """Replace the value under `key` by what `fn` makes of it, atomically, and give the new value.

        `fn` takes the value, or `default` where none is live, and gives the new one; it may be a coroutine function. It
        runs again if somebody else changed the key meanwhile; callers of one provider take turns, so that this is
        seldom. Tags and cost stay; `ttl` begins anew. Raises `NotFoundError` where nothing is live and `default` was
        not given, `RecursiveLoadError` when `fn` updates the same key, `ValueTooLargeError` or `SerializationError` for
        what cannot be stored, and what `fn` raises; the item is unchanged then. `InvalidArgumentError`: `fn` cannot be
        called.
        """
        check_callable(fn, "fn")
        full, life = self._names.key(key), self._life(ttl)
        if not self._core.ready:
            await self._open()
        async with self._core.turns.of(full):
            while True:
                current = await self._core.read(full)
                if current is None and default is MISSING:
                    raise NotFoundError(key)
                made = fn(default if current is None else whole(current.value))
                value = await cast("Awaitable[object]", made) if isawaitable(made) else made
                if await self._set_over(current, full, value, life):
                    return value
                await self._core.clock.sleep(0.0)  # an `fn` that changes its own key must not hold the loop for ever

    async def _set_over(self, current: Item[object] | None, full: str, value: object, life: float) -> bool:
        """Store `value` if nobody has changed the item since it was `current`."""
        if current is None:
            return await self._set_if(IF_ABSENT, value, (full, life, (), None))
        return await self._set_if(if_version(current.version), value, (full, life, current.tags, current.cost))

    async def set_multi(
        self, mapping: Mapping[str, object], ttl: TTL | DefaultType = DEFAULT, *, tags: Iterable[str] = ()
    ) -> None:
        """Store all values of `mapping` under their keys, with the same ttl and tags, in one round trip a node.

        Not atomic as a whole: what was stored before an error stays stored. Raises `PartialFailureError`, which names
        the keys, where some nodes cannot be reached, `InvalidArgumentError` for what is no mapping, and as `set` does.
        """
        if not isinstance(cast("object", mapping), Mapping):
            raise InvalidArgumentError(f"mapping must map keys to values, not be {type(mapping).__name__}")
        life, own_tags = self._life(ttl), self._names.tags(tags)
        values = dict(mapping)  # it may change while others have their turn
        parts = await self._names.parts(values)
        if not self._core.ready:
            await self._open()
        for names in parts:
            part = {full: values[key] for full, key in names.items()}
            with self._names.as_users_write():
                await self._core.change_many(part, partial(self._core.write_multi, part, life, own_tags))
            self._recorder.sets += len(part)

    async def touch(self, key: str, ttl: TTL | DefaultType = DEFAULT) -> bool:
        """Let the live item under `key` live for `ttl` from now; say whether there was one.

        It may be given when it is old for as long beyond its new end as beyond the one it had. Value, tags and cost
        stay; whether the version does is up to the storage.
        """
        full, life = self._names.key(key), self._life(ttl)
        if not self._core.ready:
            await self._open()
        await self._core.bury(full)
        self._core.tagging.note_touch(life)
        item = self._core.item(full, None, life, stale_for=self._core.freshness.stale_for)
        return await self._core.storage.touch(cast("Item[None]", item))

    async def expire(self, key: str) -> bool:
        """Make the live item under `key` stale at once; say whether there was one.

        It is a miss from now on, and is kept, until it would have died, for a source that fails.
        """
        full = self._names.key(key)
        if not self._core.ready:
            await self._open()
        await self._core.bury(full)
        return await self._core.change(full, partial(self._core.storage.expire, full))

    async def increment(self, key: str, delta: int = 1, *, initial: int = 0, ttl: TTL | DefaultType = DEFAULT) -> int:
        """Add `delta` to the integer under `key`, atomically, and give the sum.

        Where none is live a counter is born with `initial`, to which `delta` is added, and `ttl` counts from then on;
        later calls do not move it. Raises `WrongTypeError` where the value is not an `int`, and `InvalidArgumentError`
        where `delta` or `initial` is none. Never degraded: where the storage is away that is an error.
        """
        return await self._increment_slowly(key, delta, initial=initial, ttl=ttl)

    async def _increment_slowly(self, key: str, delta: int, *, initial: int, ttl: TTL | DefaultType) -> int:
        check_int("delta", delta)
        check_int("initial", initial)
        full, life = self._names.key(key), self._life(ttl)
        if not self._core.ready:
            await self._open()
        core = self._core
        await core.bury(full)
        total = await core.change(full, lambda: core.increment(full, delta, initial, life))
        self._recorder.sets += 1
        return total

    async def decrement(self, key: str, delta: int = 1, *, initial: int = 0, ttl: TTL | DefaultType = DEFAULT) -> int:
        """Subtract `delta`; otherwise as `increment`."""
        check_int("delta", delta)
        return await self.increment(key, -delta, initial=initial, ttl=ttl)

    # --- removing ----------------------------------------------------------------------------------------------------

    async def delete(self, key: str) -> bool:
        """Remove the item under `key`; say whether one was live."""
        return await self._delete_slowly(key)

    async def _delete_slowly(self, key: str) -> bool:
        full = self._names.key(key)
        if not self._core.ready:
            await self._open()
        await self._core.bury(full)
        gone = await self._core.change(full, partial(self._core.storage.remove, full))
        self._recorder.deletes += gone
        return gone

    async def delete_multi(self, keys: Iterable[str]) -> int:
        """Remove the items under `keys`, in one round trip a node, and count those that were live.

        Not atomic as a whole. Raises `PartialFailureError`, which names the keys, where some nodes cannot be reached,
        and `InvalidArgumentError` for what is no collection of keys, a single `str` included.
        """
        parts = await self._names.parts(keys)
        if not self._core.ready:
            await self._open()
        count = 0
        for part in parts:
            for each in part if self._core.tagging.must_ask else ():
                await self._core.bury(each)
            with self._names.as_users_write():
                gone = await self._core.change_many(part, partial(self._core.storage.remove_multi, part))
            self._recorder.deletes += gone
            count += gone
        return count

    @overload
    async def pop(self, key: str) -> Any: ...  # noqa: ANN401  - values are of any type
    @overload
    async def pop(self, key: str, default: D) -> Any | D: ...  # noqa: ANN401  - as above
    async def pop(self, key: str, default: object = None) -> object:
        """Remove the item under `key` and give its value, atomically; `default` where none was live.

        Of several callers one gets the value. Counts a hit and a delete, or a miss.
        """
        full = self._names.key(key)
        if not self._core.ready:
            await self._open()
        core = self._core
        while True:
            item = await core.read(full)
            if item is None:
                self._recorder.misses += 1
                return default
            value = whole(item.value)
            if await core.change_if(full, if_version(item.version), partial(core.storage.remove, full)):
                self._recorder.hits += 1
                self._recorder.deletes += 1
                return value

    async def invalidate_tags(self, *tags: str) -> None:
        """Make every item that has one of `tags` a miss from now on. O(1) a tag, whatever number of items it kills.

        Their room is freed later. Values with such a tag that are being loaded now are given, and not stored.
        """
        full = self._names.tags(tags)
        if not self._core.ready:
            await self._open()
        flights = self._core.flights
        flights.supersede_tags(full)
        if flights.is_storing():
            await flights.stored()
        try:
            await self._core.invalidate(full)
        finally:
            flights.supersede_tags(full)

    async def invalidate_prefix(self, prefix: str) -> None:
        """Remove every item of this namespace whose key begins with `prefix`, which is not empty.

        Goes over the keys, in slices; tags are the cheaper way where there are many keys. The prefix is taken as it
        stands. Raises `InvalidArgumentError` for one that is empty or no `str`.
        """
        await self._clear(self._names.start(prefix, may_be_empty=False))

    async def clear(self) -> None:
        """Remove every item of this namespace and of those inside of it; on the root, all of the storage.

        Of a server that others use as well, only what is this cache's. In slices, so that the event loop is never held.
        """
        await self._clear(self._names.prefix)

    async def _clear(self, start: str) -> None:
        if not self._core.ready:
            await self._open()
        await self._core.change_all(start, partial(self._core.storage.clear, start))

    # --- loading -----------------------------------------------------------------------------------------------------

    @overload
    async def get_or_set(
        self, key: str, loader: AsyncLoader[T], ttl: TTL | DefaultType = DEFAULT, **options: Unpack[LoadOptions]
    ) -> T: ...
    @overload
    async def get_or_set(
        self, key: str, loader: SyncLoader[T], ttl: TTL | DefaultType = DEFAULT, **options: Unpack[LoadOptions]
    ) -> T: ...
    @overload
    async def get_or_set(
        self,
        key: str,
        loader: AsyncLoader[object] | SyncLoader[object],
        ttl: TTL | DefaultType = DEFAULT,
        *,
        type: type[T],
        **options: Unpack[LoadOptions],
    ) -> T: ...
    async def get_or_set(self, key: str, loader: Any, ttl: TTL | DefaultType = DEFAULT, **options: Any) -> Any:
        """Give the value under `key`; where none is live, load it, store it and give it.

        `loader` is a coroutine function, or any other callable, which then runs in a thread; it takes nothing or one
        `LoadContext`. Callers that come while a load is under way share it, on every storage: one load a key. The load
        is a task of its own with a copy of the first caller's context; a caller that is cancelled leaves the others
        untouched, and the last one to leave cancels it. What the loader raises reaches all of them, and is not kept.

        A change of the key while it is loaded (`set`, `delete`, `clear` and so on) wins: those who wait get the loaded
        value, it is not stored, and who comes later starts a load of his own. A value that the storage refuses is given
        and not stored, and counts as an error.

        The options say how the value is served when it is old, how long a load may take and so on; each has its
        meaning, its units and what None and zero mean in `LoadOptions`, and the configuration's value where it is left
        out. Raises what the loader raises; `RecursiveLoadError` when it asks for its own key, `LoadTimeoutError` after
        `timeout`, `OverloadedError` where there is no room for one more load, `WrongTypeError` as `get`,
        `InvalidArgumentError` for an option or loader that is wrong, `TypeError` for an option that there is not.
        """
        if options:
            check_names("get_or_set", options, OF_GET_OR_SET)
        if self._core.freshness.keeps_old or not OF_FRESHNESS.isdisjoint(options):
            return await self._serve_one(key, loader, ttl, options)
        value = await self._value(key)
        if value is not MISSING:
            self._tell_hit(key)
            return as_type(value, options.get("type"))
        return await self._load_one(key, loader, ttl, options)

    async def _answer(
        self,
        key: str,
        loader: Any,  # noqa: ANN401  - checked in `_asked`
        ttl: Any,  # noqa: ANN401  - as above
        options: dict[str, Any],
        *,
        looked: bool = True,
    ) -> Any:  # noqa: ANN401  - whatever is cached
        """Do what `get_or_set` does where a closure does not answer; `looked`: no value is there to give at once."""
        policy = self._core.freshness
        if "refresh_ahead" in options and options["refresh_ahead"] is policy.refresh_ahead:
            del options["refresh_ahead"]  # nobody said so
        check_names("get_or_set", options, OF_GET_OR_SET)
        if not looked:
            return await Provider.get_or_set(self, key, loader, ttl, **options)
        if policy.keeps_old or not OF_FRESHNESS.isdisjoint(options):
            return await self._serve_one(key, loader, ttl, options)
        return await self._load_one(key, loader, ttl, options)

    async def _serve_one(
        self,
        key: str,
        loader: Any,  # noqa: ANN401  - checked in `_asked`
        ttl: Any,  # noqa: ANN401  - as above
        options: dict[str, Any],
        item: Any = MISSING,  # noqa: ANN401  - see `Serving.one`
    ) -> Any:  # noqa: ANN401  - whatever is cached
        """Do what `get_or_set` does where a policy has a say in hits; `item`: what was read a moment ago."""
        asked = self._asked(key, loader, ttl, options)
        if not self._core.ready:
            await self._open()
        value = await self._serving.one(asked, item)
        return as_type(value, asked.type)

    async def _load_one(self, key: str, loader: Any, ttl: Any, options: dict[str, Any], *, anew: bool = False) -> Any:  # noqa: ANN401  - checked here
        asked = self._asked(key, loader, ttl, options)
        if not self._core.ready:
            await self._open()
        if not anew:
            self._recorder.misses += 1
            self._core.hub.tell(EventKind.MISS, asked.stored)
        asked.replaces = anew
        value = await self._loads.one(asked, anew=anew)
        return as_type(value, asked.type)

    def _asked(self, key: str, loader: Any, ttl: Any, options: dict[str, Any]) -> Asked:  # noqa: ANN401  - checked here
        """Check what a load was asked with."""
        kind = options.pop("type", None)
        check_names("get_or_set", options)
        check_callable(loader, "loader")
        life = self._life(ttl)
        told = wants_context(loader)
        asked = Asked(key, life, *check_options(options, self._core.freshness))
        asked.stored, asked.loader, asked.told, asked.type = self._names.key(key), loader, told, kind
        return asked

    @overload
    async def refresh(
        self, key: str, loader: AsyncLoader[T], ttl: TTL | DefaultType = DEFAULT, **options: Unpack[LoadOptions]
    ) -> T: ...
    @overload
    async def refresh(
        self, key: str, loader: SyncLoader[T], ttl: TTL | DefaultType = DEFAULT, **options: Unpack[LoadOptions]
    ) -> T: ...
    @overload
    async def refresh(
        self,
        key: str,
        loader: AsyncLoader[object] | SyncLoader[object],
        ttl: TTL | DefaultType = DEFAULT,
        *,
        type: type[T],
        **options: Unpack[LoadOptions],
    ) -> T: ...
    async def refresh(self, key: str, loader: Any, ttl: TTL | DefaultType = DEFAULT, **options: Any) -> Any:
        """Load the value under `key`, whether or not one is live, store it and give it.

        Readers get the old value until the new one is there. A load of the key that is under way already is joined:
        whoever knows that the source has changed since it began uses `delete`. Counts neither a hit nor a miss. What
        the loader raises leaves the old value where it is. Otherwise as `get_or_set`.
        """
        return await self._load_one(key, loader, ttl, options, anew=True)

    @overload
    async def get_or_set_multi(
        self,
        keys: Iterable[str],
        load_missing: AsyncMultiLoader[T],
        ttl: TTL | DefaultType = DEFAULT,
        **options: Unpack[LoadOptions],
    ) -> dict[str, T]: ...
    @overload
    async def get_or_set_multi(
        self,
        keys: Iterable[str],
        load_missing: SyncMultiLoader[T],
        ttl: TTL | DefaultType = DEFAULT,
        **options: Unpack[LoadOptions],
    ) -> dict[str, T]: ...
    @overload
    async def get_or_set_multi(
        self,
        keys: Iterable[str],
        load_missing: AsyncMultiLoader[object] | SyncMultiLoader[object],
        ttl: TTL | DefaultType = DEFAULT,
        *,
        type: type[T],
        **options: Unpack[LoadOptions],
    ) -> dict[str, T]: ...
    async def get_or_set_multi(
        self,
        keys: Iterable[str],
        load_missing: Any,
        ttl: TTL | DefaultType = DEFAULT,
        *,
        type: Any = None,
        **options: Unpack[LoadOptions],
    ) -> dict[str, Any]:
        """Give the values under `keys` by key; those that are missing are loaded by one call of `load_missing`.

        `load_missing` takes the list of the missing keys and gives a mapping of what it found; keys that it leaves out
        are left out of the answer too, and nothing is remembered of them. Keys whose load is under way already are
        waited for and not loaded again. `cost` is that of each value, and so is `type`. Otherwise as `get_or_set`;
        raises `InvalidArgumentError` where `load_missing` gives no mapping, or `keys` is no collection, and
        `PartialFailureError` as `get_multi`.
        """
        asked = await self._asked_many("get_or_set_multi", keys, load_missing, ttl, cast("dict[str, Any]", options))
        wanted, asked.context.type = asked.names, type
        if asked.context.freshness.keeps_old:
            served = await self._serving.many(asked)
            return {key: as_type(served[full], type) for full, key in wanted.items() if full in served}
        found = await self.get_multi(list(wanted.values()), type=type)
        missing = {full: key for full, key in wanted.items() if key not in found}
        if missing:
            loaded = await self._loads.many(asked.part(missing))
            found |= {wanted[full]: as_type(value, type) for full, value in loaded.items()}
        return {key: found[key] for key in wanted.values() if key in found}

    @overload
    async def refresh_multi(
        self,
        keys: Iterable[str],
        load_missing: AsyncMultiLoader[T],
        ttl: TTL | DefaultType = DEFAULT,
        **options: Unpack[LoadOptions],
    ) -> dict[str, T]: ...
    @overload
    async def refresh_multi(
        self,
        keys: Iterable[str],
        load_missing: SyncMultiLoader[T],
        ttl: TTL | DefaultType = DEFAULT,
        **options: Unpack[LoadOptions],
    ) -> dict[str, T]: ...
    @overload
    async def refresh_multi(
        self,
        keys: Iterable[str],
        load_missing: AsyncMultiLoader[object] | SyncMultiLoader[object],
        ttl: TTL | DefaultType = DEFAULT,
        *,
        type: type[T],
        **options: Unpack[LoadOptions],
    ) -> dict[str, T]: ...
    async def refresh_multi(
        self,
        keys: Iterable[str],
        load_missing: Any,
        ttl: TTL | DefaultType = DEFAULT,
        *,
        type: Any = None,
        **options: Unpack[LoadOptions],
    ) -> dict[str, Any]:
        """Load the values under all `keys` by one call of `load_missing`, as `refresh` does; give those it found."""
        asked = await self._asked_many("refresh_multi", keys, load_missing, ttl, cast("dict[str, Any]", options))
        asked.context.replaces, asked.context.type = True, type
        loaded = await self._loads.many(asked, anew=True)
        return {key: as_type(loaded[full], type) for full, key in asked.names.items() if full in loaded}

    async def _asked_many(
        self,
        method: str,
        keys: Iterable[str],
        load_missing: Any,  # noqa: ANN401  - checked here
        ttl: object,
        options: dict[str, Any],
    ) -> AskedMany:
        """Check what a load of several keys was asked with, and open."""
        check_names(method, options)
        check_callable(load_missing, "load_missing")
        names, life = await self._names.joined(keys), self._life(ttl)
        context = FullContext("", life, *check_options(options, self._core.freshness))
        if not self._core.ready:
            await self._open()
        return AskedMany(names, load_missing, context, self._names.tags(context.tags))

    # --- locks -------------------------------------------------------------------------------------------------------

    def lock(self, key: str, ttl: TTL = 30, *, timeout: TTL = None) -> AbstractAsyncContextManager[Lease]:
        """Hold a lock by that name, among all who use this provider: ``async with provider.lock("report") as lease:``.

        The lease lasts `ttl`, and is extended while the block runs; `lease.lost` is set if it ended all the same, and
        the block's end then raises `LockLostError`. `timeout` is how long to wait for a lock that somebody else holds,
        None for ever and 0 for not at all; `LockTimeoutError` when it is over. Not reentrant. A lock is not an item: it
        has no part in bounds and stats. A `ttl` of None lasts until the block ends, also where its process does not
        live to see that. Raises `UnsupportedError` where the storage is shared and has no locks, and
        `InvalidArgumentError` for a `timeout` that is no time.
        """
        full, life, wait = self._names.key(key), life_of(ttl), seconds_to_wait(timeout)
        core = self._core
        core.check_open()
        if core.storage.capabilities.shared and core.storage.locks is None:
            raise UnsupportedError(
                "this storage is shared with other processes, and gives no locks that hold among them"
            )
        return core.locks.hold(full, life, wait)

    # --- limits ------------------------------------------------------------------------------------------------------

    def rate_limiter(
        self,
        name: str,
        rate: int,
        *,
        per: TTL = 1.0,
        burst: int | None = None,
        max_keys: int = MOST_KEYS,
        on_unavailable: OnUnavailable = "local",
    ) -> RateLimiter:
        """Give a `RateLimiter` by that name, which all share who share the storage; in memory, it is this process's.

        `rate` tokens come back in the time `per`, and `burst` may be taken at once, None: as many as `rate`. Those with
        another `rate` or `per` have other buckets. `max_keys` callers are kept by this process. `on_unavailable` says
        what happens while the storage is away: ``"local"`` (each process by itself), ``"allow"`` all or ``"raise"``.
        Raises `UnsupportedError` where the storage is shared and has no rate limits, `InvalidTTLError` for `per` and
        `InvalidArgumentError` for the others.
        """
        full, core = self._names.key(name), self._core
        if core.storage.rates is None and core.storage.capabilities.shared:
            raise UnsupportedError(
                "this storage is shared with other processes, and counts for no rate limits among them"
            )

        async def take(key: str, rate: Rate, tokens: int, patience: int) -> RateDecision:
            if not core.ready:
                await self._open()
            assert core.storage.rates is not None  # noqa: S101  - asked below
            bucket = f"{len(full)}:{full}{rate.token}:{rate.refill}:{key}"
            return await core.storage.rates.take(bucket, rate, tokens, patience)

        shared = None if core.storage.rates is None else take
        return RateLimiter(
            rate,
            per=per,
            burst=burst,
            max_keys=max_keys,
            on_unavailable=on_unavailable,
            shared=shared,
            clock=core.clock,
        )

    def limited(self, limiter: RateLimiter, key: str = "", *, closes: bool = False) -> "Provider":
        """Give a view for one caller: each call takes a token of `limiter` for `key` first, or `RateLimitedError`.

        It shares everything else, its counters included. A call for many keys is one call; `close`, `ping` and `stats`
        take no token. With `closes`, the end of ``async with`` closes the provider.
        """
        view = object.__new__(Provider)
        view._core = self._core
        view._become(self._names, self._recorder, self)
        view._limit, view._closes = (limiter, key), closes

        async def take() -> None:
            try:
                await limiter.acquire(key)
            except RateLimitedError:
                self._recorder.refused_calls += 1
                self._core.hub.tell(EventKind.REFUSAL, self._names.prefix, RefusalCause.RATE_LIMITED)
                raise

        put_before(view, self, take)
        return view

    # --- checking input ----------------------------------------------------------------------------------------------

    def _life(self, ttl: object) -> float:
        return self._core.default_life if ttl is DEFAULT else life_of(ttl)

    def _checked(
        self, key: object, ttl: object, tags: object, cost: object
    ) -> tuple[str, float, tuple[str, ...], int | None]:
        """Give the stored key, the life, the stored tags and the cost, or raise for the first that is wrong."""
        return self._names.key(key), self._life(ttl), self._names.tags(tags), check_cost(cost)
