"""One load a key: concurrent callers share it. Knows nothing of caches; the work is whatever coroutine it is handed.

A *flight* is one piece of work under way for one key, or for several at once. It runs as a task of its own, so that no
caller's cancellation reaches it while somebody still waits; the last caller to leave cancels it.

Rule 1: work is begun at once, inside of the call that starts it, and becomes a task that waits for its turn only if it
has to wait for something. Work that needs no waiting costs no turn of the event loop.
Rule 2: work runs in a copy of the context (`contextvars`) of the caller that started it; what it sets there is seen by
nobody else, and callers that join lend it nothing.
Rule 3: a flight that was *superseded* for a key goes on for those who wait for it, but whoever asks from then on starts
another one, and its work must not store what it found. `SingleFlight.storing` guards the one moment when it is too late
to supersede: who wants to change the key then waits until the store has ended, and changes it after that. Nor does any
work store while a change is on its way (`may_store`).
Rule 4: work that asks, directly or by way of other flights, for what can only come after itself is told so by
`RecursiveLoadError`. Tasks that it starts inherit its context and count as part of it while it is under way.
Rule 5: an exception of the work reaches everyone who waits, the same object, and nothing of it is kept.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Final, TypeAlias

from aiocache_kit.errors import ProviderClosedError, RecursiveLoadError
from aiocache_kit.management.eager import begin
from aiocache_kit.management.waiting import leads_to
from aiocache_kit.sentinels import MISSING

if TYPE_CHECKING:
    from types import TracebackType

Work: TypeAlias = Callable[["Flight"], Coroutine[object, object, dict[str, object]]]
"""Gives what it found by key; a key that it does not give was not found."""

_under_way: ContextVar["Flight | None"] = ContextVar("aiocache_kit_flight", default=None)
_NONE: Final[frozenset[str]] = frozenset()
_MOST_NESTED: Final = 8
"""Loads begun inside of one another's first step; the next one waits for its turn, or Python's stack would end."""


def is_inside_a_load() -> bool:
    """Whether this is the work of a flight, or a task that such work has started and that is still part of it."""
    return flight_here() is not None


def flight_here() -> "Flight | None":
    """Give the flight whose work this is, as `is_inside_a_load` tells it."""
    flight = _under_way.get()
    return None if flight is None or flight.done else flight


def apart() -> Context:
    """Give a copy of this context for work that is no part of the flight in which this is called, if any."""
    context = copy_context()
    context.run(_under_way.set, None)
    return context


class Flight:
    """Work under way for `keys`."""

    __slots__ = (
        "_error",
        "_found",
        "_trace",
        "_waiters",
        "abandoned",
        "done",
        "invalidated",
        "keys",
        "on_urgent",
        "superseded",
        "tags",
        "task",
        "urgent",
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
        self.abandoned = False
        """Whether everyone who waited left before the end: nobody may join any more."""
        self.task: asyncio.Task[dict[str, object]] | None = None
        self.urgent = False
        """Whether other work under way waits for this, which therefore must not wait for that."""
        self.on_urgent: Callable[[], None] | None = None
        """Called whenever other work begins to wait for this."""
        self._waiters: set[asyncio.Future[None]] = set()
        self.waits_for: list[Flight] = []
        """Flights that the work of this one waits for, one as often as it does; what recursion is found by."""
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
        waiter = self.join()
        try:
            await waiter
        finally:
            self.leave(waiter)
        return self.outcome()

    def join(self) -> "asyncio.Future[None]":
        """Begin to wait; what is given is done when the flight is, and must be handed back to `leave` in any case.

        Raises `RecursiveLoadError`.
        """
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.done:
            waiter.set_result(None)
            return waiter
        asker = _under_way.get()
        if asker is not None and not asker.done:
            if self.leads_to(asker):
                raise RecursiveLoadError
            asker.waits_for.append(self)
            self.urgent = True
            if self.on_urgent is not None:
                self.on_urgent()
        self._waiters.add(waiter)
        return waiter

    def leave(self, waiter: "asyncio.Future[None]") -> None:
        """Wait no longer; the last one who leaves before the end ends the work, and what it finds is not stored."""
        if waiter not in self._waiters:
            return
        self._waiters.discard(waiter)
        asker = _under_way.get()
        if asker is not None and self in asker.waits_for:
            asker.waits_for.remove(self)
        if not self._waiters and not self.done:
            self.abandoned = True
            self.superseded |= frozenset(self.keys)
            if self.task is not None:
                self.task.cancel()

    def leads_to(self, asker: "Flight") -> bool:
        """Whether this flight is `asker`, or waits for it, directly or by way of others."""
        return _leads_to(self, asker)


def _leads_to(start: Flight, asker: Flight) -> bool:
    return leads_to(start, lambda flight: flight is asker, lambda flight: flight.waits_for)


class SingleFlight:
    """The flights of one provider. `flights` may be looked at by anyone; only this class changes it."""

    __slots__ = ("_all", "_changing", "_clearing", "_nested", "_storing", "flights")

    def __init__(self) -> None:
        """Start with nothing under way."""
        self.flights: dict[str, Flight] = {}
        """The flight to join for each key."""
        self._all: set[Flight] = set()
        """Every flight that has not ended, those that nobody may join included."""
        self._storing: dict[str, set[asyncio.Future[None]]] = {}
        self._changing: dict[str, int] = {}
        """Keys that are being changed, and by how many."""
        self._clearing: list[str] = []
        """Prefixes whose keys are being removed."""
        self._nested = 0
        """How deep in one another the first steps are that are being taken right now."""

    async def load(self, key: str, work: Work, tags: tuple[str, ...] = ()) -> tuple[object, bool]:
        """Give what `work`, or the flight for `key` that is under way, finds; and whether it was joined.

        `MISSING` where the work joined was for several keys and found none for this one, or where it turned out to have
        a tag that had been invalidated before it was joined.
        """
        flight = self.to_join(key)
        joined = flight is not None
        if flight is None:
            flight = self.start((key,), work, tags)
        untrue = flight.invalidated if joined else _NONE
        found = flight.outcome() if flight.done else await flight.wait()
        return found.get(key, MISSING) if untrue.isdisjoint(flight.tags) else MISSING, joined

    def to_join(self, key: str) -> Flight | None:
        """Give the flight under way for `key`, None where there is none, or one that everybody has left."""
        flight = self.flights.get(key)
        return None if flight is None or flight.abandoned else flight

    async def wait_for(self, flights: list[Flight]) -> list[dict[str, object]]:
        """Wait for all of `flights` and give their outcomes; the first that fails ends the waiting, not the others."""
        waiters: list[tuple[Flight, asyncio.Future[None]]] = []
        try:
            for flight in flights:
                waiters.append((flight, flight.join()))  # noqa: PERF401  - what was joined is left, whatever happens
            outcomes: list[dict[str, object]] = []
            for flight, waiter in waiters:
                await waiter
                outcomes.append(flight.outcome())
            return outcomes
        finally:
            for flight, waiter in waiters:
                flight.leave(waiter)

    def start(self, keys: tuple[str, ...], work: Work, tags: tuple[str, ...] = ()) -> Flight:
        """Begin `work` for `keys`, for which nothing is under way; the flight may have ended already."""
        asker = _under_way.get()
        flight = Flight(keys, tags)
        for key in keys:
            self.flights[key] = flight
        self._all.add(flight)
        waits = asker is not None and not asker.done
        if asker is not None and waits:
            # The first step of the work is taken inside of this call: whatever that asks for, the asker waits for.
            asker.waits_for.append(flight)
            flight.urgent = True
        self._nested += 1
        try:
            flight.task = self._begin(flight, work)
        except BaseException as error:
            self._end(flight, {}, error)
            raise
        finally:
            self._nested -= 1
            if asker is not None and waits:
                asker.waits_for.remove(flight)
        if not flight.done:
            flight.task.add_done_callback(lambda task: self._after(flight, task))
        return flight

    def _begin(self, flight: Flight, work: Work) -> "asyncio.Task[dict[str, object]]":
        flying = self._fly(flight, work)
        return begin(flying) if self._nested <= _MOST_NESTED else asyncio.get_running_loop().create_task(flying)

    async def _fly(self, flight: Flight, work: Work) -> dict[str, object]:
        _under_way.set(flight)
        try:
            found = await work(flight)
        except BaseException as error:
            self._end(flight, {}, error)
            if isinstance(error, Exception):
                return {}  # those who wait have it from the flight; nobody awaits the task, which would complain of it
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
            flight.invalidated |= gone  # of all flights: a loader may still say that its value has one of these tags
            if not gone.isdisjoint(flight.tags):
                for key in flight.keys:
                    if self.flights.get(key) is flight:
                        self.supersede(key)

    def begin_change(self, key: str) -> None:
        """Supersede `key`, and let no load store for it until `end_change`."""
        if key in self.flights:
            self.supersede(key)
        self._changing[key] = self._changing.get(key, 0) + 1

    def end_change(self, key: str) -> None:
        """Say that a change is over, done or not; loads that began in the middle of it are superseded, too."""
        if key in self.flights:
            self.supersede(key)
        left = self._changing.pop(key) - 1
        if left:
            self._changing[key] = left

    def begin_changes(self, keys: Iterable[str]) -> None:
        """Do as `begin_change` does for each of `keys`."""
        flights, changing = self.flights, self._changing
        for key in keys:  # there may be many thousands, and hardly any of them has something under way
            if key in flights or key in changing:
                self.begin_change(key)
            else:
                changing[key] = 1

    def end_changes(self, keys: Iterable[str]) -> None:
        """Do as `end_change` does for each of `keys`."""
        flights, changing = self.flights, self._changing
        for key in keys:
            if key in flights or changing[key] != 1:
                self.end_change(key)
            else:
                del changing[key]

    def begin_clear(self, prefix: str) -> None:
        """Do as `begin_change` does for every key that begins with `prefix`."""
        self.supersede_prefix(prefix)
        self._clearing.append(prefix)

    def end_clear(self, prefix: str) -> None:
        """Do as `end_change` does for every key that begins with `prefix`."""
        self.supersede_prefix(prefix)
        self._clearing.remove(prefix)

    def may_store(self, flight: Flight, key: str) -> bool:
        """Whether the work of `flight` may store, now, what it found for `key`."""
        return not (
            key in flight.superseded
            or key in self._changing
            or (self._clearing and any(key.startswith(prefix) for prefix in self._clearing))
        )

    @asynccontextmanager
    async def storing(self, keys: Iterable[str]) -> AsyncGenerator[None]:
        """Mark the time in which the work stores what it found for `keys`."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        held = list(keys)
        for key in held:
            self._storing.setdefault(key, set()).add(mine)
        try:
            yield
        finally:
            for key in held:
                self._storing[key].discard(mine)
                if not self._storing[key]:
                    del self._storing[key]
            mine.set_result(None)

    def is_storing(self) -> bool:
        """Whether any work is storing what it found."""
        return bool(self._storing)

    async def stored(self, prefix: str = "", key: str | None = None) -> None:
        """Wait until nothing is being stored under `key`, or under any key that begins with `prefix`."""
        while True:
            under_way = (
                [ends for each, ends in self._storing.items() if each.startswith(prefix)]
                if key is None
                else [self._storing.get(key, set())]
            )
            ends = set[asyncio.Future[None]]().union(*under_way)
            if not ends:
                return
            await asyncio.wait(ends)  # and look again: another store may have begun since

    async def close(self) -> None:
        """End all work; who waits for it gets `ProviderClosedError`."""
        here = asyncio.current_task()
        tasks: list[asyncio.Task[dict[str, object]]] = []
        for flight in list(self._all):
            # First, since from a task that is cancelled those who wait would hear just that.
            self._end(flight, {}, ProviderClosedError())
            if flight.task is not None and flight.task is not here:
                flight.task.cancel()
                tasks.append(flight.task)
        if tasks:
            await asyncio.wait(tasks)
