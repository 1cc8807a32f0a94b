"""How long a node may take for an answer, on the clock of the storage.

Rule: one task watches over all calls to one node, and only while there are any, so that a call costs no task of its
own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from aiocache_kit.clock import Clock, SystemClock

T = TypeVar("T")
_AT_ONCE: Final = 0.0


class Patience:
    """Ends calls that take longer than `seconds`."""

    __slots__ = ("_deadlines", "_is_closed", "_watcher", "clock", "seconds")

    def __init__(self, seconds: float) -> None:
        """Start without calls."""
        self.seconds: Final = seconds
        self.clock: Clock = SystemClock()
        self._deadlines: dict[asyncio.Timeout, float] = {}
        """Those under way, and when they have to end."""
        self._watcher: asyncio.Task[None] | None = None
        self._is_closed = False

    async def within(self, act: Callable[[], Awaitable[T]], times: int = 1) -> T:
        """Give what `act` gives; raise `TimeoutError` where it takes `times` as long as a call may, and end it."""
        limit = asyncio.timeout(None)
        async with limit:
            self._deadlines[limit] = self.clock.monotonic() + self.seconds * times
            try:
                if self._watcher is None or self._watcher.done():
                    name = "aiocache_kit time limits"
                    self._watcher = asyncio.create_task(self._watch(), name=name)  # ends with the calls, or in `close`
                return await act()
            finally:
                del self._deadlines[limit]
                # A call that was under way at the close may have begun to watch anew.
                if self._is_closed and not self._deadlines and self._watcher is not None:
                    self._watcher.cancel()

    async def close(self) -> None:
        """Stop watching; for calls that are still under way, until the last of them ends."""
        self._is_closed = True
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])

    async def _watch(self) -> None:
        while self._deadlines:
            await self.clock.sleep(min(self._deadlines.values()) - self.clock.monotonic())
            now = self.clock.monotonic()
            for limit in [limit for limit, deadline in self._deadlines.items() if deadline <= now]:
                limit.reschedule(_AT_ONCE)
            await asyncio.sleep(0)  # those whose time is over leave before the next look
