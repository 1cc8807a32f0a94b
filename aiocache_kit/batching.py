"""`BatchLoader`: single questions, gathered for a moment and answered by one call.

Where a source answers for a hundred keys as quickly as for one, callers should not have to know of each other to ask
for them together. Each asks for its key; what is asked within a window goes to the source as one list.

Rule 1: whoever asks joins a batch only before that has begun, so that no answer is older than its question. A key that
several ask for is in a batch once.
Rule 2: a batch runs as a task of its own, in a copy of the context (`contextvars`) in which the loader was made: what
one request has set there is seen neither by the batch nor by other requests.
Rule 3: a caller that is cancelled leaves the others untouched, and its key stays out of a batch that has not begun.
A batch that nobody waits for any more is cancelled.
Rule 4: answers go by key, never by place, so that a source that skips a row cannot shift all that follow.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Generic, NamedTuple, Self, TypeVar, cast

from aiocache_kit.clock import Clock, SystemClock
from aiocache_kit.errors import BatchLoaderClosedError, InvalidArgumentError, NotLoadedError, RecursiveLoadError
from aiocache_kit.management.rate_limit import check_whole
from aiocache_kit.management.single_flight import Flight, SingleFlight, apart, flight_here
from aiocache_kit.management.slots import Slots
from aiocache_kit.provider.calling import call, check_callable
from aiocache_kit.sentinels import MISSING, MissingType

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Failed(NamedTuple):
    error: Exception
    trace: TracebackType | None


class _Batch(Generic[K]):
    """Keys that are asked for together."""

    __slots__ = ("at_once", "enough", "found", "has_begun", "wanted")

    def __init__(self) -> None:
        self.wanted: dict[K, int] = {}
        """How many wait for each key."""
        self.enough: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done where there is no more to wait for."""
        self.at_once = False
        """Whether a batch under way waits for this one."""
        self.has_begun = False
        self.found: dict[K, object] = {}

    def suffice(self) -> None:
        """Let the window end."""
        if not self.enough.done():
            self.enough.set_result(None)

    def let_go(self, key: K) -> None:
        """Have one waiter less for `key`."""
        if not self.has_begun:
            self.wanted[key] -= 1
            if not self.wanted[key]:
                del self.wanted[key]


