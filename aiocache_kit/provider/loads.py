"""Loading what is missing: from a caller's loader, through the single flight, into the storage.

Rule 1: the loaded value goes to those who wait for it even if it cannot be stored, or must not be: because the key was
changed meanwhile, one of its tags was invalidated, the loader said so, or the storage refused it (counted as an error).
Rule 2: where the storage gives leases, a load is under one, so that no other process loads the same key, and nothing is
stored over what another process has changed meanwhile.
Rule 3: between the look at whether the flight was superseded and the store in a table of this process there is no
await: who has to wait for the table looks afterwards. Any other storage is written to under `SingleFlight.storing`.
Rule 4: where loads under way are bounded, one that another load waits for is not: or both would wait for ever. Who
waits for room has no lease yet, and keeps no other process from loading.
"""

import asyncio
import math
from collections.abc import Collection, Coroutine, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, cast

from aiocache_kit.clock import stopwatch
from aiocache_kit.errors import CacheError, InvalidArgumentError
from aiocache_kit.event_kinds import EventKind, RefusalCause
from aiocache_kit.item import Item, Validators
from aiocache_kit.management.single_flight import Flight, Work
from aiocache_kit.management.statistics import Recorder
from aiocache_kit.provider.asked import Asked, AskedMany
from aiocache_kit.provider.calling import call
from aiocache_kit.provider.core import Core
from aiocache_kit.provider.leasing import Leasing
from aiocache_kit.provider.loading import FullContext
from aiocache_kit.provider.names import Names
from aiocache_kit.sentinels import MISSING
from aiocache_kit.serializers.promised import promised
from aiocache_kit.storage.base import ELSEWHERE, if_lease

_NONE: Final[frozenset[str]] = frozenset()


