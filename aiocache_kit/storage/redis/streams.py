"""`RedisStreams`: news by a stream, which remembers what was published of late.

Rule 1: who was away, or slow, goes on after the last message that he got. If that is no longer in the stream, more may
have been trimmed away than is known, and that is told (`Signal.BACK`).
Rule 2: waiting for messages holds up a connection of its own; a wait is short, so that a dead one is noticed.
"""

from collections.abc import AsyncGenerator
from typing import Any, Final, cast

from aiocache_kit.errors import StorageError
from aiocache_kit.storage.backplane import Backplane, Signal
from aiocache_kit.storage.redis.attempts import Attempts
from aiocache_kit.storage.redis.building import Way, locating
from aiocache_kit.storage.redis.link import Link

MOST_KEPT: Final = 10_000
"""Messages that the stream remembers, about."""
_WAIT: Final = 500
"""Milliseconds that one question may wait at the server; less than an answer may take."""
_AT_ONCE: Final = 500
_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_LARGEST: Final = 2**26
_FIELD: Final = b"m"
_START: Final = b"0-0"


class RedisStreams(Backplane):
    """News by one stream of Redis."""

    def __init__(self, way: Way, name: str) -> None:
        """Use the stream by that name, at the servers that `way` leads to; nothing is connected yet."""
        self._name = name.encode("utf-8", "surrogatepass")
        self._wait = min(_WAIT, int(way.times.answer * 500))
        attempts = Attempts(times=way.times, retries=0, breaker=None)
        self._out = Link(way.dialer, locating(way), attempts, most_unread=_LARGEST)
        self._in = Link(way.dialer, locating(way), attempts, most_unread=_LARGEST)
        self._last: bytes | None = None
        """The last message that was given; None before the first connection."""

    def __repr__(self) -> str:
        return "<RedisStreams>"

    async def publish(self, message: bytes) -> None:
        """Append a message, and let old ones go."""
        await self._out.call(("XADD", self._name, "MAXLEN", "~", MOST_KEPT, "*", _FIELD, message), again=True)

    async def listen(self) -> AsyncGenerator[bytes | Signal]:
        """Give what is appended, and go on after an interruption where it was left."""
        pause, is_on = _PAUSE, False
        while True:
            try:
                if not is_on:
                    signal = await self._begin()
                    is_on, pause = True, _PAUSE
                    yield signal
                found = await self._in.call(
                    ("XREAD", "COUNT", _AT_ONCE, "BLOCK", self._wait, "STREAMS", self._name, self._last or _START),
                    again=True,
                )
                entries = _entries(found)
                # Only who is behind by more than a handful can be behind by more than the stream remembers.
                may_have_missed = len(entries) >= _AT_ONCE and not await self._is_complete(self._last or _START)
            except StorageError:
                if is_on:
                    is_on = False
                    yield Signal.LOST
                await self.clock.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            if may_have_missed:
                yield Signal.BACK
            for number, fields in entries:
                self._last = number
                if len(fields) == 2 and fields[0] == _FIELD:  # noqa: PLR2004  - one field with what was published
                    yield fields[1]

    async def _begin(self) -> Signal:
        """Find out where to go on, and whether something may be missing."""
        if self._last is not None and await self._is_complete(self._last):
            return Signal.RESUMED
        newest = await self._in.call(("XREVRANGE", self._name, "+", "-", "COUNT", 1), again=True)
        self._last = newest[0][0] if newest else _START
        return Signal.BACK

    async def _is_complete(self, last: bytes) -> bool:
        """Whether the stream still has all that came after the `last` message; there was one, or an empty stream."""
        if last == _START:
            return not await self._in.call(("XLEN", self._name), again=True)
        return bool(await self._in.call(("XRANGE", self._name, last, last), again=True))

    async def close(self) -> None:
        """Leave."""
        try:
            await self._in.close()
        finally:
            await self._out.close()


def _entries(found: Any) -> list[tuple[bytes, list[bytes]]]:  # noqa: ANN401  - what Redis answers
    """Give the entries of a reply, which is a list in RESP2, a map in RESP3, and nothing where nothing came."""
    if not found:
        return []
    given = cast("dict[bytes, Any] | list[Any]", found)
    streams: list[Any] = list(given.values()) if isinstance(given, dict) else [stream[1] for stream in given]
    return [(entry[0], list(entry[1] or ())) for stream in streams for entry in stream]
