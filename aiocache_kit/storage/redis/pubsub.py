"""`RedisPubSub`: news by publish and subscribe.

Rule 1: Redis sends to who listens at that moment, and remembers nothing: after an interruption anything may be missing.
Rule 2: the connection that listens is the one that publishes, so that a heartbeat of one's own that comes back proves
that it listens. That takes RESP3, and so Redis 6.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any, Final

from hiredis import ReplyError

from aiocache_kit.errors import StorageError
from aiocache_kit.storage.backplane import Backplane, Signal
from aiocache_kit.storage.redis.attempts import Attempts
from aiocache_kit.storage.redis.building import Way, locating
from aiocache_kit.storage.redis.link import Link, pack_command
from aiocache_kit.storage.redis.replies import as_cause, refusal
from aiocache_kit.storage.redis.wire import Wire

MOST_WAITING: Final = 10_000
MOST_BYTES_WAITING: Final = 16 * 2**20
"""Messages, and bytes of messages, that wait to be taken; one more, and all of them go."""
_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_LARGEST: Final = 2**20
_PING: Final = pack_command((b"PING",))


class RedisPubSub(Backplane):
    """News by one channel of Redis."""

    def __init__(self, way: Way, channel: str) -> None:
        """Use the channel by that name, at the servers that `way` leads to; nothing is connected yet."""
        self._channel = channel.encode("utf-8", "surrogatepass")
        self._events: asyncio.Queue[bytes | Signal] = asyncio.Queue()
        self._waiting = 0
        """Bytes of the messages in it."""
        self._is_on = False
        self._link = Link(
            replace(way.dialer, protocol=3),
            locating(way),
            Attempts(times=way.times, retries=0, breaker=None),
            most_unread=_LARGEST,
            prepare=self._subscribe,
            on_push=self._pushed,
            on_end=self._ended,
        )

    def __repr__(self) -> str:
        return f"<RedisPubSub, {'listening' if self._is_on else 'not listening'}>"

    async def publish(self, message: bytes) -> None:
        """Publish a message."""
        await self._link.call(("PUBLISH", self._channel, message), again=True)

    async def listen(self) -> AsyncGenerator[bytes | Signal]:
        """Give what is published, and connect again whenever the connection was lost."""
        pause = _PAUSE
        while True:
            if not self._is_on and self._events.empty():  # what has come, and that it was lost, waits for no server
                try:
                    await self._link.open()
                    pause = _PAUSE
                except StorageError:
                    await self.clock.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                    continue
            event = await self._events.get()
            if isinstance(event, bytes):
                self._waiting -= len(event)
            yield event

    async def close(self) -> None:
        """Leave."""
        await self._link.close()

    # --- the connection ----------------------------------------------------------------------------------------------

    async def _subscribe(self, wire: Wire) -> None:
        """Subscribe on a new connection; the confirmation is no reply, so another command's reply is waited for."""
        reply = await wire.send(pack_command((b"SUBSCRIBE", self._channel)) + _PING)
        if reply.__class__ is ReplyError:
            raise refusal(reply) from as_cause(reply)
        self._is_on = True
        self._events.put_nowait(Signal.BACK)

    def _pushed(self, message: Sequence[Any]) -> None:
        if len(message) != 3 or message[0] != b"message":  # noqa: PLR2004  - kind, channel, what was published
            return
        said: bytes = message[2]
        if self._events.qsize() >= MOST_WAITING or self._waiting + len(said) > MOST_BYTES_WAITING:
            while not self._events.empty():
                self._events.get_nowait()
            self._waiting = 0
            self._events.put_nowait(Signal.BACK)
        self._waiting += len(said)
        self._events.put_nowait(said)

    def _ended(self) -> None:
        if self._is_on:
            self._is_on = False
            self._events.put_nowait(Signal.LOST)
