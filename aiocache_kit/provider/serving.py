"""Serving values by a freshness policy: what is given at once, what is loaded behind it, and what stands in for whom.

Rule 1: a caller is given an old value only where the policy says so, and never one that was deleted or invalidated.
Rule 2: what is loaded in the background is a load like any other: shared by whoever asks, superseded by a change, and
one at a time among all processes where the storage gives leases.
Rule 3: a source that failed is left alone for a while if there is an old value to give meanwhile.
Rule 4: several keys are loaded by one call. Its error is that of each of them: it is raised unless all those that had
to be waited for have an old value to fall back to.
"""

import math
from collections.abc import Collection, Coroutine, Mapping
from typing import Any, Final, NamedTuple, TypeVar, cast

from aiocache_kit.errors import InvalidArgumentError, ProviderClosedError, RecursiveLoadError
from aiocache_kit.event_kinds import EventKind
from aiocache_kit.item import Item
from aiocache_kit.management.freshness import Freshness, Verdict, judge
from aiocache_kit.management.single_flight import apart
from aiocache_kit.management.statistics import Recorder
from aiocache_kit.provider.asked import Asked, AskedMany
from aiocache_kit.provider.background import StillLoadingError
from aiocache_kit.provider.core import Core
from aiocache_kit.provider.loads import Loads
from aiocache_kit.sentinels import MISSING, MissingType

T = TypeVar("T")
_OURS: Final = (InvalidArgumentError, ProviderClosedError, RecursiveLoadError)
"""Errors that say nothing of the source."""


class _Sorted(NamedTuple):
    """The stored keys of one call, by what is to be done with them."""

    found: dict[str, object]
    """To be given at once."""
    anew: list[str]
    """Of these, those to load in the background because they will soon be old."""
    again: list[str]
    """Of these, those to load in the background because they are old."""
    fallbacks: dict[str, object]
    """To be loaded, or given where that fails."""
    gone: list[str]
    """To be loaded."""