class BatchLoader(Generic[K, V]):
    """Answers questions for single keys by a function that is asked for many.

    `function` takes a list of keys, each of which occurs once, and gives a mapping of them to values. It is a coroutine
    function, or another callable, which then runs in a thread. A value that is an `Exception` is raised to those who
    asked for that key, and to nobody else; what the function raises itself reaches everybody in the batch. For a key
    that it leaves out, `missing` is given; where that is `MISSING`, `NotLoadedError` is raised.

    A loader belongs to one event loop, and is closed by `close` or ``async with``.
    """

    def __init__(
        self,
        function: Callable[[list[K]], Awaitable[Mapping[K, V | Exception]] | Mapping[K, V | Exception]],
        *,
        window: float = 0.0,
        max_batch: int = 100,
        max_concurrency: int | None = 8,
        missing: V | MissingType = MISSING,
        clock: Clock | None = None,
    ) -> None:
        """Gather keys for `window` seconds from the first one on; 0: for one turn of the event loop.

        A batch begins at once when it holds `max_batch` keys. `max_concurrency` batches run at a time, None for any
        number; while so many run, the next one gathers on. Raises `InvalidArgumentError` for what cannot be.
        """
        check_callable(function, "function")
        self._window = _window(window)
        self._max_batch = check_whole("max_batch", max_batch)
        self._slots = None if max_concurrency is None else Slots(check_whole("max_concurrency", max_concurrency))
        self._function = function
        self._missing = missing
        self._clock: Clock = SystemClock() if clock is None else clock
        self._context = apart()
        self._flights = SingleFlight()
        self._open: tuple[_Batch[K], Flight] | None = None
        """The batch that may be joined."""
        self._under_way: dict[Flight, _Batch[K]] = {}
        self._closed = False

    def __repr__(self) -> str:
        keys = sum(len(batch.wanted) for batch in self._under_way.values())
        return f"<BatchLoader of {len(self._under_way)} batches with {keys} keys{', closed' if self._closed else ''}>"

    async def __aenter__(self) -> Self:
        """Close at the end of the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        del kind, error, trace
        await self.close()

    # --- asking ------------------------------------------------------------------------------------------------------

    async def load(self, key: K) -> V:
        """Give the value for `key`.

        Raises what the source has for that key or for the whole batch, `NotLoadedError` for a key that it leaves out,
        `RecursiveLoadError` where the source asks for what it is being asked for, and `BatchLoaderClosedError`.
        """
        outcome = (await self._outcomes([key]))[key]
        if outcome is MISSING:
            raise NotLoadedError(key)
        return cast("V", outcome)

    async def load_many(self, keys: Iterable[K]) -> dict[K, V]:
        """Give the values for `keys`, in as few batches as can be; the first error of one of them is raised.

        What the source leaves out is left out here, too, unless `missing` stands for it. So this is a `load_missing`
        for `Provider.get_or_set_multi`, where the keys of both are the same. Raises as `load`, but no `NotLoadedError`.
        """
        found = await self._outcomes(dict.fromkeys(keys))
        return {key: cast("V", value) for key, value in found.items() if value is not MISSING}

    def loader(self, key: K) -> Callable[[], Awaitable[V]]:
        """Give a loader of one value for `Provider.get_or_set`: ``cache.get_or_set("user:7", users.loader(7))``.

        Each call of it is one `load`, and raises as that; nothing is asked before.
        """
        return partial(self.load, key)

    async def _outcomes(self, keys: Iterable[K]) -> dict[K, object]:
        """Give what the source has for each key, `MISSING` for nothing; or raise the first error."""
        joined: list[tuple[K, _Batch[K], Flight, asyncio.Future[None]]] = []
        try:
            for key in keys:
                batch, flight = self._join(key)
                joined.append((key, batch, flight, flight.join()))
            for *_, waiter in joined:
                await waiter
        finally:
            for key, batch, flight, waiter in joined:
                batch.let_go(key)
                flight.leave(waiter)
        for _, _, flight, _ in joined:
            flight.outcome()
        return {key: self._value(batch, key) for key, batch, _, _ in joined}

    def _value(self, batch: _Batch[K], key: K) -> object:
        outcome = batch.found.get(key, self._missing)
        if isinstance(outcome, _Failed):
            raise outcome.error.with_traceback(outcome.trace)
        return outcome

    def _join(self, key: K) -> tuple[_Batch[K], Flight]:
        """Put `key` into the batch that is gathering, or into a new one."""
        if self._closed:
            raise BatchLoaderClosedError
        is_within = self._is_within_a_batch(key)
        if self._open is not None and self._open[1].abandoned:
            self._open = None
        batch, flight = self._open = self._open or self._begin()
        batch.wanted[key] = batch.wanted.get(key, 0) + 1
        if is_within:
            batch.at_once = True
            if self._slots is not None:
                self._slots.let_in(batch)
        if len(batch.wanted) >= self._max_batch:
            self._open = None
            batch.suffice()
        return batch, flight

    def _is_within_a_batch(self, key: K) -> bool:
        """Whether a batch under way waits for whoever asks for `key` now; raise where it is being asked for `key`."""
        try:
            hash(key)
        except TypeError:
            raise InvalidArgumentError(f"key must be hashable, and {type(key).__name__} is not") from None
        here = flight_here()
        if here is None:
            return False
        outer = [batch for flight, batch in self._under_way.items() if batch.has_begun and flight.leads_to(here)]
        if any(key in batch.wanted for batch in outer):
            raise RecursiveLoadError
        return bool(outer)

    # --- batches -----------------------------------------------------------------------------------------------------

    def _begin(self) -> tuple[_Batch[K], Flight]:
        batch = _Batch[K]()
        flight = self._context.run(self._flights.start, (), partial(self._work, batch))
        self._under_way[flight] = batch
        assert flight.task is not None  # noqa: S101  - it was started, and waits for its window at least
        flight.task.add_done_callback(lambda _: self._under_way.pop(flight, None))
        return batch, flight

    async def _work(self, batch: _Batch[K], flight: Flight) -> dict[str, object]:
        del flight
        await self._gather(batch)
        if self._slots is None:
            await self._ask(batch)
        else:
            async with self._slots.held(batch, at_once=batch.at_once):
                await self._ask(batch)
        return {}

    async def _gather(self, batch: _Batch[K]) -> None:
        """Wait until the window is over, or the batch is full."""
        if not self._window:
            await asyncio.sleep(0)
            return
        timer: asyncio.Task[None] = asyncio.create_task(self._clock.sleep(self._window))  # ends in this call
        try:
            await asyncio.wait([timer, batch.enough], return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()

    async def _ask(self, batch: _Batch[K]) -> None:
        if self._open is not None and self._open[0] is batch:
            self._open = None
        batch.has_begun = True
        keys = list(batch.wanted)
        found = await call(self._function, keys)
        if not isinstance(found, Mapping):
            raise InvalidArgumentError(
                f"function must give a mapping of keys to values, not {type(found).__name__}: dict(zip(keys, rows))"
            )
        answers = cast("Mapping[K, object]", found)
        for key in batch.wanted:
            value = answers.get(key, MISSING)
            if value is not MISSING:
                batch.found[key] = _Failed(value, value.__traceback__) if isinstance(value, Exception) else value

    # --- the end -----------------------------------------------------------------------------------------------------

    async def close(self, timeout: float | None = None) -> None:
        """Take no more questions, and answer those that were asked; closing twice is fine.

        Batches that gather begin at once. What is under way is given `timeout` seconds, None for as long as it takes
        and 0 for not at all, and is ended then: who waits for it gets `BatchLoaderClosedError`. So does everybody who
        asks from now on.
        """
        self._closed = True
        self._open = None
        for batch in self._under_way.values():
            batch.suffice()
        here = asyncio.current_task()
        tasks = {flight.task for flight in self._under_way if flight.task is not None and flight.task is not here}
        timer: asyncio.Task[None] | None = None
        try:
            if timeout is not None:
                timer = asyncio.create_task(self._clock.sleep(timeout))  # ends in this call
            left = set(tasks)
            while left and (timer is None or not timer.done()):
                waited = left if timer is None else left | {timer}
                _, pending = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                left &= pending
        finally:
            if timer is not None:
                timer.cancel()
            for flight in [each for each in self._under_way if each.task in tasks]:
                flight.land({}, BatchLoaderClosedError())
                if flight.task is not None:
                    flight.task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _window(seconds: object) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0.0 <= seconds < math.inf:
        raise InvalidArgumentError(f"window must be a number of seconds from 0 up, not {seconds!r:.40}")
    return float(seconds)
