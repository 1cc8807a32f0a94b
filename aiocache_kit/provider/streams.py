"""Streams of events, and listeners that read them: what somebody hears of a provider.

Rule 1: whoever makes an event puts a few facts into a queue and goes on: no caller of the cache waits for a listener,
runs its code or sees its errors. What is told is made of the facts by whoever reads.
Rule 2: a queue is bounded. The oldest goes for the newest, and is counted.
Rule 3: what a listener raises is logged, seldom, and the next event is told all the same.
"""

import asyncio
import inspect
from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, TypeAlias

from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.events import (
    READS,
    CircuitChange,
    Event,
    EventKind,
    Failure,
    Hit,
    Load,
    Miss,
    Refresh,
    Refusal,
    Removal,
    StaleHit,
)
from aiocache_kit.keys import parted
from aiocache_kit.management.key_groups import KeyGrouping
from aiocache_kit.management.quiet_log import QuietLog

Facts: TypeAlias = tuple[Any, ...]
"""What kind, when, the stored key or None, and what the kind has besides, in the order of its fields."""
MOST_ROOM: Final = 1_000_000
_LAST_WORDS: Final = 1.0
"""Seconds that a listener has for what waits when the provider is closed."""
_BATCH: Final = 100
"""Events that are told before others have their turn."""
_READS: Final[dict[EventKind, type[Hit | Miss]]] = {
    EventKind.HIT: Hit,
    EventKind.STALE_HIT: StaleHit,
    EventKind.MISS: Miss,
}


class Choice(NamedTuple):
    """What a listener wants to hear."""

    kinds: frozenset[EventKind]
    keys: bool
    room: int
    sample: int
    prefix: str
    """What the stored keys of its namespace begin with."""


def choice(kinds: Iterable[str] | None, *, keys: bool, room: int, sample: int, prefix: str) -> Choice:
    """Check what a listener asked for; raise `InvalidArgumentError`."""
    if isinstance(kinds, str):
        raise InvalidArgumentError("kinds must be a collection of kinds, not a single one")
    try:
        chosen = frozenset(EventKind if kinds is None else map(EventKind, kinds))
    except ValueError as error:
        raise InvalidArgumentError(f"kinds must be out of {', '.join(EventKind)}") from error
    for name, given, most in (("room", room, MOST_ROOM), ("sample", sample, MOST_ROOM)):
        if type(given) is not int or not 1 <= given <= most:
            raise InvalidArgumentError(f"{name} must be an int from 1 to {most}, not {given!r:.40}")
    return Choice(chosen, keys, room, sample, prefix)


