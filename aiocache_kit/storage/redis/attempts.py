"""How long a command is waited for, and how often it is tried.

Rule 1: each step of a call has a time of its own, and the whole call the sum of them, whatever it had to try again.
Rule 2: a command that the server may have done is tried again only where doing it twice is doing it once. One that was
refused for now (LOADING, READONLY and such), or never left, may always be tried again.
Rule 3: an answer that did not come in time is not waited for a second time: the call fails.
Rule 4: to the breaker, a connection that was cut is one failure, however many calls it ends. Those that did not come in
time are as many as they are.
"""

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy
from random import Random
from typing import Any, Final, NamedTuple, TypeVar

from hiredis import ReplyError

from aiocache_kit.clock import stopwatch
from aiocache_kit.errors import CacheError, StorageUnavailableError
from aiocache_kit.management.circuit_breaker import CircuitBreaker
from aiocache_kit.storage.redis.replies import LATER, as_cause, code_of, failure, refusal
from aiocache_kit.storage.redis.wire import Lost

T = TypeVar("T")

FIRST_PAUSE: Final = 0.01
LONGEST_PAUSE: Final = 0.5
"""Seconds between two attempts to connect, or to have a command taken that was refused for now."""
_random: Final = Random()  # noqa: S311  - spreads pauses, guards nothing


class Times(NamedTuple):
    """Seconds that the steps of a call may take."""

    connect: float = 1.0
    """To have a connection that is open and knows who we are."""
    send: float = 1.0
    """To hand the command to the network."""
    answer: float = 1.0
    """To have the reply."""
    free: float = 0.0
    """To be given a connection of a pool; zero where there is none."""

    @property
    def whole(self) -> float:
        """The seconds after which a call has ended, however it went."""
        return sum(self)


class Deadline:
    """When a call has to end, and the step of it that is under way."""

    __slots__ = ("_end", "_timeout")

    def __init__(self, timeout: asyncio.Timeout, end: float) -> None:
        """Bound what runs under `timeout`, which ends at `end` by the clock of the event loop at the latest."""
        self._timeout = timeout
        self._end = end

    def step(self, seconds: float) -> None:
        """Let the step that begins now take so long, within the time of the call."""
        self._timeout.reschedule(min(self._end, asyncio.get_running_loop().time() + seconds))


class Attempts:
    """Tries for one server."""

    __slots__ = ("_breaker", "_retries", "_waits", "times")

    def __init__(
        self, *, times: Times, retries: int, breaker: CircuitBreaker | None, waits: frozenset[str] = LATER
    ) -> None:
        """Try `retries` times more at most where that is allowed, within `times`.

        `breaker` None: each call tries. `waits` holds the codes of refusals after which the same server is asked again.
        """
        self.times: Final = times
        self._retries = retries
        self._breaker = breaker
        self._waits = waits

    def connected(self) -> None:
        """Know that the server has answered: by the new connection, calls go without asking the breaker."""
        if self._breaker is not None:
            self._breaker.restore(stopwatch())

    async def run(
        self,
        attempt: Callable[[Deadline], Awaitable[T]],
        *,
        again: bool,
        start: float,
        lost: Lost | None = None,
        is_open: bool = False,
        reason: Callable[[], CacheError | None] = lambda: None,
    ) -> T:
        """Make attempts until one succeeds, may not be repeated, or the time is over that began at `start`.

        `lost` is how an attempt ended that was made before, which the breaker had let through. `is_open`: there is a
        connection, so that the breaker need not be asked. `reason` tells why no connection could be made, if none
        could.
        """
        breaker = self._breaker
        if breaker is not None and lost is None and not is_open and not breaker.allows(stopwatch()):
            raise StorageUnavailableError("Redis did not answer of late, and is left alone for a moment")
        left = max(start + self.times.whole - stopwatch(), 0.0)
        try:
            async with asyncio.timeout(left) as timeout:
                deadline = Deadline(timeout, asyncio.get_running_loop().time() + left)
                reply = await self._persistently(attempt, deadline, again=again, lost=lost)
        except asyncio.CancelledError:
            if breaker is not None:
                breaker.abandoned(stopwatch())
            raise
        except TimeoutError as error:
            if breaker is not None:
                breaker.failed(stopwatch())
            raise anew(reason() or failure(error)) from error
        except Lost as error:
            self._note(error)
            raise failure(error) from error
        except CacheError:
            if breaker is not None:
                breaker.failed(stopwatch())
            raise
        if breaker is not None:
            breaker.succeeded(stopwatch())
        return reply

    def _note(self, lost: Lost) -> None:
        if self._breaker is None:
            return
        if lost.loss.is_counted and not lost.late:
            self._breaker.abandoned(stopwatch())
        else:
            lost.loss.is_counted = True
            self._breaker.failed(stopwatch())

    async def _persistently(
        self, attempt: Callable[[Deadline], Awaitable[T]], deadline: Deadline, *, again: bool, lost: Lost | None
    ) -> T:
        left = self._retries
        while True:
            if lost is not None:
                if lost.late or (lost.sent and not again) or not left:
                    raise lost
                left -= 1
            try:
                return await attempt(deadline)
            except Lost as error:
                lost = error

    def is_for_now(self, reply: object) -> bool:
        """Whether a reply is a refusal after which the same server is to be asked again."""
        return isinstance(reply, ReplyError) and code_of(reply) in self._waits

    async def insist(self, reply: ReplyError, start: float, send: Callable[[ReplyError], Awaitable[Any]]) -> Any:  # noqa: ANN401  - what Redis answers
        """Send a command again that was refused for now, until the time is over; raise what is final."""
        pause = FIRST_PAUSE
        while self.is_for_now(reply) and stopwatch() - start + pause < self.times.whole:
            await asyncio.sleep(spread(pause))
            pause = min(pause * 2, LONGEST_PAUSE)
            answer = await send(reply)
            if answer.__class__ is not ReplyError:
                return answer
            reply = answer
        raise refusal(reply) from as_cause(reply)


def spread(pause: float) -> float:
    """Give a pause that is up to a half shorter, so that those who wait for the same thing do not come together."""
    return pause * _random.uniform(0.5, 1.0)


def anew(error: CacheError) -> CacheError:
    """Give the same error for one more caller: each gets a traceback of his own."""
    other = copy(error)
    other.__cause__ = error.__cause__
    return other
