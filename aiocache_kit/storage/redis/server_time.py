"""The time by the server's clock: what dates in stored items are counted in, whatever the clocks of their writers say.

Asked now and then, and counted on by this process's monotonic clock. Two processes agree within a round trip.

Rule: an answer that took long says little: it may have lain here while the event loop stood still. So the server is
asked again at once, some times, and soon again where all answers took long; what is known already stays, as long as the
answers do not speak against it.
"""

import math
from typing import Final

from aiocache_kit.clock import Clock, stopwatch
from aiocache_kit.storage.redis.link import Channel

AGE: Final = 30.0
"""Seconds of real time after which the server is asked again."""
SOON: Final = 3.0
"""The same where it did not answer promptly."""
_PROMPT: Final = 0.1
"""Seconds that a prompt answer takes at most."""
_TIMES: Final = 3
"""How often it is asked until it answers promptly."""
_MICRO: Final = 1e-6


class ServerTime:
    """What the server's clock says."""

    __slots__ = ("_age", "_asked_at", "_clock", "_monotonic", "_offset", "_took")

    def __init__(self, clock: Clock) -> None:
        """Count on `clock`."""
        self.use(clock)

    def use(self, clock: Clock) -> None:
        """Count on `clock` from now on, beginning with its own wall clock until the server was asked."""
        self._clock = clock
        self._monotonic = clock.monotonic
        self._offset = clock.time() - clock.monotonic()
        self._asked_at: float | None = None
        self._took = math.inf
        """How long the answer took that the offset comes from."""
        self._age = AGE

    def now(self) -> float:
        """Give the seconds since the epoch by the server's clock."""
        return self._monotonic() + self._offset

    def from_here(self, date: float) -> float:
        """Give a date by the wall clock of this process as one by the server's."""
        return date - self._clock.time() + self.now()

    def to_here(self, date: float) -> float:
        """Give a date by the server's clock as one by the wall clock of this process."""
        return date - self.now() + self._clock.time()

    @property
    def is_old(self) -> bool:
        """Whether it is time to ask again."""
        return self._asked_at is None or stopwatch() - self._asked_at >= self._age

    async def ask(self, channel: Channel) -> None:
        """Ask the server; raises what the channel raises."""
        took, offset = await self._answer(channel)
        for _ in range(_TIMES - 1):
            if took > _PROMPT:
                took, offset = min((took, offset), await self._answer(channel))
        if took <= max(_PROMPT, self._took) or abs(offset - self._offset) > took / 2:
            self._offset, self._took = offset, took
        self._age = AGE if took <= _PROMPT else SOON
        self._asked_at = stopwatch()

    async def _answer(self, channel: Channel) -> tuple[float, float]:
        """Give how long the server took for an answer, and the offset of its clock if that was half-way."""
        before = self._clock.monotonic()
        seconds, micros = await channel.call((b"TIME",), again=True)
        after = self._clock.monotonic()
        return after - before, int(seconds) + int(micros) * _MICRO - (before + after) / 2
