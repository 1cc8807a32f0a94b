"""Long work on the event loop, in slices: nothing here holds the loop for more than about a millisecond.

Rule: the slice is shorter than what it promises, since the last step before the look at the watch may be a slow one.
"""

import asyncio
from typing import Final

from aiocache_kit.clock import stopwatch

SLICE: Final = 0.0005
"""Seconds of work between two turns of the event loop."""


class Pace:
    """Tells when a slice is over: ``if pace.is_over(): await pace.rest()`` after each small step."""

    __slots__ = ("_end",)

    def __init__(self) -> None:
        self._end = stopwatch() + SLICE

    def is_over(self) -> bool:
        """Whether it is time to let others run."""
        return stopwatch() >= self._end

    async def rest(self) -> None:
        """Let everything run that is ready, and begin the next slice."""
        await asyncio.sleep(0)
        self._end = stopwatch() + SLICE
