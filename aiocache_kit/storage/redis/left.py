"""Large writes that were left: their callers were cancelled, and they are on their way still.

What is large has a connection of its own, and in a pool everything has: a later change of the same key would be done
before it, and undone by it.

Rule: a large write goes on when its caller leaves, and later changes of its names wait for it.
"""

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, Final, TypeVar

from aiocache_kit.storage.redis.link import LARGE

T = TypeVar("T")
MAYBE_LARGE: Final = LARGE // 2
"""Bytes of names and payloads from which on a command may be large, with all that belongs to it."""


class Left:
    """The large writes of one storage."""

    __slots__ = ("_tasks", "writes")

    def __init__(self) -> None:
        """Begin with none."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self.writes: Final[dict[asyncio.Task[Any], frozenset[bytes]]] = {}
        """Those that were left, with the names that they change."""

    async def outlive(self, names: Collection[bytes], write: Coroutine[Any, Any, T]) -> T:
        """Give what `write` gives, which changes `names`; a caller that is cancelled leaves, and it goes on."""
        task = asyncio.create_task(write, name="aiocache_kit stores what is large")  # its caller waits, or `close`
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            if not task.done():
                self.writes[task] = frozenset(names)
            raise
        return task.result()

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        self.writes.pop(task, None)
        if not task.cancelled():
            task.exception()  # known by now to whoever waited; who has left does not want to know

    async def let_end(self, names: Collection[bytes] | None = None) -> None:
        """Wait for what was left and changes one of `names`; None: for all of it."""
        loop = asyncio.get_running_loop()
        for task in [task for task in self.writes if task.get_loop() is not loop]:
            self.writes.pop(task)  # it was lost with its loop, and will never be done
        before = [task for task, its in self.writes.items() if names is None or not its.isdisjoint(names)]
        if before:
            await asyncio.wait(before)

    async def close(self) -> None:
        """Wait for all that is under way."""
        loop = asyncio.get_running_loop()
        tasks = [task for task in self._tasks if task.get_loop() is loop]
        if tasks:
            await asyncio.wait(tasks)
