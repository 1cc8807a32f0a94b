"""redis-py: its asyncio client, at each pool that may be the best one for some number of tasks."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, ClassVar

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis

from bench.redis.peer import TTL, VALUE, Peer


class RedisPy(Peer):
    """A client over one pool; without a timeout, which is a timer for each answer."""

    package: ClassVar[str] = "redis"

    def client(self, port: int) -> Any:  # noqa: ANN401  - its types are loose
        """Give the client at the settings of this class."""
        raise NotImplementedError

    async def open(self, port: int, exits: AsyncExitStack) -> None:
        """Make the client."""
        self.redis = self.client(port)
        exits.push_async_callback(self.redis.aclose)
        self.read = self.redis.get
        self.write = partial(self.redis.set, ex=TTL)

    async def get_multi(self, keys: Sequence[str]) -> None:
        """MGET."""
        await self.redis.mget(keys)

    async def set_multi(self, keys: Sequence[str]) -> None:
        """SET by a pipeline, which is no transaction."""
        pipeline = self.redis.pipeline(transaction=False)
        for key in keys:
            pipeline.set(key, VALUE, ex=TTL)
        await pipeline.execute()


class RedisPySingle(RedisPy):
    """One connection, which is locked for each call."""

    name: ClassVar[str] = "redis-py, one connection"
    settings: ClassVar[str] = "single_connection_client=True, socket_timeout=None, hiredis"

    def client(self, port: int) -> Any:  # noqa: ANN401, D102  - as the base class has it
        return Redis(port=port, single_connection_client=True, socket_timeout=None)


class RedisPy16(RedisPy):
    """Sixteen connections."""

    name: ClassVar[str] = "redis-py, pool of 16"
    settings: ClassVar[str] = "BlockingConnectionPool(max_connections=16, timeout=None), socket_timeout=None, hiredis"
    connections: ClassVar[int] = 16

    def client(self, port: int) -> Any:  # noqa: ANN401, D102  - as the base class has it
        return Redis.from_pool(
            BlockingConnectionPool(port=port, max_connections=self.connections, timeout=None, socket_timeout=None)
        )


class RedisPy50(RedisPy16):
    """Fifty connections."""

    name: ClassVar[str] = "redis-py, pool of 50"
    settings: ClassVar[str] = "BlockingConnectionPool(max_connections=50, timeout=None), socket_timeout=None, hiredis"
    connections: ClassVar[int] = 50


class RedisPyUnbounded(RedisPy):
    """As many connections as there are calls at once; its own bound is a hundred."""

    name: ClassVar[str] = "redis-py, unbounded pool"
    settings: ClassVar[str] = (
        "ConnectionPool(max_connections=300): one for each call at once; socket_timeout=None, hiredis"
    )

    def client(self, port: int) -> Any:  # noqa: ANN401, D102  - as the base class has it
        return Redis.from_pool(ConnectionPool(port=port, max_connections=300, socket_timeout=None))
