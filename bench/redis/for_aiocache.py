"""aiocache: its Redis cache, which is redis-py."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, ClassVar

from aiocache import RedisCache
from aiocache.serializers import NullSerializer

from bench.redis.peer import TTL, VALUE, Peer


class Aiocache(Peer):
    """As fast as it gets: no time limit, which is a `wait_for` around each operation otherwise."""

    name: ClassVar[str] = "aiocache"
    package: ClassVar[str] = "aiocache"
    settings: ClassVar[str] = (
        "RedisCache(timeout=None, pool_max_size=300), NullSerializer without encoding, socket_timeout=None"
    )

    async def open(self, port: int, exits: AsyncExitStack) -> None:
        """Make it."""
        self.cache = RedisCache(
            endpoint="127.0.0.1",
            port=port,
            namespace="aiocache:",
            timeout=None,
            pool_max_size=300,
            connection_pool_kwargs={"socket_timeout": None},
            serializer=NullSerializer(encoding=None),
        )
        exits.push_async_callback(self.cache.close)
        self.read: Any = self.cache.get
        self.write: Any = partial(self.cache.set, ttl=TTL)

    async def get_multi(self, keys: Sequence[str]) -> None:
        """MGET."""
        await self.cache.multi_get(keys)

    async def set_multi(self, keys: Sequence[str]) -> None:
        """MSET, and an EXPIRE for each key, in a transaction."""
        await self.cache.multi_set([(key, VALUE) for key in keys], ttl=TTL)
