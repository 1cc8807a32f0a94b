"""Taking turns at a key: updates of one key by callers of one provider follow one another.

Rule 1: turns only save work. What makes an update atomic is the conditional write at its end; taking turns sees to it
that a hundred concurrent updates run their functions a hundred times, and not some thousand.
Rule 2: so nobody waits for a turn that cannot come. Who holds turns already, and would wait for somebody that waits for
one of them, goes ahead without; and so does whoever is inside of a load, since others may wait for that.
Rule 3: tasks that an update starts inherit its context and count as part of it until it is over.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from aiocache_kit.errors import RecursiveLoadError
from aiocache_kit.management.key_locks import KeyLock, KeyLocks
from aiocache_kit.management.single_flight import is_inside_a_load
from aiocache_kit.management.waiting import leads_to


class _Turn:
    """Somebody's turn at the key of `queue`."""

    __slots__ = ("over", "queue", "waits_for")

    def __init__(self, queue: "_Queue") -> None:
        self.queue = queue
        self.over = False
        self.waits_for: list[_Queue] = []
        """What its holder, or tasks of its holder, wait for."""


class _Queue(KeyLock):
    holder: _Turn | None = None


_mine: ContextVar[tuple[_Turn, ...]] = ContextVar("aiocache_kit_turns", default=())


class Turns:
    """One queue for each key that somebody is at; none for the others."""

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        """Start with nobody at any key."""
        self._queues = KeyLocks(_Queue)

    def __len__(self) -> int:
        return len(self._queues)

    @asynccontextmanager
    async def of(self, key: str) -> AsyncGenerator[None]:
        """Wait for one's turn at `key`; raise `RecursiveLoadError` to somebody whose turn it is already."""
        held = tuple(turn for turn in _mine.get() if not turn.over)
        queue = self._queues.join(key)
        try:
            if any(turn.queue is queue for turn in held):
                raise RecursiveLoadError
            if queue.locked() and (is_inside_a_load() or _leads_to(queue, held)):
                yield
                return
            await _wait(queue, held)
            try:
                turn = queue.holder = _Turn(queue)
                token = _mine.set((*held, turn))
                try:
                    yield
                finally:
                    _mine.reset(token)
                    turn.over = True
            finally:
                queue.holder = None
                queue.release()
        finally:
            self._queues.leave(key, queue)


async def _wait(queue: _Queue, held: tuple[_Turn, ...]) -> None:
    for turn in held:
        turn.waits_for.append(queue)
    try:
        await queue.acquire()
    finally:
        for turn in held:
            turn.waits_for.remove(queue)


def _leads_to(queue: _Queue, held: tuple[_Turn, ...]) -> bool:
    """Whether waiting for `queue` would be waiting for one of `held` to end."""
    return leads_to(
        queue,
        lambda queue: queue.holder in held,
        lambda queue: () if queue.holder is None else queue.holder.waits_for,
    )
