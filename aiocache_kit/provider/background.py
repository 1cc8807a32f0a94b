"""Work that goes on when nobody waits for it: loads in the background.

Rule 1: every task has this owner, and none is left after `close`. Those that nobody waits for are bounded in number.
Rule 2: an error of such a load is logged, now and then (`QuietLog`).
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Final, TypeVar

from aiocache_kit.clock import Clock
from aiocache_kit.errors import LoadTimeoutError, ProviderClosedError
from aiocache_kit.management.quiet_log import QuietLog

T = TypeVar("T")
MOST: Final = 1000
"""Loads that nobody waits for, at a time; where there are so many, no more are begun."""


class StillLoadingError(Exception):
    """Raised to whoever has waited for a load long enough, and could have an old value; never reaches a user."""


class Background:
    """The background loads of one provider."""

    __slots__ = ("_clock", "_kept", "_log", "_tasks")

    def __init__(self, clock: Clock, log: QuietLog | None = None) -> None:
        """Start with none."""
        self._clock = clock
        self._log = QuietLog(clock) if log is None else log
        self._tasks: set[asyncio.Task[Any]] = set()
        self._kept: dict[asyncio.Task[Any], object] = {}
        """What nobody waits for, with what it waits for itself."""

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def is_full(self) -> bool:
        """Whether no more can be begun."""
        return len(self._kept) >= MOST

    def begin(self, work: Coroutine[object, object, object], context: Context | None = None) -> None:
        """Let `work` go on as a task of its own, in `context`; there must be room."""
        self._kept[self._own(work, context)] = work

    def _own(self, work: Coroutine[object, object, T], context: Context | None = None) -> "asyncio.Task[T]":
        task = asyncio.get_running_loop().create_task(work, name="aiocache_kit loads", context=context)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if self._kept.pop(task, None) is None or error is None or isinstance(error, ProviderClosedError):
            return  # somebody waits for it and is told, or there is nothing to tell
        self._log.failed("background load", "a load in the background failed: %s", error=error)

    async def within(self, seconds: float, work: Coroutine[object, object, T]) -> T:
        """Wait for `work`, a loader's, for at most so long; then end it and raise `LoadTimeoutError`.

        A loader that defies its end goes on without anybody to wait for it, and is one of the tasks of this owner.
        """
        task = self._own(work)
        try:
            if not await self._is_done(task, seconds):
                raise LoadTimeoutError
            return task.result()
        finally:
            task.cancel()

    async def or_later(
        self, seconds: float, work: Coroutine[object, object, T], subject: Callable[[], object | None]
    ) -> T:
        """Wait for `work` for at most so long; raise `StillLoadingError` then, and let it go on.

        `subject` gives what the work waits for itself, None for nothing of use any more: one that goes on is enough for
        each, and where there is no room, none goes on. Who is cancelled meanwhile ends the work.
        """
        task = self._own(work)
        goes_on = False
        try:
            if await self._is_done(task, seconds):
                return task.result()
            known = subject()
            goes_on = known is not None and not self.is_full and all(each is not known for each in self._kept.values())
            if goes_on:
                self._kept[task] = known
            raise StillLoadingError
        finally:
            if not goes_on:
                task.cancel()

    async def _is_done(self, task: "asyncio.Task[Any]", seconds: float) -> bool:
        timer: asyncio.Task[None] = asyncio.create_task(self._clock.sleep(seconds))  # ends in this call
        try:
            await asyncio.wait([task, timer], return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        return task.done()

    async def close(self, timeout: float = 0.0) -> None:
        """Wait `timeout` seconds for what nobody else waits for, and end the rest."""
        if self._kept and timeout > 0:
            timer: asyncio.Task[None] = asyncio.create_task(self._clock.sleep(timeout))  # ends in this call
            try:
                while self._kept and not timer.done():
                    await asyncio.wait({timer, *self._kept}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                timer.cancel()
        here = asyncio.current_task()
        tasks = {task for task in self._tasks if task is not here}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
