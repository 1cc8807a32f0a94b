"""The commonest calls on a storage that has shortcuts, as closures in the place of the methods.

A remote read is a few microseconds of this process, so that each frame and each look-up of an attribute on the way is
felt; what a call means is said by the methods of `Provider`, to which everything out of the ordinary is left, and one
read of 64, to be timed.

Rule: a closure answers just as the method would have.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from aiocache_kit.keys import MARK
from aiocache_kit.management.expiration import life_of, ttl_of
from aiocache_kit.management.freshness import OF_FRESHNESS
from aiocache_kit.management.statistics import Recorder
from aiocache_kit.provider.core import Core
from aiocache_kit.provider.loading import OF_GET_OR_SET
from aiocache_kit.provider.names import Names
from aiocache_kit.sentinels import DEFAULT, MISSING
from aiocache_kit.serializers.parts import Parts, whole
from aiocache_kit.serializers.typed import convert
from aiocache_kit.storage.base import Shortcuts

_TIMED: Final = 63
_PLAIN: Final = OF_GET_OR_SET - OF_FRESHNESS
"""Options that have no say in whether what is live is given."""
_NOT_BY_CHANCE: Final = OF_GET_OR_SET - {"early_beta"}
"""Those with which what is young is given for certain."""
_PLAIN_TTL: Final = 2**31
"""Seconds below which an int needs no further look to be a ttl."""


class Methods(NamedTuple):
    """What the closures leave to the provider."""

    get: Callable[..., Awaitable[Any]]
    get_or_set: Callable[..., Awaitable[Any]]
    load: Callable[..., Awaitable[Any]]
    """`get_or_set` after a miss."""
    serve: Callable[..., Awaitable[Any]]
    """`get_or_set` by a policy, of an item that was read."""
    set: Callable[..., Awaitable[None]]


class ShortPath:
    """The closures of one provider, or of one namespace."""

    __slots__ = ("get", "get_or_set", "set")

    def __init__(self, core: Core, shortcuts: Shortcuts, names: Names, recorder: Recorder, methods: Methods) -> None:
        """Make them."""
        self.get = _get(core, shortcuts, names, recorder, methods)
        self.get_or_set = _get_or_set(core, shortcuts, names, recorder, methods)
        self.set = _set(core, shortcuts, names, recorder, methods)

    replaced: Final = __slots__

    def retire(self) -> None:
        """Do nothing: these closures mind the marks of namespaces."""


def _get(
    core: Core, shortcuts: Shortcuts, names: Names, recorder: Recorder, methods: Methods
) -> Callable[..., Awaitable[Any]]:
    read, prefix, stored, slowly = shortcuts.value, names.prefix, names.key, methods.get

    async def get(key: str, default: object = None, *, type: Any = None) -> object:  # noqa: ANN401  - see Provider
        if core.closed or not recorder.hits & _TIMED:
            return await slowly(key, default, type=type)
        value = await read(prefix + key if key.__class__ is str and key and key[0] != MARK else stored(key))
        if value is MISSING:
            recorder.misses += 1
            return default
        recorder.hits += 1
        if type is None:
            return value if value.__class__ is not Parts else whole(value)
        return convert(value, type)

    return get


def _get_or_set(
    core: Core, shortcuts: Shortcuts, names: Names, recorder: Recorder, methods: Methods
) -> Callable[..., Awaitable[Any]]:
    read, prefix, stored, slowly, load, serve = (
        shortcuts.value,
        names.prefix,
        names.key,
        methods.get_or_set,
        methods.load,
        methods.serve,
    )
    young: Any = getattr(shortcuts, "young", None)

    async def get_or_set(key: str, loader: Any, ttl: Any = DEFAULT, **options: Any) -> Any:  # noqa: ANN401  - see Provider
        if core.closed or not recorder.hits & _TIMED:
            return await slowly(key, loader, ttl, **options)
        if options and not _PLAIN.issuperset(options):
            if young is None or not _NOT_BY_CHANCE.issuperset(options):
                return await slowly(key, loader, ttl, **options)
            full = prefix + key if key.__class__ is str and key and key[0] != MARK else stored(key)
            found = await young(full, options.get("refresh_ahead", core.freshness.refresh_ahead))
            if found.__class__ is not tuple:
                return await serve(key, loader, ttl, options, found)
            value = found[0]
        else:
            value = await read(prefix + key if key.__class__ is str and key and key[0] != MARK else stored(key))
            if value is MISSING:
                return await load(key, loader, ttl, options)
        recorder.hits += 1
        kind = options.get("type") if options else None
        return whole(value) if kind is None else convert(value, kind)

    return get_or_set


def _set(
    core: Core, shortcuts: Shortcuts, names: Names, recorder: Recorder, methods: Methods
) -> Callable[..., Awaitable[None]]:
    put, prefix, stored, slowly = shortcuts.put, names.prefix, names.key, methods.set
    flights, failures, default_life = core.flights, core.failures.by_key, core.default_life
    begin_change, end_change = flights.begin_change, flights.end_change

    async def set(  # noqa: A001  - the name it is called by
        key: str,
        value: object,
        ttl: Any = DEFAULT,  # noqa: ANN401  - whatever it is, it is checked
        *,
        tags: Any = (),  # noqa: ANN401  - as above
        cost: Any = None,  # noqa: ANN401  - as above
    ) -> None:
        if core.closed or tags != () or cost is not None or value is MISSING or failures or flights.is_storing():
            return await slowly(key, value, ttl, tags=tags, cost=cost)
        if ttl.__class__ is int and 0 < ttl < _PLAIN_TTL:
            lives: float | None = float(ttl)
        else:
            lives = ttl_of(default_life if ttl is DEFAULT else life_of(ttl))
        full = prefix + key if key.__class__ is str and key and key[0] != MARK else stored(key)
        begin_change(full)
        try:
            done = await put(full, value, lives)
        finally:
            end_change(full)
        if not done:
            return await slowly(key, value, ttl, tags=(), cost=None)
        recorder.sets += 1
        return None

    return set
