"""A clock that a test turns by hand.

Rule 1: time stands still unless the test moves it, and then nothing really waits.
Rule 2: `advance` wakes those who sleep one deadline after the other, each at its own instant and with time to do what
follows, as real time would; `leap` wakes all of them late, as after a process that stood still.
Rule 3: `monotonic` and `time` move together; only `set_time` moves `time` alone.
"""

import asyncio
import heapq
import math
from collections.abc import Callable
from itertools import count
from typing import Final, TypeAlias

from aiocache_kit.errors import InvalidArgumentError

Reading: TypeAlias = Callable[[], float]

_MOST_TURNS: Final = 100_000
"""Turns of the event loop after which whatever is still running will not come to rest by itself."""
_BLIND_TURNS: Final = 50
"""Turns to give where the event loop does not tell whether anything is ready."""


class FakeClock:
    """A `aiocache_kit.clock.Clock` for tests: hand it to a provider, or to a storage, and turn it.

    `monotonic` begins at 1000 seconds and `time` at 1,700,000,000: whole numbers, so that sums of halves and quarters
    of seconds are exact.
    """

    def __init__(self, *, monotonic: float = 1000.0, time: float = 1_700_000_000.0) -> None:
        """Start at these readings, in seconds. Raises `InvalidArgumentError` unless `monotonic` is above zero."""
        if not monotonic > 0.0:
            raise InvalidArgumentError("monotonic must be above zero: that is where storages keep what never ends")
        self._now = monotonic
        self._wall = time
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()
        self.monotonic: Reading = lambda: self._now
        self.time: Reading = lambda: self._wall

    def __repr__(self) -> str:
        return f"<FakeClock at {self._now}, {self.sleepers} sleepers>"

    @property
    def sleepers(self) -> int:
        """How many wait for this clock."""
        return sum(not waiter.done() for _, _, waiter in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """Return when the clock was turned `seconds` forward; after a turn of the loop if they are zero or negative."""
        if seconds <= 0.0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), waiter))
        await waiter

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass, and everybody whose sleep ends meanwhile do what is to be done at that instant.

        Returns once nothing is ready to run. Everybody wakes as often as in real time, a provider every second: years
        are for `leap`. Raises `InvalidArgumentError` unless `seconds` is finite and not negative.
        """
        await self.settle()
        end = self._now + _checked(seconds)
        while self._sleepers and self._sleepers[0][0] <= end:
            self._turn_to(self._sleepers[0][0])
            await self.settle()
        self._turn_to(end)
        await self.settle()

    def leap(self, seconds: float) -> None:
        """Let `seconds` pass at once, as if the process had stood still; those whose sleep is over run afterwards.

        Raises `InvalidArgumentError` unless `seconds` is finite and not negative.
        """
        self._turn_to(self._now + _checked(seconds))

    def set_time(self, time: float) -> None:
        """Let somebody set the wall clock to `time`, seconds since the epoch; nobody wakes, `monotonic` goes on."""
        self._wall = time

    async def settle(self) -> None:
        """Let everything run that is ready, until all tasks wait for something; no time passes.

        What other threads do is not waited for. Raises `RuntimeError` where something never comes to rest.
        """
        ready: object = getattr(
            asyncio.get_running_loop(), "_ready", None
        )  # asyncio's own loops keep it, others do not
        for turn in range(_MOST_TURNS):
            await asyncio.sleep(0)
            if not ready if ready is not None else turn >= _BLIND_TURNS:
                return
        msg = "some task runs on and on without waiting for anything"
        raise RuntimeError(msg)

    def _turn_to(self, instant: float) -> None:
        self._wall += instant - self._now
        self._now = instant
        while self._sleepers and self._sleepers[0][0] <= instant:
            _, _, waiter = heapq.heappop(self._sleepers)
            if not waiter.done():
                waiter.set_result(None)


def _checked(seconds: float) -> float:
    if not 0.0 <= seconds < math.inf:
        msg = f"seconds must be a finite number from 0 up, not {seconds!r}"
        raise InvalidArgumentError(msg)
    return seconds
