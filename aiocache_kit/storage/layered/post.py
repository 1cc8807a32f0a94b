"""`Post`: the news that goes out.

Rule 1: whoever makes a change leaves the news here and goes on; one task sends it, what has gathered in one go.
Rule 2: what waits is bounded. If it is too much, one message follows in its place: that everything was changed.
Rule 3: a message that may not have left is sent again, the very same, until it has left; a second one does no harm.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Final

from aiocache_kit.clock import Clock
from aiocache_kit.errors import CacheError
from aiocache_kit.storage.layered.changes import News
from aiocache_kit.storage.layered.messages import Action, Language, Message, portions

MOST_KEYS: Final = 10_000
MOST_OTHERS: Final = 1000
_PAUSE: Final = 0.1
_LAST_WORDS: Final = 1.0
"""Seconds that sending what is left may take at the end."""
_log: Final = logging.getLogger("aiocache_kit")


class Post(News):
    """What is to be told to other processes."""

    def __init__(
        self, sender: bytes, publish: Callable[[bytes], Awaitable[None]], language: Language, most: int = MOST_KEYS
    ) -> None:
        """Send in the name of `sender` by `publish`, and let at most `most` keys wait."""
        self.failures: int = 0
        """How often a message may not have left."""
        self.overflows: int = 0
        """How often everything was said to have changed, because too much waited."""
        self._sender = sender
        self._publish = publish
        self._language = language
        self._most = most
        self._number = 0
        self._is_beat_due = False
        self._wake = asyncio.Event()
        self._ready: deque[bytes] = deque()
        """Messages that are to leave, in order."""
        self._start_over()

    def _start_over(self) -> None:
        self._keys: dict[str, None] = {}
        self._tags: dict[str, None] = {}
        self._prefixes: dict[str, None] = {}

    # --- leaving news ------------------------------------------------------------------------------------------------

    def keys(self, keys: Iterable[str]) -> None:
        """Tell that `keys` were changed."""
        if "" not in self._prefixes:
            self._keys.update(dict.fromkeys(keys))
        self._left()

    def prefix(self, prefix: str) -> None:
        """Tell that all keys that begin with `prefix` were removed."""
        self._prefixes[prefix] = None
        self._left()

    def tags(self, tags: Collection[str]) -> None:
        """Tell that `tags` were invalidated."""
        if "" not in self._prefixes:
            self._tags.update(dict.fromkeys(tags))
        self._left()

    def beat(self) -> None:
        """Give a sign of life."""
        self._is_beat_due = True
        self._wake.set()

    def _left(self) -> None:
        if len(self._keys) > self._most or max(len(self._tags), len(self._prefixes)) > MOST_OTHERS:
            self.overflows += 1
            self._start_over()
            self._prefixes[""] = None
        self._wake.set()

    # --- sending -----------------------------------------------------------------------------------------------------

    async def run(self, clock: Clock) -> None:
        """Send what is left here, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._send_all(clock)

    async def _send_all(self, clock: Clock) -> None:
        for action, names in self._take():
            self._number += 1
            message = Message(self._sender, self._number, clock.time(), action, names)
            self._ready.append(self._language.write(message))
        while self._ready:
            if await self._sent(self._ready[0]):
                self._ready.popleft()
            else:
                await clock.sleep(_PAUSE)
        if self._is_beat_due:
            self._is_beat_due = False
            beat = Message(self._sender, self._number, clock.time(), Action.HEARTBEAT)
            await self._sent(self._language.write(beat))

    def _take(self) -> list[tuple[Action, tuple[str, ...]]]:
        left = [
            (Action.CHANGED, self._keys),
            (Action.INVALIDATED, self._tags),
            (Action.CLEARED, self._prefixes),
        ]
        self._start_over()
        return [
            (Action.CLEARED, ("",)) if portion is None else (action, portion)
            for action, names in left
            for portion in portions(names)
        ]

    async def _sent(self, data: bytes) -> bool:
        try:
            await self._publish(data)
        except CacheError:
            self.failures += 1
            return False
        return True

    async def close(self, clock: Clock) -> None:
        """Send what is left, for as long as that takes no longer than a second."""
        self._is_beat_due = False
        try:
            async with asyncio.timeout(_LAST_WORDS):
                await self._send_all(clock)
        except TimeoutError:
            _log.warning("the last changes of a cache could not be told to other processes")
