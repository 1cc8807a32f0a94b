"""Loading what is missing: from a caller's loader, through the single flight, into the storage.

Rule 1: the loaded value goes to those who wait for it even if it cannot be stored, or must not be: because the key was
changed meanwhile, one of its tags was invalidated, the loader said so, or the storage refused it (counted as an error).
Rule 2: between the loader's end and the look at whether the flight was superseded there is no await, and none between
that look and the store in a table of this process. Any other storage is written to under `SingleFlight.storing`.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, cast

from aiocache_kit.clock import stopwatch
from aiocache_kit.errors import CacheError, InvalidArgumentError
from aiocache_kit.management.single_flight import Flight, Work
from aiocache_kit.management.statistics import Recorder
from aiocache_kit.provider.core import Core
from aiocache_kit.provider.loading import LoadContext, call
from aiocache_kit.provider.names import Names
from aiocache_kit.sentinels import MISSING

_log: Final = logging.getLogger("aiocache_kit")


class Loads:
    """The loads that one provider, or one namespace of it, asks for."""

    __slots__ = ("_core", "_names", "_recorder")

    def __init__(self, core: Core, names: Names, recorder: Recorder) -> None:
        """Load into `core`, for the namespace of `names`."""
        self._core = core
        self._names = names
        self._recorder = recorder

    async def one(self, key: str, loader: Callable[..., object], context: LoadContext, *, told: bool) -> object:
        """Load the value of a stored key, or join whoever is loading it; `told`: the loader takes the context."""
        names, tags = self._names, context.tags
        stored_tags = names.tags(tags)

        async def work(flight: Flight) -> dict[str, object]:
            value = await self._timed(call(loader, context) if told else call(loader))
            if value is MISSING:
                msg = "a loader must give a value, and MISSING is none: raise an error, or give None"
                raise InvalidArgumentError(msg)
            found = {key: value}
            if context.tags is not tags:
                flight.tags = names.tags(context.tags)
            if context.cacheable:
                await self._store(flight, found, context.life, flight.tags, context.cost)
            return found

        while True:
            value, joined = await self._core.flights.load(key, work, stored_tags)
            self._recorder.coalesced += joined
            if value is not MISSING:
                return value

    async def many(
        self,
        missing: Mapping[str, str],
        load_missing: Callable[[list[str]], object],
        life: float,
        tags: tuple[str, ...],
        cost: int | None,
    ) -> dict[str, object]:
        """Load the values of stored keys by one call, apart from those that others are loading.

        `missing` gives for each stored key what the loader knows it by. The answer is by stored key; one that the
        loader does not find is left out.
        """
        found: dict[str, object] = {}
        left = dict(missing)
        while left:
            flights, joined = self._join(left)
            mine = {key: name for key, name in left.items() if key not in joined}
            if mine:
                work = self._work(mine, load_missing, life, tags, cost)
                # Before the others: if one of those cannot be joined, this one is left, and ends.
                flights.insert(0, self._core.flights.start(tuple(mine), work, tags))
            self._recorder.coalesced += len(joined)
            for outcome in await self._core.flights.wait_for(flights):
                found |= {key: value for key, value in outcome.items() if key in left}
            left = {key: left[key] for key in joined if key not in found}
        return found

    def _join(self, left: Mapping[str, str]) -> tuple[list[Flight], set[str]]:
        """Find the flights under way for some of the keys, and which keys those are."""
        flights: dict[Flight, None] = {}
        joined: set[str] = set()
        for key in left:
            flight = self._core.flights.to_join(key)
            if flight is not None:
                flights[flight] = None
                joined.add(key)
        return list(flights), joined

    def _work(
        self,
        mine: Mapping[str, str],
        load_missing: Callable[[list[str]], object],
        life: float,
        tags: tuple[str, ...],
        cost: int | None,
    ) -> Work:
        async def work(flight: Flight) -> dict[str, object]:
            loaded = await self._timed(call(load_missing, list(mine.values())))
            if not isinstance(loaded, Mapping):
                msg = f"load_missing must give a mapping of keys to values, not {type(loaded).__name__}"
                raise InvalidArgumentError(msg)
            values = cast("Mapping[str, object]", loaded)
            found = {key: values[name] for key, name in mine.items() if values.get(name, MISSING) is not MISSING}
            await self._store(flight, found, life, tags, cost)
            return found

        return work

    async def _timed(self, loading: Awaitable[object]) -> object:
        recorder = self._recorder
        recorder.loads += 1
        start = stopwatch()
        try:
            return await loading
        except Exception:
            recorder.load_failures += 1
            raise
        finally:
            recorder.load_time += stopwatch() - start

    async def _store(
        self, flight: Flight, found: dict[str, object], life: float, tags: tuple[str, ...], cost: int | None
    ) -> None:
        core = self._core
        if core.closed or not flight.invalidated.isdisjoint(tags):
            return
        keys = [key for key in found if core.flights.may_store(flight, key)]
        try:
            if core.tables is not None and core.tables.may_put(keys):
                for key in keys:
                    core.tables.put(key, found[key], life, tags=tags, cost=cost)
            elif keys:
                items = [core.item(key, found[key], life, tags, cost) for key in keys]
                async with core.flights.storing(keys):
                    if len(items) == 1:
                        await core.storage.write(items[0])
                    else:
                        await core.storage.write_multi(items)
        except CacheError as error:
            self._recorder.errors += 1
            _log.warning("a loaded value was not stored: %s", error)
