"""One change of a key at a time, within this process: so all copies of it get the changes in the same order.

Rule: whoever changes several keys takes them in the order of their text, so that no two wait for one another.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager


class _Queue:
    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class KeyLocks:
    """A lock for each key that somebody changes right now; none for the others."""

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        """Start with nobody at any key."""
        self._queues: dict[str, _Queue] = {}

    def __len__(self) -> int:
        return len(self._queues)

    @asynccontextmanager
    async def hold(self, keys: Collection[str]) -> AsyncGenerator[None]:
        """Hold all of `keys`, each of them once, from when nobody else does."""
        held: list[str] = []
        try:
            for key in sorted(set(keys)):
                queue = self._queues.get(key)
                if queue is None:
                    queue = self._queues[key] = _Queue()
                queue.users += 1
                try:
                    await queue.lock.acquire()
                except BaseException:
                    self._leave(key, queue)
                    raise
                held.append(key)
            yield
        finally:
            for key in held:
                queue = self._queues[key]
                queue.lock.release()
                self._leave(key, queue)

    def _leave(self, key: str, queue: _Queue) -> None:
        queue.users -= 1
        if not queue.users:
            del self._queues[key]
