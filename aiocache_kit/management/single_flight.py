"""One load a key: concurrent callers share it. Knows nothing of caches; the work is whatever coroutine it is handed.

A *flight* is one piece of work under way for one key, or for several at once. It runs as a task of its own, so that no
caller's cancellation reaches it while somebody still waits; the last caller to leave cancels it.

Rule 1: work is begun at once, inside of the call that starts it, and becomes a task that waits for its turn only if it
has to wait for something. Work that needs no waiting costs no turn of the event loop.
Rule 2: work runs in a copy of the context (`contextvars`) of the caller that started it; what it sets there is seen by
nobody else, and callers that join lend it nothing.
Rule 3: a flight that was *superseded* for a key goes on for those who wait for it, but whoever asks from then on starts
another one, and its work must not store what it found. `SingleFlight.storing` guards the one moment when it is too late
to supersede: who wants to change the key then waits until the store has ended, and changes it after that.
Rule 4: work that asks, directly or by way of other flights, for what can only come after itself is told so by
`RecursiveLoadError`. Tasks that it starts inherit its context and count as part of it while it is under way.
Rule 5: an exception of the work reaches everyone who waits, the same object, and nothing of it is kept.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, TypeAlias

from aiocache_kit.errors import ProviderClosedError, RecursiveLoadError
from aiocache_kit.management.eager import begin
from aiocache_kit.sentinels import MISSING

if TYPE_CHECKING:
    from types import TracebackType

Work: TypeAlias = Callable[["Flight"], Coroutine[object, object, dict[str, object]]]
"""Gives what it found by key; a key that it does not give was not found."""

_under_way: ContextVar["Flight | None"] = ContextVar("aiocache_kit_flight", default=None)
_NONE: Final[frozenset[str]] = frozenset()


class Flight:
    """Work under way for `keys`."""

    __slots__ = (
        "_error",
        "_found",
        "_trace",
        "_waiters",
        "done",
        "invalidated",
        "keys",
        "superseded",
        "tags",
        "task",
        "waits_for",
    )

    def __init__(self, keys: tuple[str, ...], tags: tuple[str, ...] = ()) -> None:
        """Prepare work for `keys`, whose result will have `tags` as far as is known."""
        self.keys = keys
        self.tags = tags
        self.superseded: frozenset[str] = _NONE
        """Keys that were changed since the work began: what it finds for them must not be stored."""
        self.invalidated: frozenset[str] = _NONE
        """Tags that were invalidated since the work began."""
        self.done = False
        self.task: asyncio.Task[dict[str, object]] | None = None
        self._waiters: set[asyncio.Future[None]] = set()
        self.waits_for: set[Flight] = set()
        """Flights that the work of this one waits for; what recursion is found by."""
        self._found: dict[str, object] = {}
        self._error: BaseException | None = None
        self._trace: TracebackType | None = None

    def land(self, found: dict[str, object], error: BaseException | None = None) -> None:
        """End the flight and wake everyone; the first ending counts."""
        if self.done:
            return
        self.done = True
        self._found = found
        self._error = error
        self._trace = None if error is None else error.__traceback__
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def outcome(self) -> dict[str, object]:
        """Give what the work found, or raise what it raised."""
        if self._error is not None:
            raise self._error.with_traceback(self._trace)
        return self._found

    async def wait(self) -> dict[str, object]:
        """Wait for the end and give the outcome; a caller that is cancelled leaves, the last one ends the work."""
        if self.done:
            return self.outcome()
        asker = _under_way.get()
        if asker is not None and not asker.done:
            if self._leads_to(asker):
                raise RecursiveLoadError
            asker.waits_for.add(self)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            if asker is not None:
                asker.waits_for.discard(self)
            if self.abandoned and self.task is not None:
                self.task.cancel()
        return self.outcome()

    @property
    def abandoned(self) -> bool:
        """Whether everyone who waited has left before the end."""
        return not self._waiters and not self.done

    def _leads_to(self, asker: "Flight") -> bool:
        left: list[Flight] = [self]
        seen: set[Flight] = {self}
        while left:
            flight = left.pop()
            if flight is asker:
                return True
            new = flight.waits_for - seen
            seen |= new
            left += new
        return False


class SingleFlight:
    """The flights of one provider. `flights` may be looked at by anyone; only this class changes it."""

    __slots__ = ("_all", "_storing", "flights")

    def __init__(self) -> None:
        """Start with nothing under way."""
        self.flights: dict[str, Flight] = {}
        """The flight to join for each key."""
        self._all: set[Flight] = set()
        """Every flight that has not ended, those that nobody may join included."""
        self._storing: dict[str, asyncio.Future[None]] = {}

    async def load(self, key: str, work: Work, tags: tuple[str, ...] = ()) -> tuple[object, bool]:
        """Give what `work`, or the flight for `key` that is under way, finds; and whether it was joined.

        `MISSING` where the work joined was for several keys and found none for this one.
        """
        flight = self.to_join(key)
        joined = flight is not None
        if flight is None:
            flight = self.start((key,), work, tags)
        found = flight.outcome() if flight.done else await flight.wait()
        return found.get(key, MISSING), joined

    def to_join(self, key: str) -> Flight | None:
        """Give the flight under way for `key`, None where there is none, or one that everybody has left."""
        flight = self.flights.get(key)
        return None if flight is None or flight.abandoned else flight

    async def wait_for(self, flights: list[Flight]) -> list[dict[str, object]]:
        """Wait for all of `flights` and give their outcomes; the first that fails ends the waiting, not the others."""
        if len(flights) == 1:
            return [await flights[0].wait()]
        waits = [asyncio.create_task(flight.wait()) for flight in flights]  # ended below, whatever happens
        try:
            return [await wait for wait in waits]
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def start(self, keys: tuple[str, ...], work: Work, tags: tuple[str, ...] = ()) -> Flight:
        """Begin `work` for `keys`, for which nothing is under way; the flight may have ended already."""
        asker = _under_way.get()
        flight = Flight(keys, tags)
        for key in keys:
            self.flights[key] = flight
        self._all.add(flight)
        if asker is not None and not asker.done:
            asker.waits_for.add(flight)
        try:
            flight.task = begin(self._fly(flight, work))
        except BaseException as error:
            self._end(flight, {}, error)
            raise
        finally:
            if asker is not None:
                asker.waits_for.discard(flight)
        if not flight.done:
            flight.task.add_done_callback(lambda task: self._after(flight, task))
        return flight

    async def _fly(self, flight: Flight, work: Work) -> dict[str, object]:
        _under_way.set(flight)
        try:
            found = await work(flight)
        except BaseException as error:
            self._end(flight, {}, error)
            if isinstance(error, Exception):
                return {}
            raise
        self._end(flight, found)
        return found

    def _end(self, flight: Flight, found: dict[str, object], error: BaseException | None = None) -> None:
        self._all.discard(flight)
        for key in flight.keys:
            if self.flights.get(key) is flight:
                del self.flights[key]
        flight.land(found, error)

    def _after(self, flight: Flight, task: "asyncio.Task[dict[str, object]]") -> None:
        """See to it that a task which was cancelled before it could run leaves nothing behind either."""
        if not flight.done:
            self._end(flight, {}, asyncio.CancelledError() if task.cancelled() else task.exception())

    # --- explicit changes --------------------------------------------------------------------------------------------

    def supersede(self, key: str) -> None:
        """A change of `key` begins, or has just been made: nothing loaded before may be stored over it."""
        flight = self.flights.pop(key, None)
        if flight is not None:
            flight.superseded |= {key}

    def supersede_prefix(self, prefix: str) -> None:
        """The same for every key that begins with `prefix`."""
        for key in [key for key in self.flights if key.startswith(prefix)]:
            self.supersede(key)

    def supersede_tags(self, tags: Iterable[str]) -> None:
        """The same for every key whose load is known, or will turn out, to have one of `tags`."""
        gone = frozenset(tags)
        for flight in self._all:
            flight.invalidated |= gone
            if not gone.isdisjoint(flight.tags):
                for key in flight.keys:
                    if self.flights.get(key) is flight:
                        self.supersede(key)

    @asynccontextmanager
    async def storing(self, keys: Iterable[str]) -> AsyncGenerator[None]:
        """Mark the time in which the work stores what it found for `keys`."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        held = list(keys)
        for key in held:
            self._storing[key] = mine
        try:
            yield
        finally:
            for key in held:
                if self._storing.get(key) is mine:
                    del self._storing[key]
            mine.set_result(None)

    def is_storing(self) -> bool:
        """Whether any work is storing what it found."""
        return bool(self._storing)

    async def stored(self, prefix: str = "", key: str | None = None) -> None:
        """Wait until nothing is being stored under `key`, or under any key that begins with `prefix`."""
        while True:
            ends = (
                [end for each, end in self._storing.items() if each.startswith(prefix)]
                if key is None
                else [self._storing[key]]
                if key in self._storing
                else []
            )
            if not ends:
                return
            await asyncio.wait(ends)

    async def close(self) -> None:
        """End all work; who waits for it gets `ProviderClosedError`."""
        here = asyncio.current_task()
        tasks: list[asyncio.Task[dict[str, object]]] = []
        for flight in list(self._all):
            self._end(flight, {}, ProviderClosedError())
            if flight.task is not None and flight.task is not here:
                flight.task.cancel()
                tasks.append(flight.task)
        if tasks:
            await asyncio.wait(tasks)
