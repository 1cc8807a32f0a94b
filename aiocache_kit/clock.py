"""Time, the only file that reads it.

Rule 1: no other file of the package imports ``time`` or asks the event loop for the time; it is handed a `Clock`.
Rule 2: expiry is decided on `monotonic`, which never goes back; `time` is for people and for other processes.
Rule 3: one operation reads the clock once and passes the reading on, so that nothing expires between two of its lines.
"""

import asyncio
import time as _time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from; `SystemClock` outside tests, `aiocache_kit.testing.FakeClock` within."""

    def monotonic(self) -> float:
        """Read seconds that never decrease, above zero, which means nothing. Hot paths bind this once and keep it."""
        ...

    def time(self) -> float:
        """Read seconds since the epoch (UTC); they may jump when somebody sets the clock."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed on this clock; if they are zero or negative, after a turn of the loop."""
        ...


class SystemClock:
    """The clock of this machine."""

    __slots__ = ()

    # Static, so that the attribute is the C function itself, with no frame around it.
    monotonic: "staticmethod[[], float]" = staticmethod(_time.monotonic)
    time: "staticmethod[[], float]" = staticmethod(_time.time)

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` on the running event loop; for one turn of it if they are zero or negative."""
        await asyncio.sleep(max(seconds, 0.0))

    def __repr__(self) -> str:
        return "SystemClock()"


stopwatch: Callable[[], float] = _time.perf_counter
"""Seconds of the finest timer there is: for durations of a piece of work, such as slices and sampled latencies.

It is real time even where a test turns the `Clock` by hand: a slice is bounded in what it takes from the event loop.
"""
