"""Takes readings of the providers, for all viewers together.

Rule 1: a reading is taken when a viewer asks and the one before is an interval old; whoever asks meanwhile waits for it
and gets the same. So the providers are asked once an interval, however many watch, and never while nobody does.
Rule 2: readings need no task. The viewer who found that one was due takes it; where he leaves, the next in line does.
Rule 3: a provider that fails is shown as failing, with its last figures; the others go on. So are all of them while the
function that gives them has none to give, as before its application has begun.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from typing import Final, Protocol, TypeAlias

from aiocache_kit.clock import Clock
from aiocache_kit.errors import CacheError, InvalidArgumentError
from aiocache_kit.integrations.dashboard.listening import Listening, Telling
from aiocache_kit.integrations.dashboard.series import Reading, Series, layers_of, totals_of
from aiocache_kit.stats import Stats

_log: Final = logging.getLogger("aiocache_kit")


class Watched(Protocol):
    """What the dashboard asks of a provider, or of a namespace, which is one as well."""

    async def stats(self) -> Stats:
        """Give the counters so far."""
        ...

    async def invalidate_tags(self, *tags: str) -> None:
        """Make every item that has one of `tags` a miss."""
        ...

    async def clear(self) -> None:
        """Remove every item."""
        ...

    async def delete(self, key: str, /) -> bool:
        """Remove one item, and say whether it was there."""
        ...


Providers: TypeAlias = "Watched | Mapping[str, Watched] | Callable[[], Watched | Mapping[str, Watched]]"

_ALONE: Final = "cache"
_DIGITS: Final = 20


def named(providers: Providers) -> Mapping[str, Watched]:
    """Give the providers that there are now, by name; one alone is called ``"cache"``."""
    found = providers() if callable(providers) else providers
    return found if isinstance(found, Mapping) else {_ALONE: found}


class Watch:
    """The readings of some providers."""

    __slots__ = (
        "_clock",
        "_errors",
        "_listening",
        "_lock",
        "_number",
        "_providers",
        "_series",
        "_taken",
        "epoch",
        "interval",
        "keep",
    )

    def __init__(self, providers: Providers, interval: float, keep: int, clock: Clock, listening: Listening) -> None:
        """Read `providers` no more often than every `interval` seconds, and keep `keep` points of each.

        `listening` counts groups of keys.
        """
        self._providers = providers
        self.interval: Final = interval
        self.keep: Final = keep
        self._clock = clock
        self._listening = listening
        self._lock = asyncio.Lock()
        self._series: dict[str, Series] = {}
        self._errors: dict[str, str] = {}
        self._number = 0
        self._taken: float | None = None
        self.epoch: Final = secrets.token_hex(8)
        """Tells this watch from those of other processes, and from the one that there was before a restart."""

    def provider(self, name: str) -> Watched | None:
        """Give the provider of this name; None where there is none."""
        return named(self._providers).get(name)

    async def look(self, after: str) -> str:
        """Give, as JSON, all providers, and their points since the look whose ``cursor`` was `after`.

        An empty `after`, or one of another process, gives all points. ``next`` is in how many seconds it is worth while
        to look again.
        """
        async with self._lock:
            if self._waits() <= 0.0:
                await self._read()
        epoch, _, number = after.rpartition("-")
        is_ours = epoch == self.epoch and number.isdecimal() and len(number) < _DIGITS
        head = {"epoch": self.epoch, "cursor": f"{self.epoch}-{self._number}", "next": max(0.0, self._waits())}
        shown = [self._shown(name, int(number) if is_ours else 0) for name in self._series]
        return f'{json.dumps(head)[:-1]}, "providers": [{", ".join(shown)}]}}'

    def _waits(self) -> float:
        """Give the seconds until a reading is due."""
        return 0.0 if self._taken is None else self._taken + self.interval - self._clock.monotonic()

    async def _read(self) -> None:
        self._errors = {}
        try:
            providers = named(self._providers)
        except CacheError as error:
            providers, names = dict[str, Watched](), tuple(self._series) or (_ALONE,)
            self._errors = dict.fromkeys(names, str(error))
        else:
            names = tuple(providers)
        self._series = {name: self._series.get(name) or Series(self.interval, self.keep) for name in names}
        self._listening.look({name: each for name, each in providers.items() if isinstance(each, Telling)})
        number = self._number + 1
        async with asyncio.TaskGroup() as tasks:  # their owner is whoever looks: they end when this call does
            for name, provider in providers.items():
                tasks.create_task(self._read_one(number, name, provider), name="aiocache_kit dashboard")
        self._number, self._taken = number, self._clock.monotonic()

    async def _read_one(self, number: int, name: str, provider: Watched) -> None:
        try:
            stats = await provider.stats()
        except Exception as error:  # noqa: BLE001  - a storage of somebody else may raise anything, and others go on
            self._errors[name] = str(error) if isinstance(error, CacheError) else type(error).__name__
            _log.debug("a provider did not give its statistics: %s", self._errors[name])
        else:
            self._series[name].add(Reading(number, self._clock.time(), self._clock.monotonic(), stats))

    async def close(self) -> None:
        """Stop listening; readings are still taken for whoever looks, who begins it again."""
        await self._listening.close()

    def _shown(self, name: str, since: int) -> str:
        series = self._series[name]
        stats = series.last.stats if series.last is not None else None
        shown = {
            "name": name,
            "error": self._errors.get(name),
            "at": None if series.last is None else series.last.at,
            "totals": None if stats is None else totals_of(stats),
            "layers": [] if stats is None else list(layers_of(stats)),
            "groups": self._listening.shown(name),
        }
        return f'{json.dumps(shown, allow_nan=False)[:-1]}, "points": {series.since(since)}}}'


def check_providers(providers: object) -> None:
    """Raise `InvalidArgumentError` unless these are what `Dashboard` says of them, as far as that can be seen now."""
    if isinstance(providers, Mapping) or hasattr(providers, "stats"):
        return
    if not callable(providers) or iscoroutinefunction(providers) or iscoroutinefunction(type(providers).__call__):
        raise InvalidArgumentError(
            "providers must be a Provider, a mapping of names to such, or a plain function that gives one of these, "
            "such as the method provider of an AppCache"
        )


def check_numbers(interval: object, keep: object, sample: object) -> None:
    """Raise `InvalidArgumentError` unless these are what `Dashboard` says of them."""
    if isinstance(interval, bool) or not isinstance(interval, int | float) or not 0.1 <= interval <= 3600.0:  # noqa: PLR2004  - said in words above
        raise InvalidArgumentError(f"interval must be a number of seconds from 0.1 to 3600, not {interval!r:.40}")
    if isinstance(keep, bool) or not isinstance(keep, int) or not 2 <= keep <= 10_000:  # noqa: PLR2004  - as above
        raise InvalidArgumentError(f"keep must be an int from 2 to 10000, not {keep!r:.40}")
    if sample is not None and (isinstance(sample, bool) or not isinstance(sample, int) or sample < 1):
        raise InvalidArgumentError(f"read_sample must be an int from 1 up, or None, not {sample!r:.40}")
