"""coredis: an anyio client."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, ClassVar

from coredis import Redis

from bench.redis.peer import TTL, VALUE, Peer


class Coredis(Peer):
    """A client over its pool."""

    name: ClassVar[str] = "coredis"
    package: ClassVar[str] = "coredis"
    settings: ClassVar[str] = "Redis(max_connections=16), bytes as they are"

    async def open(self, port: int, exits: AsyncExitStack) -> None:
        """Open the client, whose tasks belong to whoever opens it."""
        self.redis: Any = await exits.enter_async_context(Redis(port=port, max_connections=16))
        self.read = self.redis.get
        self.write = partial(self.redis.set, ex=TTL)

    async def get_multi(self, keys: Sequence[str]) -> None:
        """MGET."""
        await self.redis.mget(keys)

    async def set_multi(self, keys: Sequence[str]) -> None:
        """SET by a pipeline, which is no transaction."""
        async with self.redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.set(key, VALUE, ex=TTL)
