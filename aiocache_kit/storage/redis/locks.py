"""Locks in Redis: a key with the holder's token and a ttl, and beside it the last fencing number."""

import math
from typing import Final

from aiocache_kit.storage.agreements import SharedLocks
from aiocache_kit.storage.redis.layout import Layout
from aiocache_kit.storage.redis.link import Channel
from aiocache_kit.storage.redis.payloads import CENTURY
from aiocache_kit.storage.redis.scripts import DROP, EXTEND, LOCK

_FENCING_KEPT: Final = 7 * 24 * 3600 * 1000
"""Milliseconds until the last number of a lock that nobody takes is forgotten; the server's clock is beyond it then."""


class RedisLocks(SharedLocks):
    """The locks of all who use one prefix of one Redis."""

    def __init__(self, channel: Channel, layout: Layout) -> None:
        """Keep them by `channel`."""
        self._channel = channel
        self._layout = layout

    async def acquire(self, name: str, token: str, ttl: float) -> int | None:
        """Take the lock; give its fencing number, None while another token holds it."""
        fencing = await LOCK.run(self._channel, self._layout.lock(name), token, _millis(ttl), _FENCING_KEPT)
        return None if fencing is None else int(fencing)

    async def extend(self, name: str, token: str, ttl: float) -> bool:
        """Let the lock end later; say whether `token` still held it."""
        return bool(await EXTEND.run(self._channel, self._layout.lock(name)[:1], token, _millis(ttl)))

    async def release(self, name: str, token: str) -> bool:
        """Give the lock back; say whether `token` still held it."""
        return bool(await DROP.run(self._channel, self._layout.lock(name)[:1], token))


def _millis(seconds: float) -> int:
    return max(math.ceil(min(seconds, CENTURY) * 1000), 1)
