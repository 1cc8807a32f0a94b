"""Hits in the nearest layer of a hierarchy, where that is a table of this process: as quick as hits in memory alone.

What is live in the nearest layer is a hit, whatever lies below; the layers see to that. So a hit is answered as in
`hot_path`, and everything else is left to the methods of `Provider`: a miss above is none yet.

Rule: what was copied from below may be parts of an object, which are no value (`aiocache_kit.serializers.parts`).
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from aiocache_kit.management.statistics import Recorder
from aiocache_kit.provider.hot_path import Lookup, Setting, Tellers, any_lookup, are_few, plain_lookup, retire, telling
from aiocache_kit.provider.loading import OF_GET_OR_SET
from aiocache_kit.sentinels import DEFAULT, MISSING
from aiocache_kit.serializers.parts import Parts, whole
from aiocache_kit.serializers.typed import convert
from aiocache_kit.storage.table import Table

_PLAIN: Final = OF_GET_OR_SET - {"early_beta", "refresh_ahead"}
"""Options that do not ask how old a value is: a copy was made later than what it is a copy of."""


class NearPath:
    """The closures of one provider, or of one namespace."""

    replaced: Final = ("get", "get_multi", "get_or_set", "lookup")
    """The methods of a provider that they stand in for."""
    __slots__ = (*replaced, "_found")

    def __init__(self, setting: Setting, tellers: Tellers | None = None) -> None:
        """Make them; the storage of `setting` is the nearest layer.

        `tellers` as in `HotPath`; what `get` does not find here is told by what answers then.
        """
        recorder, monotonic = setting.recorder, setting.storage.clock.monotonic
        if setting.is_plain and tellers is None:
            table = setting.storage.tables[0]
            found = plain_lookup(table, recorder, monotonic)
            self.get = _plain_get(table, recorder, monotonic, setting.get)
            self.get_or_set = _plain_get_or_set(table, recorder, monotonic, setting.get_or_load)
            self.get_multi = _plain_get_multi(table, recorder, monotonic, setting.get_multi)
        else:
            found = any_lookup(setting)
            # Whoever keeps `get` keeps the namespace, whose counts would be lost otherwise.
            vars(found)["setting"] = setting
            told = found if tellers is None else telling(found, tellers)
            self.get = _get(told, setting.get)
            self.get_or_set = _get_or_set(told, setting.get_or_load)
            self.get_multi = _get_multi(_lookup(found, recorder), recorder, setting)
        lookup = _lookup(found, recorder)
        self.lookup = lookup if tellers is None else telling(lookup, tellers)
        self._found = found

    def retire(self) -> None:
        """Let plain closures that somebody may have saved hand on what they are asked."""
        retire((self.get, self.get_multi, self.get_or_set, self._found))


def _plain_get(
    table: Table, recorder: Recorder, monotonic: Callable[[], float], slowly: Callable[..., Awaitable[Any]]
) -> Callable[..., Awaitable[Any]]:
    async def get(key: str, default: Any = None, type: Any = None) -> Any:  # noqa: ANN401  - see Provider.get
        try:
            slot = table.index.get(key)
        except Exception:  # noqa: BLE001  - whatever is wrong with the key, or closed, is said there
            return await slowly(key, default, type=type)
        if slot is not None:
            now = monotonic()
            if now < table.fresh[slot] or table.is_live(slot, now):
                hits = table.hits
                if hits[slot] < table.ceiling:
                    hits[slot] += 1
                recorder.hits += 1
                value = table.values[slot]
                if type is None:
                    return value if value.__class__ is not Parts else whole(value)
                return convert(value, type)
        return await slowly(key, default, type=type)

    return get


def _plain_get_or_set(
    table: Table, recorder: Recorder, monotonic: Callable[[], float], slowly: Callable[..., Awaitable[Any]]
) -> Callable[..., Awaitable[Any]]:
    async def get_or_set(key: str, loader: Any, ttl: Any = DEFAULT, **options: Any) -> Any:  # noqa: ANN401  - see Provider
        if options and not _PLAIN.issuperset(options):
            return await slowly(key, loader, ttl, **options)
        try:
            slot = table.index.get(key)
        except Exception:  # noqa: BLE001  - as above
            return await slowly(key, loader, ttl, **options)
        if slot is not None:
            now = monotonic()
            if now < table.fresh[slot] or table.is_live(slot, now):
                hits = table.hits
                if hits[slot] < table.ceiling:
                    hits[slot] += 1
                recorder.hits += 1
                value = table.values[slot]
                if options and options.get("type") is not None:
                    return convert(value, options["type"])
                return value if value.__class__ is not Parts else whole(value)
        return await slowly(key, loader, ttl, **options)

    return get_or_set


def _plain_get_multi(
    table: Table, recorder: Recorder, monotonic: Callable[[], float], slowly: Callable[..., Awaitable[dict[str, Any]]]
) -> Callable[..., Awaitable[dict[str, Any]]]:
    async def get_multi(keys: Iterable[str], *, type: Any = None) -> dict[str, Any]:  # noqa: ANN401  - see Provider
        if type is not None or table.closed or not are_few(keys):
            return await slowly(keys, type=type)
        now, index, fresh, values = monotonic(), table.index, table.fresh, table.values
        hits, ceiling = table.hits, table.ceiling
        found: dict[str, Any] = {}
        for key in keys:
            try:
                slot = index.get(key)
            except TypeError:
                return await slowly(keys)
            if slot is None or not (now < fresh[slot] or table.is_live(slot, now)) or values[slot].__class__ is Parts:
                return await _the_rest(found, keys, recorder, slowly)
            if hits[slot] < ceiling:
                hits[slot] += 1
            found[key] = values[slot]
        recorder.hits += len(found)
        return found

    return get_multi


async def _the_rest(
    found: dict[str, Any],
    keys: Iterable[str],
    recorder: Recorder,
    slowly: Callable[..., Awaitable[dict[str, Any]]],
) -> dict[str, Any]:
    """Read what was not found before the first key that is missing above; a layered storage looks above again."""
    rest = [key for key in keys if key.__class__ is not str or key not in found]
    below = await slowly(rest)
    recorder.hits += len(found)
    return found | below


def _get(lookup: Lookup, slowly: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def get(key: str, default: Any = None, *, type: Any = None) -> Any:  # noqa: ANN401  - see Provider.get
        value = lookup(key)
        if value is MISSING:
            return await slowly(key, default, type=type)
        return whole(value) if type is None else convert(value, type)

    return get


def _get_or_set(lookup: Lookup, slowly: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def get_or_set(key: str, loader: Any, ttl: Any = DEFAULT, **options: Any) -> Any:  # noqa: ANN401  - see Provider
        value = lookup(key) if not options or _PLAIN.issuperset(options) else MISSING
        if value is MISSING:
            return await slowly(key, loader, ttl, **options)
        return convert(value, options["type"]) if options and options.get("type") is not None else whole(value)

    return get_or_set


def _lookup(found: Lookup, recorder: Recorder) -> Lookup:
    def lookup(key: str, refresh_ahead: float | None = None) -> object:
        if refresh_ahead is not None:
            return MISSING
        value = found(key)
        if value.__class__ is Parts:
            recorder.hits -= 1
            return MISSING
        return value

    return lookup


def _get_multi(lookup: Lookup, recorder: Recorder, setting: Setting) -> Callable[..., Awaitable[dict[str, Any]]]:
    slowly, check_open = setting.get_multi, setting.check_open

    async def get_multi(keys: Iterable[str], *, type: Any = None) -> dict[str, Any]:  # noqa: ANN401  - see Provider
        if type is not None or not are_few(keys):
            return await slowly(keys, type=type)
        check_open()
        found: dict[str, Any] = {}
        missed: dict[str, None] = {}
        before = recorder.hits
        for key in keys:
            value = lookup(key)
            if value is MISSING:
                missed[key] = None
            else:
                found[key] = value
        recorder.hits = before + len(found)  # a key that comes twice is one
        if not missed:
            return found
        below = await slowly(list(missed))
        return {key: found[key] if key in found else below[key] for key in keys if key in found or key in below}

    return get_multi