class Serving:
    """What one provider, or one namespace of it, serves by a policy."""

    __slots__ = ("_core", "_loads", "_recorder")

    def __init__(self, core: Core, loads: Loads, recorder: Recorder) -> None:
        """Serve from `core`, loading by `loads`."""
        self._core = core
        self._loads = loads
        self._recorder = recorder

    async def one(self, asked: Asked, item: Item[object] | MissingType | None = MISSING) -> object:
        """Give the value that is asked for as its policy has it.

        `item` is what was read a moment ago, `MISSING` where nobody has.
        """
        if item is MISSING:
            found = await self._found(asked.stored, asked.freshness)
            if isinstance(found, tuple):
                self._hit(asked.stored)
                return found[0]
            item = found
        return await self._by_policy(asked, item)

    async def _found(self, key: str, policy: Freshness) -> tuple[object] | Item[object] | None:
        """Give a value that is young, in a tuple, where there is a quick way to one, or else the item."""
        core = self._core
        if core.tables is not None and not policy.early_beta:
            value = core.tables.young(key, policy.refresh_ahead)
            if value is not None:
                return value
        young: Any = None if policy.early_beta else getattr(core.shortcuts, "young", None)
        if young is not None:
            return cast("tuple[object] | Item[object] | None", await young(key, policy.refresh_ahead))
        return await core.read_whole(key)

    async def _by_policy(self, asked: Asked, item: Item[object] | None) -> object:
        core, key = self._core, asked.stored
        core.check_open()  # it may have been closed meanwhile, and nothing is to be begun then
        verdict = self._judge(asked.freshness, item)
        asked.replaces = item is not None
        if item is None or verdict is Verdict.GONE:
            self._missed([key])
            return await self._loads.one(asked)
        if verdict is Verdict.FALLBACK:
            return await self._or_fall_back(asked, item)
        self._hit(key, stale=verdict is Verdict.STALE)
        if verdict is not Verdict.FRESH and self._may_refresh(key):
            self._refreshes(key)
            is_live = verdict is Verdict.AGEING
            over = item.version if is_live else 0
            load = self._loads.one(asked, anew=is_live, over=over, waits=False)
            core.background.begin(load, apart(), (key,))
        return item.value

    def _judge(self, policy: Freshness, item: Item[object] | None) -> Verdict:
        load_time, draw = self._recorder.average_load_time, 1.0 - self._core.random.random()
        return judge(policy, item, self._core.clock.time(), load_time=load_time, draw=draw)

    def _may_refresh(self, key: str) -> bool:
        """Whether to load in the background: not what is under way, nor from a source that failed or has no room."""
        core = self._core
        return (
            core.flights.to_join(key) is None
            and key not in core.background.keys
            and not core.failures.is_quiet(key, core.clock.monotonic())
            and not core.background.is_full
            and (core.slots is None or core.slots.has_free)
        )

    async def _or_fall_back(self, asked: Asked, item: Item[object]) -> object:
        core, key = self._core, asked.stored
        if not core.failures.is_quiet(key, core.clock.monotonic()):
            load = self._loads.one(asked)
            # Who has ended it by hand has said that it is not true: that a load takes long makes it no truer.
            value = await self._tried(load, asked.freshness, [key], may_be_late=bool(item.ttl))
            if value is not None:
                return value[0]
        self._hit(key, stale=True)
        return item.value

    def _hit(self, key: str, *, stale: bool = False) -> None:
        """Count and tell of a value that is given."""
        self._recorder.hits += 1
        self._recorder.stale_hits += stale
        self._core.hub.tell(EventKind.STALE_HIT if stale else EventKind.HIT, key)

    def _missed(self, keys: Collection[str]) -> None:
        self._recorder.misses += len(keys)
        for key in keys:
            self._core.hub.tell(EventKind.MISS, key)

    def _refreshes(self, key: str) -> None:
        """Count and tell of a load in the background; one of several keys is known by the first of them."""
        self._recorder.refreshes += 1
        self._core.hub.tell(EventKind.REFRESH, key)

    async def _tried(
        self, load: Coroutine[Any, Any, T], policy: Freshness, keys: list[str], *, may_be_late: bool
    ) -> tuple[T] | None:
        """Give what a load of `keys` gives, or None where it fails, or takes too long; count the misses otherwise."""
        core, missed = self._core, keys
        try:
            if policy.stale_timeout == math.inf or not may_be_late:
                return (await load,)
            return (await core.background.or_later(policy.stale_timeout, load, lambda: core.flights.to_join(keys[0])),)
        except StillLoadingError:
            missed = []
            return None
        except _OURS:
            raise
        except Exception as error:
            if not policy.is_failure(error):
                raise
            missed = []
            return None
        finally:
            self._missed(missed)

    # --- several keys ------------------------------------------------------------------------------------------------

    async def many(self, asked: AskedMany) -> dict[str, object]:
        """Give the values that are asked for, by stored key, as their policy has it."""
        policy, items = asked.context.freshness, await self._core.read_whole_multi(asked.names)
        self._core.check_open()
        asked.context.replaces = bool(items)
        found, anew, again, fallbacks, gone = self._sort(asked.names, items, policy)
        for keys, is_live in ((anew, True), (again, False)):
            if keys and not self._core.background.is_full:
                self._refreshes(keys[0])
                load = self._loads.many(_part(asked, keys), anew=is_live, waits=False)
                self._core.background.begin(load, apart(), keys)
        if gone:
            self._missed([*gone, *fallbacks])
            found |= await self._loads.many(_part(asked, [*gone, *fallbacks]))
        elif fallbacks:
            load = self._loads.many(_part(asked, fallbacks))
            may_be_late = all(items[key].ttl for key in fallbacks)
            loaded = await self._tried(load, policy, list(fallbacks), may_be_late=may_be_late)
            if loaded is None:
                for key in fallbacks:
                    self._hit(key, stale=True)
            found |= fallbacks if loaded is None else loaded[0]
        return found

    def _sort(self, wanted: Mapping[str, str], items: Mapping[str, Item[object]], policy: Freshness) -> _Sorted:
        """Decide for each key, and count the hits."""
        core, now = self._core, self._core.clock.monotonic()
        into = _Sorted({}, [], [], {}, [])
        for key in wanted:
            item = items.get(key)
            verdict = self._judge(policy, item)
            if item is None or verdict is Verdict.GONE:
                into.gone.append(key)
                continue
            if verdict is Verdict.FALLBACK and not core.failures.is_quiet(key, now):
                into.fallbacks[key] = item.value
                continue
            into.found[key] = item.value
            self._hit(key, stale=item.is_stale)
            if verdict is Verdict.AGEING and self._may_refresh(key):
                into.anew.append(key)
            elif verdict is Verdict.STALE and self._may_refresh(key):
                into.again.append(key)
        return into


def _part(asked: AskedMany, keys: Collection[str]) -> AskedMany:
    return asked.part({key: asked.names[key] for key in keys})