class Loads:
    """The loads that one provider, or one namespace of it, asks for."""

    __slots__ = ("_core", "_names", "_recorder")

    def __init__(self, core: Core, names: Names, recorder: Recorder) -> None:
        """Load into `core`, for the namespace of `names`."""
        self._core = core
        self._names = names
        self._recorder = recorder

    async def one(self, asked: Asked, *, anew: bool = False, over: int = 0, waits: bool = True) -> object:
        """Load the value that is asked for, or join whoever is loading it.

        `anew`: what another process has stored meanwhile is no substitute, unless the caller has found the version
        `over` to be too old, and it is not that one. `waits`: False gives `MISSING` where another process is loading.
        Raises the error of a load that failed; of one that failed before, too, where its policy has it remembered.
        """
        core, key, stored_tags = self._core, asked.stored, self._names.tags(asked.tags)
        if not anew:
            self._raise_again((key,))

        async def work(flight: Flight) -> dict[str, object]:
            if core.leasing is None:
                return await self._load(flight, asked, {})
            grant = await core.leasing.one(key, stored_tags, anew=anew, waits=waits)
            if grant is ELSEWHERE:
                return {}
            if grant.item is not None:
                self._recorder.coalesced += 1
                return {key: grant.item.value}
            leases = {key: grant.lease}
            async with core.leasing.kept(leases):
                newer = await core.read_latest(key) if over else None
                if newer is not None and newer.version != over and not newer.is_stale:
                    self._recorder.coalesced += 1
                    return {key: newer.value}
                return await self._load(flight, asked, leases)

        while True:
            value, joined = await core.flights.load(key, self._bounded(work), stored_tags)
            self._recorder.coalesced += joined
            if value is not MISSING or not waits:
                return self._own({key: value})[key] if joined and value is not MISSING else value

    async def _load(self, flight: Flight, asked: Asked, leases: dict[str, str]) -> dict[str, object]:
        """Load one value and store it, as far as it may be."""
        key, tags = asked.stored, asked.tags
        if asked.told and asked.replaces:  # only now: what was changed before the load began is not told any more
            asked.tell_of(await self._core.read_latest(key))
        calling = call(asked.loader, asked) if asked.told else call(asked.loader)
        value = await self._called(flight, (key,), calling, asked, flight.tags)
        if value is MISSING:
            msg = "a loader must give a value, and MISSING is none: raise an error, or give None"
            raise InvalidArgumentError(msg)
        found = {key: value}
        if asked.tags is not tags:
            flight.tags = self._names.tags(asked.tags)
        if asked.cacheable:
            await self._store(flight, found, asked, flight.tags, leases, validators=asked.validators_of(value))
        return found

    async def many(self, asked: AskedMany, *, anew: bool = False, waits: bool = True) -> dict[str, object]:
        """Load the values that are asked for by one call, apart from those that others are loading.

        The answer is by stored key; one that the loader does not find is left out, and with `waits` False one that
        another process is loading. Otherwise as `one`.
        """
        if not anew:
            self._raise_again(asked.names)
        found: dict[str, object] = {}
        left = dict(asked.names)
        while left:
            joined = self._join(left)
            others = set[str]().union(*joined.values())
            untrue = {flight: flight.invalidated for flight in joined}
            flights = joined
            mine = asked.part({key: name for key, name in left.items() if key not in others})
            if mine.names:
                work = self._work(mine, anew=anew, waits=waits)
                # Before the others: if one of those cannot be joined, this one is left, and ends.
                flights = {self._core.flights.start(tuple(mine.names), work, asked.tags): set(mine.names), **joined}
            self._recorder.coalesced += len(others)
            outcomes = await self._core.flights.wait_for(list(flights))
            for (flight, wanted), outcome in zip(flights.items(), outcomes, strict=True):
                if untrue.get(flight, _NONE).isdisjoint(flight.tags):  # or it had such a tag before it was joined
                    # What else it found may have been changed since: it is not joined for that.
                    got = {key: value for key, value in outcome.items() if key in wanted}
                    found |= got if flight not in joined else self._own(got)
            left = {key: left[key] for key in others if key not in found} if waits else {}
        return found

    def _join(self, left: Mapping[str, str]) -> dict[Flight, set[str]]:
        """Find the flights under way for some of the keys, and for which of them each is."""
        joined: dict[Flight, set[str]] = {}
        for key in left:
            flight = self._core.flights.to_join(key)
            if flight is not None:
                joined.setdefault(flight, set()).add(key)
        return joined

    def _own(self, found: dict[str, object]) -> dict[str, object]:
        """Give what another call has loaded: in copies, where values are to be one's own and can be copied."""
        tables = self._core.tables
        if tables is None or tables.own is None:
            return found
        with suppress(CacheError):
            return {key: tables.own(value) for key, value in found.items()}
        return found

    def _work(self, asked: AskedMany, *, anew: bool, waits: bool) -> Work:
        leasing, context, tags = self._core.leasing, asked.context, asked.tags

        async def work(flight: Flight) -> dict[str, object]:
            return await load(flight, asked.names, {}) if leasing is None else await under_leases(flight, leasing)

        async def under_leases(flight: Flight, leasing: Leasing) -> dict[str, object]:
            found: dict[str, object] = {}
            left, pause = dict(asked.names), 0.0
            while left:
                grants = await leasing.some(left, tags, anew=anew)
                found |= {key: grant.item.value for key, grant in grants.items() if grant.item is not None}
                self._recorder.coalesced += sum(grant.item is not None for grant in grants.values())
                # In the order that was asked for, whatever the one is that nodes have answered in.
                leases = {key: grants[key].lease for key in left if key in grants and grants[key].item is None}
                if leases:
                    async with leasing.kept(leases):
                        found |= await load(flight, {key: left[key] for key in leases}, leases)
                left = {key: name for key, name in left.items() if key not in grants} if waits else {}
                if left:
                    pause = await (leasing.pause(pause) if pause else leasing.pause())
            return found

        async def load(flight: Flight, names: Mapping[str, str], leases: dict[str, str]) -> dict[str, object]:
            loaded = await self._called(flight, names, call(asked.loader, list(names.values())), context, tags)
            if not isinstance(loaded, Mapping):
                msg = f"load_missing must give a mapping of keys to values, not {type(loaded).__name__}"
                raise InvalidArgumentError(msg)
            values = cast("Mapping[str, object]", loaded)
            found = {key: values[name] for key, name in names.items() if values.get(name, MISSING) is not MISSING}
            await self._store(flight, found, context, tags, leases)
            return found

        return self._bounded(work)

    def _bounded(self, work: Work) -> Work:
        """Give work that waits until there is room for it, where loads are bounded."""
        slots = self._core.slots
        if slots is None:
            return work

        async def bounded(flight: Flight) -> dict[str, object]:
            if slots.is_full and not flight.urgent:
                self._recorder.shed_loads += 1
                self._core.hub.tell(EventKind.REFUSAL, flight.keys[0], RefusalCause.OVERLOADED)
            flight.on_urgent = partial(slots.let_in, flight)
            async with slots.held(flight, at_once=flight.urgent):
                return await work(flight)

        return bounded

    def _raise_again(self, keys: Iterable[str]) -> None:
        """Raise the error that is remembered of one of the keys."""
        failures = self._core.failures
        if failures.by_key:
            now = self._core.clock.monotonic()
            for key in keys:
                error = failures.remembered(key, now)
                if error is not None:
                    raise error

    async def _called(
        self,
        flight: Flight,
        keys: Collection[str],
        calling: Coroutine[Any, Any, object],
        context: FullContext,
        tags: tuple[str, ...],
    ) -> object:
        """Give what a loader gives for stored `keys`, or remember that it failed, as the policy has it."""
        core, policy = self._core, context.freshness
        try:
            value = await self._timed(keys, calling, policy.timeout)
        except Exception as error:
            if policy.is_failure(error) and flight.invalidated.isdisjoint(tags):
                now, throttle = core.clock.monotonic(), policy.throttle if policy.keeps_old else 0.0
                for key in keys:
                    if core.flights.may_store(flight, key):
                        core.failures.note(
                            key, error, now, negative_ttl=policy.negative_ttl, throttle=throttle, tags=tags
                        )
            raise
        core.failures.forget_many(keys)
        return value

    async def _timed(self, keys: Collection[str], loading: Coroutine[Any, Any, object], timeout: float) -> object:
        core, recorder, first, error = self._core, self._recorder, next(iter(keys)), ""
        recorder.loads += 1
        start = stopwatch()
        try:
            with core.hub.around_load(first, len(keys)):
                return await (loading if timeout == math.inf else core.background.within(timeout, loading))
        except BaseException as failure:
            error = type(failure).__name__
            recorder.load_failures += isinstance(failure, Exception)
            raise
        finally:
            seconds = stopwatch() - start
            recorder.note_load(seconds)
            core.hub.tell(EventKind.LOAD, first, seconds, len(keys), error)

    async def _store(
        self,
        flight: Flight,
        found: dict[str, object],
        context: FullContext,
        tags: tuple[str, ...],
        leases: dict[str, str],
        *,
        validators: Validators | None = None,
    ) -> None:
        """Store what was found, as far as it may be; leases that were used are taken out of `leases`."""
        core, policy, cost = self._core, context.freshness, context.cost
        if core.tables is not None and not core.tables.may_put(found):
            await core.tables.turns(found)
        if not policy.cache_none and context.replaces:
            nothing = [key for key in self._storable(flight, found, tags) if found[key] is None]
            if nothing:
                await self._remove(nothing, leases)
        keys = [key for key in self._storable(flight, found, tags) if policy.cache_none or found[key] is not None]
        lives = (
            [policy.spread(context.life, core.random.random()) for _ in keys]
            if policy.jitter
            else [context.life] * len(keys)
        )
        stale = policy.stale_for
        try:
            if core.tables is not None:
                for key, life in zip(keys, lives, strict=True):
                    try:
                        core.tables.put(
                            key, found[key], life, tags=tags, cost=cost, stale_for=stale, validators=validators
                        )
                    except CacheError as error:
                        self._refused(error)
            elif keys:
                items = [
                    core.item(key, found[key], life, tags, cost, stale_for=stale, validators=validators)
                    for key, life in zip(keys, lives, strict=True)
                ]
                with promised(context.type, (item.value for item in items)):
                    async with core.flights.storing(keys):
                        await self._write(items, leases)
        except CacheError as error:
            self._refused(error)

    def _storable(self, flight: Flight, found: Iterable[str], tags: tuple[str, ...]) -> list[str]:
        """Give the keys of `found` that may be stored; to be asked again after each await."""
        core = self._core
        if core.ended or not flight.invalidated.isdisjoint(tags):
            return []
        return [key for key in found if core.flights.may_store(flight, key)]

    def _refused(self, error: CacheError) -> None:
        self._recorder.errors += 1
        self._core.log.failed("store", "a loaded value was not stored: %s", error=error)

    async def _remove(self, keys: list[str], leases: dict[str, str]) -> None:
        """Take away what was there before its source had nothing for it any more."""
        core = self._core
        try:
            if core.tables is not None:
                for key in keys:
                    core.tables.table_of(key).drop(key, core.clock.monotonic())
            else:
                async with core.flights.storing(keys):
                    if leases:  # what is dead as soon as it is written: under a lease, others' newer values stay
                        await self._write([core.item(key, None, 0.0) for key in keys], leases)
                    else:
                        await core.storage.remove_multi(keys)
        except CacheError as error:
            self._recorder.errors += 1
            core.log.failed("remove", "what is no longer there was not removed: %s", error=error)

    async def _write(self, items: list[Item[object]], leases: dict[str, str]) -> None:
        storage = self._core.storage

        async def write(item: Item[object]) -> None:
            await storage.write(item, if_lease(leases[item.key]))
            del leases[item.key]  # where that was not done, the lease is given back, so that others may load

        if leases and len(items) == 1:
            await write(items[0])
        elif leases:
            outcomes = await asyncio.gather(*map(write, items), return_exceptions=True)
            for error in outcomes:
                if error is not None:
                    raise error
        elif len(items) == 1:
            await storage.write(items[0])
        else:
            await storage.write_multi(items)