class EventStream:
    """Events, one after the other: ``async for event in stream``. It ends when the provider, or its block, does."""

    def __init__(
        self,
        chosen: Choice,
        grouping: Callable[[], KeyGrouping],
        leave: "Callable[[EventStream], None]",
        random: Random,
    ) -> None:
        """Hold events of a provider, which puts them in by `offer`; `leave` tells it to put in no more.

        `random` chooses the sample.
        """
        self.chosen: Final = chosen
        self.dropped: int = 0
        """Events that had to go because nobody took them in time."""
        self._grouping = grouping
        self._leave = leave
        self._random = random
        self._queue: deque[Facts] = deque(maxlen=chosen.room)
        self._something = asyncio.Event()
        self._is_waited_for = False
        self._ended = False
        self._prefix, self._sample, self._room = chosen.prefix, chosen.sample, chosen.room
        self._left = 1
        """Reads until the next one of the sample."""

    def __repr__(self) -> str:
        return f"<EventStream, {len(self._queue)} events wait, {self.dropped} were dropped>"

    def offer(self, facts: Facts, stands_for: int = 1) -> None:
        """Put an event in, in place of the oldest one where there is no room; it was chosen out of so many."""
        prefix, sample = self._prefix, self._sample
        if prefix and facts[2] is not None and not facts[2].startswith(prefix):
            return
        if stands_for < sample and facts[0] in READS:
            self._left -= stands_for
            if self._left > 0:
                return
            # By chance, so that what comes in a rhythm is not always met, or never.
            self._left += self._random.randint(1, 2 * sample - 1)
        queue = self._queue
        if len(queue) == self._room:
            self.dropped += 1
        queue.append(facts)
        if self._is_waited_for:
            self._is_waited_for = False
            self._something.set()

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes in."""
        return self._ended

    def take(self) -> list[Event]:
        """Give what is there now, the oldest first, without waiting."""
        events = [self._event(facts) for facts in self._queue]
        self._queue.clear()
        return events

    def end(self) -> None:
        """Take in no more; whoever reads gets what is there, and then the end."""
        self._ended = True
        self._something.set()
        self._leave(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        self.end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            await self._wait()
        return self._event(self._queue.popleft())

    async def _wait(self) -> None:
        if not self._is_waited_for:
            self._something = asyncio.Event()
            self._is_waited_for = True
        await self._something.wait()

    def renew(self) -> None:
        """Let nobody wait any more: the loop that somebody waited on is gone."""
        self._is_waited_for = False

    async def some(self) -> list[Event]:
        """Wait until something is there, and give at most a hundred of it; nothing: the stream has ended."""
        while not self._queue and not self._ended:
            await self._wait()
        return [self._event(self._queue.popleft()) for _ in range(min(_BATCH, len(self._queue)))]

    def _event(self, facts: Facts) -> Event:
        kind, at, full, *rest = facts
        if full is None:
            return _without_key(kind, at, rest)
        names, key = parted(full)
        of_key: dict[str, Any] = {
            "at": at,
            "namespace": ":".join(names),
            "group": self._grouping().of(key) if key else "",
            "key": key if key and self.chosen.keys else None,
        }
        if kind in READS:
            return _READS[kind](**of_key, weight=self.chosen.sample)
        match kind:
            case EventKind.LOAD:
                return Load(**of_key, seconds=rest[0], keys=rest[1], error=rest[2])
            case EventKind.REFRESH:
                return Refresh(**of_key)
            case EventKind.REFUSAL:
                return Refusal(**of_key, cause=rest[0])
            case _:
                return Removal(**of_key, cause=rest[0], layer=rest[1])


def _without_key(kind: EventKind, at: float, rest: list[Any]) -> Event:
    if kind is EventKind.FAILURE:
        return Failure(at=at, doing=rest[0], error=rest[1])
    return CircuitChange(at=at, state=rest[0], layer=rest[1])


class Listening:
    """One listener, until it is stopped or the provider is closed."""

    def __init__(
        self,
        stream: EventStream,
        function: Callable[[Event], object],
        log: QuietLog,
        ended: "Callable[[Listening], None]",
    ) -> None:
        """Hand what `stream` gives to `function`, once `start` is called; `ended` is told that it is over."""
        if not callable(function):
            raise InvalidArgumentError(f"a listener must be callable, not {type(function).__name__}")
        self._stream = stream
        self._function = function
        self._log = log
        self._ended = ended
        self._is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004  - an object with such a method is a listener as well
        )
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def __repr__(self) -> str:
        return f"<Listening, {self.dropped} events were dropped>"

    @property
    def dropped(self) -> int:
        """Events that had to go because the listener was too slow."""
        return self._stream.dropped

    def start(self) -> None:
        """Begin to tell, or begin again on the running loop if the loop of before is gone."""
        if self._stopped or (self._task is not None and self._task.get_loop() is asyncio.get_running_loop()):
            return
        self._stream.renew()
        self._task = asyncio.create_task(self._run(), name="aiocache_kit tells a listener")  # ends in `stop` or `close`
        self._task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        del task
        if self._stopped or self._stream.has_ended:  # and not only its loop
            self._ended(self)

    @property
    def is_here(self) -> bool:
        """Whether it is the listener who asks."""
        return self._task is not None and self._task is asyncio.current_task()

    def stop(self) -> None:
        """Tell no more, at once; what waits is dropped."""
        self._stopped = True
        self._stream.end()
        if self._task is None:
            self._ended(self)
        else:
            self._task.cancel()

    async def close(self) -> None:
        """Tell what waits, within a second, and then no more."""
        self._stream.end()
        task = self._task
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            return
        if not self._stopped:
            await asyncio.wait([task], timeout=_LAST_WORDS)
        self._stopped = True
        task.cancel()
        await asyncio.wait([task])

    async def _run(self) -> None:
        while events := await self._stream.some():
            if self._is_async:
                for event in events:
                    await self._tell(event)
            else:
                await asyncio.to_thread(self._tell_all, events)

    async def _tell(self, event: Event) -> None:
        try:
            result: Any = self._function(event)
            await result
        except Exception as error:  # noqa: BLE001  - of somebody else, and the next event is told
            self._log.warning("a listener of events failed: %s", error)

    def _tell_all(self, events: list[Event]) -> None:
        for event in events:
            if self._stopped:
                return
            try:
                self._function(event)
            except Exception as error:  # noqa: BLE001  - as above
                self._log.warning("a listener of events failed: %s", error)
