"""`Readings`: the figures of a provider for whoever cannot wait for its event loop: scrapers in threads, exporters.

Rule 1: figures are read on the provider's loop, which is the only one who may. From another thread it is asked to, and
waited for no longer than the caller says; the last figures are given where it is busy, or gone.
Rule 2: on the loop itself nobody can wait for it: counters are read at once there, and what a storage must be asked for
is that of the last `update`, which is begun anew in the background.
Rule 3: reading never opens a provider: one that is not open has the figures that it had.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from aiocache_kit.errors import CacheError
from aiocache_kit.event_kinds import CircuitState
from aiocache_kit.keys import parted
from aiocache_kit.management.statistics import Recorder
from aiocache_kit.stats import Stats


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The figures of one provider, or namespace of it, at one moment."""

    stats: Stats = field(default_factory=Stats)
    circuits: Mapping[str, CircuitState] = field(default_factory=dict[str, CircuitState])
    """The state of each circuit that has ever opened, by layer."""
    openings: Mapping[str, int] = field(default_factory=dict[str, int])
    """How often each of them has opened."""
    events_dropped: int = 0
    """Events that those who listened did not take in time."""


class Told(Protocol):
    """Who knows of circuits, and of events that were dropped."""

    @property
    def circuits(self) -> Mapping[str, CircuitState]:
        """The state of each circuit, by its layer."""
        ...

    @property
    def openings(self) -> Mapping[str, int]:
        """How often each was opened."""
        ...

    @property
    def dropped(self) -> int:
        """Events that nobody had room for."""
        ...


class Source(Protocol):
    """What is asked of a provider's core."""

    @property
    def ready(self) -> bool:
        """Whether the storage is open."""
        ...

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """Where it runs; None: it was not opened yet."""
        ...

    @property
    def hub(self) -> Told:
        """Who hears of what happens."""
        ...


class Readings:
    """Reads one provider, or one namespace."""

    def __init__(
        self, core: Source, recorder: Recorder, prefix: str, stats: Callable[[], Coroutine[Any, Any, Stats]]
    ) -> None:
        """Read what `stats` gives, and `recorder` for the namespace whose stored keys begin with `prefix`."""
        self._core = core
        self._recorder = recorder
        self._stats = stats
        self._latest = Reading()
        self._updating: Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """Where that runs."""
        names, _ = parted(prefix)
        self.namespace: str = ":".join(names)
        """The names of the namespaces, the outermost first, with ``:`` between them; "": the whole provider."""

    @property
    def latest(self) -> Reading:
        """The figures that were read last."""
        return self._latest

    async def update(self) -> Reading:
        """Read now, on the provider's loop; give the figures that were there where the storage fails, or is closed."""
        if self._core.ready:
            try:
                self._take(await self._stats())
            except CacheError:
                self._look()
        return self._latest

    def _take(self, stats: Stats) -> None:
        hub = self._core.hub
        self._latest = Reading(
            stats=stats, circuits=dict(hub.circuits), openings=dict(hub.openings), events_dropped=hub.dropped
        )

    def _look(self) -> None:
        """Read what needs no waiting."""
        recorder = self._recorder
        counters: dict[str, Any] = {**recorder.totals(), "load_buckets": recorder.load_buckets()}
        known = self._latest.stats
        counters["errors"] = max(counters["errors"], known.errors)  # those of the storage are not in it
        self._take(replace(known, **counters))

    def begin(self) -> "Future[None] | None":
        """Let the figures be read; None where there is nothing to wait for."""
        loop = self._core.loop
        if loop is None or not loop.is_running() or not self._core.ready:
            return None
        if _running_loop() is loop:
            self._look()
        if self._updating is None or self._updating.done() or self._loop is not loop:
            self._loop = loop
            try:
                self._updating = asyncio.run_coroutine_threadsafe(self._update(), loop)
            except RuntimeError:  # it was closed just now
                return None
        return None if _running_loop() is loop else self._updating

    async def _update(self) -> None:
        await self.update()


def read_all(readings: Iterable[Readings], timeout: float) -> None:
    """Let all of them read, side by side, and wait for `timeout` seconds at most, from any thread."""
    wait([begun for each in readings if (begun := each.begin()) is not None], timeout)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
