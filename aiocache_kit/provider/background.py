"""Work that goes on when nobody waits for it: loads in the background.

Rule 1: every task has this owner; it is bounded in number, and none is left after `close`.
Rule 2: an error of such a load is logged, without keys and values, and no more often than once in ten seconds.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Final, TypeVar

from aiocache_kit.clock import Clock
from aiocache_kit.errors import CacheError, LoadTimeoutError

T = TypeVar("T")
MOST: Final = 1000
"""Loads in the background at a time; where there are so many, no more are begun."""
_QUIET: Final = 10.0
_log: Final = logging.getLogger("aiocache_kit")


class Background:
    """The background loads of one provider."""

    __slots__ = ("_clock", "_quiet_until", "_tasks")

    def __init__(self, clock: Clock) -> None:
        """Start with none."""
        self._clock = clock
        self._tasks: set[asyncio.Task[object]] = set()
        self._quiet_until = 0.0

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def is_full(self) -> bool:
        """Whether no more can be begun."""
        return len(self._tasks) >= MOST

    def begin(self, work: Coroutine[object, object, object]) -> "asyncio.Task[object]":
        """Let `work` go on as a task of its own; there must be room."""
        task: asyncio.Task[object] = asyncio.get_running_loop().create_task(work, name="aiocache_kit loads anew")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[object]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        now = self._clock.monotonic()
        if error is not None and now >= self._quiet_until:
            self._quiet_until = now + _QUIET
            said = str(error) if isinstance(error, CacheError) else type(error).__name__
            _log.warning("a load in the background failed: %s", said)

    async def within(self, seconds: float, work: Coroutine[object, object, object]) -> object:
        """Wait for `work`, a loader's, for at most so long; then end it and raise `LoadTimeoutError`.

        A loader that defies its end goes on without anybody to wait for it, and is one of the tasks of this owner.
        """
        task = self.begin(work)
        timer: asyncio.Task[object] = asyncio.create_task(self._clock.sleep(seconds))  # ends in this call
        try:
            await asyncio.wait([task, timer], return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise LoadTimeoutError
            return task.result()
        finally:
            timer.cancel()
            task.cancel()

    async def close(self, timeout: float = 0.0) -> None:
        """Wait `timeout` seconds for what is under way, and end the rest."""
        if self._tasks and timeout > 0:
            timer: asyncio.Task[object] = asyncio.create_task(self._clock.sleep(timeout))  # ends in this call
            try:
                while self._tasks and not timer.done():
                    await asyncio.wait({timer, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                timer.cancel()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
