"""Listens to what providers tell of their keys, while somebody watches: which groups are hot, and which are slow.

Rule 1: a task a provider, begun by a look at it. It ends with the provider, and otherwise at the first event after
nobody has looked for a while: until then there is nothing to listen to, and so nothing is paid.
Rule 2: keys are not asked for. A group's name is never a key.
Rule 3: loads, which are rare and slow beside what it costs to hear of them, are all told. Reads are only where somebody
asked for that, because hits in memory are slower while anybody listens to reads; then a sample of them is.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import Final, Protocol, runtime_checkable

from aiocache_kit.clock import Clock
from aiocache_kit.errors import CacheError
from aiocache_kit.events import READS, Event, EventKind
from aiocache_kit.management.key_groups import GroupFigures, KeyGroups

_SHOWN: Final = 10
_BATCH: Final = 100
_LOADS: Final = frozenset({EventKind.LOAD})
_log: Final = logging.getLogger("aiocache_kit")


@runtime_checkable
class Telling(Protocol):
    """What tells of its keys, as a `Provider` does."""

    def events(
        self, *, kinds: Collection[EventKind | str] | None = None, sample: int = 1
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Give the events from now on, until it is closed."""
        ...


class _Ear:
    """What was heard of one provider."""

    def __init__(self, provider: Telling, clock: Clock) -> None:
        self.provider = provider
        self.since = clock.time()
        self.looked = clock.monotonic()
        self.groups = KeyGroups()
        self.task: asyncio.Task[None] | None = None


class Listening:
    """The groups of keys of several providers, by the names of these."""

    __slots__ = ("_clock", "_ears", "_kinds", "_patience", "_sample")

    def __init__(self, sample: int | None, patience: float, clock: Clock) -> None:
        """Count loads, and one in `sample` reads for as many, None for no reads.

        Stop when nobody has looked for `patience` seconds.
        """
        self._kinds = _LOADS if sample is None else _LOADS | READS
        self._sample = sample or 1
        self._patience = patience
        self._clock = clock
        self._ears: dict[str, _Ear] = {}

    def look(self, providers: "dict[str, Telling]") -> None:
        """Listen to these providers, and to no others; nothing happens to those that are listened to already."""
        for name in list(self._ears):
            if self._ears[name].provider is not providers.get(name):
                self._stop(name)
        for name, provider in providers.items():
            ear = self._ears.get(name)
            if ear is None or ear.task is None or ear.task.done():
                ear = self._ears[name] = _Ear(provider, self._clock)
                ear.task = asyncio.get_running_loop().create_task(self._listen(ear), name="aiocache_kit dashboard")
            ear.looked = self._clock.monotonic()

    def _stop(self, name: str) -> None:
        ear = self._ears.pop(name)
        if ear.task is not None and not ear.task.done():
            ear.task.cancel()

    async def _listen(self, ear: _Ear) -> None:
        try:
            async with ear.provider.events(kinds=self._kinds, sample=self._sample) as stream:
                heard = 0
                async for event in stream:
                    if self._clock.monotonic() - ear.looked > self._patience:
                        return
                    ear.groups.note(event)
                    heard += 1
                    if heard % _BATCH == 0:
                        await asyncio.sleep(0)  # a stream in which something waits gives it at once
        except CacheError as error:
            _log.debug("a provider does not tell of its keys: %s", error)

    def shown(self, name: str) -> dict[str, object] | None:
        """Give the hottest and the slowest groups of a provider; None where it tells of none."""
        ear = self._ears.get(name)
        if ear is None:
            return None
        slow = [each for each in ear.groups.top(_SHOWN, by="load_seconds") if each.loads]
        hot = [each for each in ear.groups.top(_SHOWN) if each.reads]
        return {"since": ear.since, "hot": list(map(_plain, hot)), "slow": list(map(_plain, slow))}

    async def close(self) -> None:
        """Stop listening, and wait until nobody does."""
        tasks = [ear.task for ear in self._ears.values() if ear.task is not None]
        for name in list(self._ears):
            self._stop(name)
        if tasks:
            await asyncio.wait(tasks)


def _plain(figures: GroupFigures) -> dict[str, object]:
    return {
        **asdict(figures),
        "reads": figures.reads,
        "hit_rate": figures.hit_rate,
        "average_load_time": figures.average_load_time,
    }
