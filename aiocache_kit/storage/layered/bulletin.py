"""`Bulletin`: the news of one storage, out and in, and the tasks that see to it.

Rule 1: three tasks: one sends, one listens, one beats. They begin with `start` and are gone after `close`.
Rule 2: no read and no change waits for any of them.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from os import urandom
from typing import Final

from aiocache_kit.clock import Clock
from aiocache_kit.errors import CacheError
from aiocache_kit.serializers.seal import Seal
from aiocache_kit.stats import Stats
from aiocache_kit.storage.backplane import Backplane, Signal
from aiocache_kit.storage.layered.copies import Copies
from aiocache_kit.storage.layered.ear import Ear
from aiocache_kit.storage.layered.lowest import Lowest
from aiocache_kit.storage.layered.messages import Language
from aiocache_kit.storage.layered.post import Post

_PAUSE: Final = 0.1


class Bulletin:
    """News by one backplane."""

    def __init__(
        self,
        backplane: Backplane,
        copies: Copies,
        lowest: Lowest,
        *,
        seal: Seal | None,
        heartbeat: float,
    ) -> None:
        """Tell others by `backplane` of changes, and `copies` of theirs; give a sign of life every `heartbeat` seconds.

        Copies are given up for lack of news only while `lowest` answers.
        """
        own, language = urandom(8), Language(seal)
        self.post: Final = Post(own, backplane.publish, language)
        self.ear: Final = Ear(own, copies, lowest.pending, language, heartbeat)
        self._backplane = backplane
        self._heartbeat = heartbeat
        self._lowest = lowest
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, clock: Clock) -> None:
        """Begin to send, to listen and to beat; once is enough."""
        if self._tasks:
            return
        self._clock = clock
        self._backplane.clock = clock
        self.ear.begin(clock)
        works = {"tells": self.post.run(clock), "listens": self._listen(), "beats": self._beat()}
        self._tasks = [asyncio.create_task(work, name=f"aiocache_kit {word}") for word, work in works.items()]

    async def close(self) -> None:
        """Send what is left, for a second at most, and end."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                await asyncio.wait(tasks)
                await self.post.close(self._clock)
        finally:
            await self._backplane.close()

    def stats(self) -> Stats:
        """Tell how the news goes: `errors` were junk or did not leave, `missed` is how often copies were given up.

        It holds no items.
        """
        post, ear = self.post, self.ear
        return Stats(
            counted=False,
            errors=ear.junk + post.failures,
            missed=ear.gaps + ear.losses + post.overflows,
            health=1.0 if ear.is_relied_on else 0.0,
        )

    async def _beat(self) -> None:
        while True:
            self.post.beat()
            await self._clock.sleep(self._heartbeat)
            await self.ear.look(self._clock, may_ask_below=self._lowest.is_in)

    async def _listen(self) -> None:
        while True:
            try:
                await self._follow(self._backplane.listen())
            except CacheError:
                await self.ear.hear(Signal.LOST, self._clock)
            await self._clock.sleep(_PAUSE)

    async def _follow(self, events: AsyncIterator[bytes | Signal]) -> None:
        try:
            async for event in events:
                await self.ear.hear(event, self._clock)
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()
