"""Room for large values that are on their way to Redis: whoever finds none waits in line, holding no payload.

Rule: it is bounded in bytes, and so is the time of waiting; a value larger than all of it goes alone.
"""

import asyncio
from collections import deque
from typing import Final

from aiocache_kit.errors import StorageUnavailableError

MOST: Final = 64 * 2**20
"""Bytes of large payloads that are made and not stored yet."""
PATIENCE: Final = 3.0
"""Seconds that a large value waits for its turn."""


class Room:
    """What is left of the room of one storage."""

    __slots__ = ("_left", "_most", "_patience", "_waiting")

    def __init__(self, most: int = MOST, *, patience: float = PATIENCE) -> None:
        """Begin with nobody in it; there is room for `most` bytes, and nobody waits longer than `patience` seconds."""
        self._patience = patience
        self._most = most
        self._left = most
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()

    def take(self, size: int) -> bool:
        """Take room for `size` bytes, to be given back, unless there is none, or somebody else waits for it."""
        if self._waiting or not self._fits(size):
            return False
        self._left -= size
        return True

    async def wait(self, size: int) -> None:
        """Wait for one's turn, and have room for `size` bytes then, to be given back.

        Raises `StorageUnavailableError` when that takes too long.
        """
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, size))
        try:
            async with asyncio.timeout(self._patience):
                await turn
        except TimeoutError as error:
            self._leave(turn, size)
            raise StorageUnavailableError("too many large values are on their way to Redis") from error
        except BaseException:
            self._leave(turn, size)
            raise

    def give(self, size: int) -> None:
        """Give room back, and let in who waits and has room now."""
        self._left += size
        while self._waiting:
            turn, wanted = self._waiting[0]
            if not turn.done():
                if not self._fits(wanted):
                    return
                self._left -= wanted
                turn.set_result(None)
            self._waiting.popleft()

    def _fits(self, size: int) -> bool:
        return size <= self._left or self._left == self._most

    def _leave(self, turn: "asyncio.Future[None]", size: int) -> None:
        """Give back what was given a moment too late; those behind may have room where this one had none."""
        self.give(0 if turn.cancelled() else size)
