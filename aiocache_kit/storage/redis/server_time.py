"""The time by the server's clock: what dates in stored items are counted in, whatever the clocks of their writers say.

Asked now and then, and counted on by this process's monotonic clock. Two processes agree within a round trip.
"""

from typing import Final

from aiocache_kit.clock import Clock, stopwatch
from aiocache_kit.storage.redis.link import Channel

AGE: Final = 30.0
"""Seconds of real time after which the server is asked again."""
_MICRO: Final = 1e-6


class ServerTime:
    """What the server's clock says."""

    __slots__ = ("_asked_at", "_clock", "_monotonic", "_offset")

    def __init__(self, clock: Clock) -> None:
        """Count on `clock`."""
        self.use(clock)

    def use(self, clock: Clock) -> None:
        """Count on `clock` from now on, beginning with its own wall clock until the server was asked."""
        self._clock = clock
        self._monotonic = clock.monotonic
        self._offset = clock.time() - clock.monotonic()
        self._asked_at: float | None = None

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
        return self._asked_at is None or stopwatch() - self._asked_at >= AGE

    async def ask(self, channel: Channel) -> None:
        """Ask the server; raises what the channel raises."""
        before = self._clock.monotonic()
        seconds, micros = await channel.call((b"TIME",), again=True)
        after = self._clock.monotonic()
        self._offset = int(seconds) + int(micros) * _MICRO - (before + after) / 2
        self._asked_at = stopwatch()
