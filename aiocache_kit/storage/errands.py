"""Work that goes on when whoever asked for it has left, and is waited for at the end.

A change that is on its way to several nodes or layers has to be brought to an end in each of them, or one would go on
giving what is no longer true.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Errands:
    """The tasks of one storage."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        """Start with none."""
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Give what `work` gives; a caller that is cancelled leaves, and the work goes on."""
        task = asyncio.create_task(_outcome(work), name="aiocache_kit change")  # its caller waits, or `close`
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        result, error = await asyncio.shield(task)
        if error is not None:
            raise error
        return cast("T", result)

    async def close(self) -> None:
        """Wait for all that is under way."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))


async def _outcome(work: Coroutine[Any, Any, T]) -> tuple[T | None, Exception | None]:
    """Tell an error apart, so that nobody misses it where the caller has left."""
    try:
        return await work, None
    except Exception as error:  # noqa: BLE001  - it is raised again where the caller waits
        return None, error
