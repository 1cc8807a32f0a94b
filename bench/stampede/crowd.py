"""A thousand callers of one cold key, and four ways in which that may end.

Rule: the callers are tasks of their own, as requests to a web service are; who leaves is a task that is cancelled.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from bench.compare.subject import VALUE, Call

PATIENCE: Final = 15.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How many callers there are, and the seconds that a load takes: `long` ones where somebody leaves meanwhile."""

    callers: int
    short: float
    long: float


FULL: Final = Scale(callers=1000, short=0.05, long=0.5)
QUICK: Final = Scale(callers=50, short=0.01, long=0.1)


class SourceError(Exception):
    """What the loader raises where it is asked to."""


class Source:
    """The loader, and what became of it."""

    def __init__(self, seconds: float, *, fails: bool = False) -> None:
        """Take so many seconds to give `VALUE`, or to raise `SourceError` where it `fails`."""
        self.seconds = seconds
        self._fails = fails
        self.calls = 0
        self.cancelled = 0

    async def load(self, key: str) -> bytes:
        """Take a while."""
        del key
        self.calls += 1
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self._fails:
            raise SourceError
        return VALUE


@dataclass(slots=True)
class Ending:
    """How it ended for source and callers."""

    calls: int
    """Loads."""
    cancelled: int
    """Loads that were cancelled."""
    values: int
    """Callers who got the value,"""
    errors: int
    """who got what the loader raised,"""
    lost: int
    """who were cancelled, though they had not left, or got another error,"""
    hung: int
    """and who still waited after fifteen seconds."""
    ms: float
    """Milliseconds until the last of them had an answer."""


async def crowd(call: Call, source: Source, callers: int) -> Ending:
    """All stay."""
    return await _ending(_tasks(call, callers), source, [])


async def first_leaves(call: Call, source: Source, callers: int) -> Ending:
    """The first caller is cancelled while the load is under way."""
    tasks = await _waiting(call, callers)
    tasks[0].cancel()
    return await _ending(tasks[1:], source, tasks[:1])


async def all_leave(call: Call, source: Source, callers: int) -> Ending:
    """Everybody is cancelled while the load is under way."""
    tasks = await _waiting(call, callers)
    for task in tasks:
        task.cancel()
    return await _ending([], source, tasks)


def _tasks(call: Call, callers: int) -> list[asyncio.Task[object]]:
    async def caller() -> object:
        return await call("user:1")

    return [asyncio.create_task(caller()) for _ in range(callers)]


async def _waiting(call: Call, callers: int) -> list[asyncio.Task[object]]:
    """Give the callers once all of them wait."""
    tasks = _tasks(call, callers)
    for _ in range(10):  # turns of the event loop: more than any library needs until it waits for the load
        await asyncio.sleep(0)
    return tasks


async def _ending(
    stayed: Sequence[asyncio.Task[object]], source: Source, left: Sequence[asyncio.Task[object]]
) -> Ending:
    start = perf_counter()
    _, hung = await asyncio.wait([*stayed, *left], timeout=PATIENCE)
    took = perf_counter() - start
    for task in hung:
        task.cancel()
    await asyncio.sleep(source.seconds * 1.2)  # so that an abandoned load comes to its end
    values = errors = lost = 0
    for task in stayed:
        if task in hung:
            continue
        if task.cancelled():
            lost += 1
        elif isinstance(task.exception(), SourceError):
            errors += 1
        elif task.exception() is None and task.result() == VALUE:
            values += 1
        else:
            lost += 1
    return Ending(source.calls, source.cancelled, values, errors, lost, len(hung), round(took * 1000, 1))


@dataclass(frozen=True, slots=True)
class Story:
    """One of the ways in which it may end."""

    title: str
    run: Callable[[Call, Source, int], Awaitable[Ending]]
    long: bool = False
    fails: bool = False


STORIES: Final = {
    "crowd": Story("all stay", crowd),
    "first_leaves": Story("the first caller is cancelled", first_leaves, long=True),
    "raises": Story("the loader raises", crowd, fails=True),
    "all_leave": Story("all callers are cancelled", all_leave, long=True),
}
