"""Work that goes on when nobody waits for it: loads in the background.

Rule 1: every task has this owner, and none is left after `close`. Those that nobody waits for are bounded in number.
Rule 2: an error of such a load is logged, now and then (`QuietLog`).
"""

import asyncio
import inspect
from collections.abc import Callable, Collection, Coroutine
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

    __slots__ = ("_clock", "_closed", "_kept", "_log", "_most", "_tasks", "keys")

    def __init__(self, clock: Clock, log: QuietLog | None = None, *, most: int = MOST) -> None:
        """Start with none; no more than `most` that nobody waits for go on at a time."""
        self._most = most
        self.keys: set[str] = set()
        """Keys whose load was begun and is not under way yet, because its task has had no turn."""
        self._closed = False
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
        return self._closed or len(self._kept) >= self._most

    def begin(
        self, work: Coroutine[object, object, object], context: Context | None = None, keys: Collection[str] = ()
    ) -> None:
        """Let `work`, which loads `keys`, go on as a task of its own, in `context`; there must be room."""
        task = self._own(self._started(work, keys), context)
        self.keys.update(keys)
        task.add_done_callback(lambda _: self._not_started(work, keys))
        self._kept[task] = work

    async def _started(self, work: Coroutine[object, object, object], keys: Collection[str]) -> None:
        self.keys.difference_update(keys)
        await work

    def _not_started(self, work: Coroutine[object, object, object], keys: Collection[str]) -> None:
        """Forget a load that was cancelled before its first step."""
        if inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
            self.keys.difference_update(keys)
            work.close()

    def _own(self, work: Coroutine[object, object, T], context: Context | None = None) -> "asyncio.Task[T]":
        if self._closed:
            work.close()
            raise ProviderClosedError
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
            return self._outcome(task)
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
                return self._outcome(task)
            known = subject()
            goes_on = known is not None and not self.is_full and all(each is not known for each in self._kept.values())
            if goes_on:
                self._kept[task] = known
            raise StillLoadingError
        finally:
            if not goes_on:
                task.cancel()

    def _outcome(self, task: "asyncio.Task[T]") -> T:
        """Give what a task gave; who waits for one that `close` has ended is told so, and not cancelled himself."""
        if self._closed and task.cancelled():
            raise ProviderClosedError
        return task.result()

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
        self._closed = True
        here = asyncio.current_task()
        tasks = {task for task in self._tasks if task is not here}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
