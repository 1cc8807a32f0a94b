"""Work that goes on when whoever asked for it has left, and is waited for at the end.

A change that is on its way to several nodes or layers has to be brought to an end in each of them, or one would go on
giving what is no longer true.

Rule: who has left a change, and makes another one, does not find the former done after the latter. So a change waits
for those of the same keys that were left.
"""

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Errands:
    """The tasks of one storage."""

    __slots__ = ("_left", "_tasks")

    def __init__(self) -> None:
        """Start with none."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._left: dict[asyncio.Task[Any], frozenset[str] | None] = {}
        """Those whose callers were cancelled, by the keys that they change; None: all."""

    async def run(self, work: Coroutine[Any, Any, T], keys: Collection[str] | None = ()) -> T:
        """Give what `work` gives; a caller that is cancelled leaves, and the work goes on.

        `keys` are those that it changes, None: all. Who has an order of changes of its own names none.
        """
        if self._left:
            try:
                await self._let_end(keys)
            except BaseException:
                work.close()
                raise
        task = asyncio.create_task(_outcome(work), name="aiocache_kit change")  # its caller waits, or `close`
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            result, error = await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                self._left[task] = keys if keys is None else frozenset(keys)
                task.add_done_callback(self._left.pop)
            raise
        if error is not None:
            raise error
        return cast("T", result)

    async def _let_end(self, keys: Collection[str] | None) -> None:
        """Wait for what was left and changes one of `keys`."""
        before = [task for task, its in self._left.items() if its is None or keys is None or not its.isdisjoint(keys)]
        if before:
            await asyncio.wait(before)

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
