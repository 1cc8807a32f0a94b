"""A bound on work under way, with a bounded queue before it.

Rule 1: first come, first served: who comes while others wait, waits behind them.
Rule 2: a slot that is handed to somebody who is cancelled at that moment goes on to the next one.
Rule 3: work that somebody with a slot waits for must not wait for a slot, or both would for ever: it goes past the
bound (`at_once`, `let_in`), and takes none.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiocache_kit.errors import OverloadedError


class Slots:
    """So many at a time; others wait, each as a subject of its own."""

    __slots__ = ("_free", "_most_waiting", "_waiting")

    def __init__(self, most: int, most_waiting: int | None = None) -> None:
        """Let `most` in at a time, and let `most_waiting` wait, None for as many as come."""
        self._free = most
        self._most_waiting = most_waiting
        self._waiting: dict[object, asyncio.Future[bool]] = {}
        """Those who wait, in their order; nobody does where a slot is free."""

    @property
    def has_free(self) -> bool:
        """Whether whoever comes now would not wait."""
        return self._free > 0

    @property
    def is_full(self) -> bool:
        """Whether whoever comes now would be refused."""
        return not self._free and self._most_waiting is not None and len(self._waiting) >= self._most_waiting

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @asynccontextmanager
    async def held(self, subject: object, *, at_once: bool = False) -> AsyncGenerator[None]:
        """Wait for a slot and hold it in the block; with `at_once` do neither.

        Raises `OverloadedError` where too many wait already.
        """
        has_slot = not at_once and await self._enter(subject)
        try:
            yield
        finally:
            if has_slot:
                self._leave()

    def let_in(self, subject: object) -> None:
        """Let `subject` go on at once, if it waits."""
        turn = self._waiting.pop(subject, None)
        if turn is not None and not turn.done():
            turn.set_result(False)

    async def _enter(self, subject: object) -> bool:
        """Wait until `subject` may go on; say whether it has a slot then."""
        if self._free:
            self._free -= 1
            return True
        if self.is_full:
            raise OverloadedError
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[subject] = turn
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.result():
                self._leave()
            raise
        finally:
            if self._waiting.get(subject) is turn:
                del self._waiting[subject]

    def _leave(self) -> None:
        while self._waiting:
            turn = self._waiting.pop(next(iter(self._waiting)))
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1
