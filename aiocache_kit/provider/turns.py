"""Taking turns at a key: updates of one key by callers of one provider follow one another.

Rule: turns only save work. What makes an update atomic is the conditional write at its end; taking turns sees to it
that a hundred concurrent updates run their functions a hundred times, and not some thousand.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from aiocache_kit.errors import RecursiveLoadError

_mine: ContextVar[frozenset[tuple[int, str]]] = ContextVar("aiocache_kit_turns", default=frozenset())


class _Queue:
    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class Turns:
    """One queue for each key that somebody is at; none for the others."""

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        """Start with nobody at any key."""
        self._queues: dict[str, _Queue] = {}

    def __len__(self) -> int:
        return len(self._queues)

    @asynccontextmanager
    async def of(self, key: str) -> AsyncGenerator[None]:
        """Wait for one's turn at `key`; raise `RecursiveLoadError` to somebody whose turn it is already."""
        mark = (id(self), key)
        held = _mine.get()
        if mark in held:
            raise RecursiveLoadError
        queue = self._queues.setdefault(key, _Queue())
        queue.users += 1
        try:
            async with queue.lock:
                token = _mine.set(held | {mark})
                try:
                    yield
                finally:
                    _mine.reset(token)
        finally:
            queue.users -= 1
            if not queue.users:
                del self._queues[key]
