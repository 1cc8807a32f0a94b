"""cashews: its front with middlewares over its Redis backend, which is redis-py."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, ClassVar

from cashews import Cache
from cashews.picklers import PicklerType
from redis.asyncio import ConnectionPool

from bench.compare.subject import load_user
from bench.measure import Loop
from bench.redis.peer import PREFIX, TTL, VALUE, Peer


class Cashews(Peer):
    """The `Cache` that its documentation shows, without pickle, which it uses for its default."""

    name: ClassVar[str] = "cashews"
    package: ClassVar[str] = "cashews"
    settings: ClassVar[str] = (
        "Cache with redis://, suppress=False, a ConnectionPool of 300, socket_timeout=None, check_repr=False, no "
        "pickle: bytes go as they are"
    )

    client_side: ClassVar[bool] = False

    async def open(self, port: int, exits: AsyncExitStack) -> None:
        """Set it up."""
        self.cache = Cache()
        self.cache.setup(
            f"redis://127.0.0.1:{port}/1",  # its bytes have a prefix of their own
            suppress=False,
            connection_pool_class=ConnectionPool,
            max_connections=300,
            socket_timeout=None,
            check_repr=False,
            pickle_type=PicklerType.NULL,
            client_side=self.client_side,
        )
        await self.cache.init()
        exits.push_async_callback(self.cache.close)
        self.read: Any = self.cache.get
        self.write: Any = partial(self.cache.set, expire=TTL)

    async def get_multi(self, keys: Sequence[str]) -> None:
        """MGET."""
        await self.cache.get_many(*keys)

    async def set_multi(self, keys: Sequence[str]) -> None:
        """SET by a pipeline."""
        await self.cache.set_many(dict.fromkeys(keys, VALUE), expire=TTL)

    def decorated(self) -> Loop:
        """Decorate with a template."""
        load = self.cache(ttl=TTL, key=PREFIX + "{user_id}")(load_user)

        async def loop(keys: Sequence[str]) -> None:
            for key in keys:
                await load(key)

        return loop


class CashewsKept(Cashews):
    """With what it keeps in memory until Redis tells of changes."""

    name: ClassVar[str] = "cashews, client_side"
    settings: ClassVar[str] = f"{Cashews.settings}; client_side=True: 10,000 entries in memory"
    client_side: ClassVar[bool] = True
