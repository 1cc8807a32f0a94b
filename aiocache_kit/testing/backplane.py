"""A backplane within the process, for tests: everybody who listens gets what anybody publishes, unless told otherwise.

Rule: it is as a server would be. What it is told to lose is lost for one listener, and nobody is told; what it is told
to cut is told by `Signal.LOST`, and comes back with `Signal.BACK`, or with `Signal.RESUMED` and what was missed.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from aiocache_kit.errors import StorageUnavailableError
from aiocache_kit.storage.backplane import Backplane, Signal


class Exchange:
    """What all backplanes of a test are connected to."""

    def __init__(self) -> None:
        """Start with nobody connected."""
        self.published: Final[list[bytes]] = []
        """All messages so far."""
        self._ends: list[InProcessBackplane] = []

    def connect(self) -> "InProcessBackplane":
        """Give one more backplane."""
        end = InProcessBackplane(self)
        self._ends.append(end)
        return end

    def send(self, message: bytes) -> None:
        """Give a message to all who listen, as one of them does, or as a stranger may."""
        self.published.append(message)
        for end in self._ends:
            end.take(message)


class InProcessBackplane(Backplane):
    """One end of an `Exchange`."""

    def __init__(self, exchange: Exchange) -> None:
        """Belong to `exchange`."""
        self._exchange = exchange
        self._events: asyncio.Queue[bytes | Signal] = asyncio.Queue()
        self._is_cut = False
        self._to_lose = 0
        self._missed: list[bytes] = []

    async def publish(self, message: bytes) -> None:
        """Give it to all; raise `StorageUnavailableError` while this end is cut."""
        if self._is_cut:
            raise StorageUnavailableError("this backplane was cut by a test")
        self._exchange.send(message)

    async def listen(self) -> AsyncGenerator[bytes | Signal]:
        """Give what comes."""
        yield Signal.LOST if self._is_cut else Signal.BACK
        while True:
            yield await self._events.get()

    async def close(self) -> None:
        """Do nothing: nothing was opened."""

    def take(self, message: bytes) -> None:
        """Get a message, or lose it."""
        if self._is_cut:
            self._missed.append(message)
        elif self._to_lose:
            self._to_lose -= 1
        else:
            self._events.put_nowait(message)

    # --- orders ------------------------------------------------------------------------------------------------------

    def lose(self, count: int = 1) -> None:
        """Lose the next `count` messages that come to this end, and tell nobody."""
        self._to_lose = count

    def cut(self, *, silently: bool = False) -> None:
        """Let nothing come or go; `silently`: messages go, and nobody is told that none comes."""
        if silently:
            self.lose(1_000_000_000)
            return
        self._is_cut = True
        self._missed.clear()
        self._events.put_nowait(Signal.LOST)

    def mend(self, *, resume: bool = False) -> None:
        """Let everything come and go again; `resume`: what was missed comes first."""
        self._to_lose = 0
        if self._is_cut:
            self._is_cut = False
            self._events.put_nowait(Signal.RESUMED if resume else Signal.BACK)
            for message in self._missed if resume else ():
                self._events.put_nowait(message)
